"""A trained generator, read from its run folder: what `lsgan.load` gives, and `python -m lsgan.sample` draws from."""

import operator
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lsgan import config
from lsgan.config import size
from lsgan.errors import LsganError
from lsgan.tracking.run_record import RunRecord

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image
    from torch import Tensor, nn

    from lsgan.data.dataset import Dataset
    from lsgan.latents import Latent
    from lsgan.training.machine import Machine

_BATCH = 256  # samples drawn at once
_LISTED = 10  # checkpoints in a message


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run's generator and what it takes to draw from it.

    Args:
        folder: of the run.
        checkpoint: whose weights these are.
        generator: in evaluation mode, on `device`.
        device: where it runs.
        dataset: what the run was trained on; its images need not be there.
        latent: the distribution of z.
        num_classes: of a conditional run, else None.
    """

    folder: Path
    checkpoint: Path
    generator: "nn.Module"
    device: "torch.device"
    dataset: "Dataset"
    latent: "Latent"
    num_classes: int | None

    def sample(self, num_images: int = 64, *, seed: int = 0, label: int | None = None) -> "Tensor":
        """Samples, float32 [num_images, *shape] on the CPU; images are [C, H, W] in [-1, 1].

        Args:
            num_images: how many samples.
            seed: of the noise; the same seed draws the same samples, here and by `python -m lsgan.sample`.
            label: the class, for a conditional run; all in turn if None.

        Raises:
            LsganError: a number below 1, a label that the run does not have, or more than the memory holds.
        """
        import torch

        parts = self.parts(num_images, seed, label)
        with _enough_memory(num_images):
            samples = torch.empty(num_images, *self.dataset.shape)
            for i, (_, batches) in enumerate(parts):
                samples[i :: len(parts)] = torch.cat(list(batches))
        return samples

    def picture(self, samples: "Tensor") -> "Image":
        """Samples as one picture, as the sample grids of the run; a notebook shows it."""
        from PIL import Image

        return Image.fromarray(self.dataset.picture(samples))

    def grid(self, num_images: int = 64, *, seed: int = 0, label: int | None = None) -> "Image":
        """The picture beside the files of `python -m lsgan.sample`: the first samples; a class a row if conditional."""
        from lsgan.streams import stream

        self._check(num_images, label)
        labels = self.dataset.labels_shown if self.num_classes is not None else None
        if labels is None:
            return self.picture(self._generate(self._z(num_images, seed)[: self.dataset.samples_shown], None))
        if label is not None:
            labels = labels.new_full((self.dataset.samples_shown,), label)
        z = self.latent.sample(len(labels), stream(seed, "sample"))
        return self.picture(self._generate(z, labels))

    def parts(
        self, num_images: int, seed: int = 0, label: int | None = None
    ) -> list[tuple[int | None, "Iterator[Tensor]"]]:
        """The samples by label, None without classes: batches [N, *shape], drawn when they are asked for.

        Sample i has label i modulo the number of labels. Raises as `sample`.
        """
        self._check(num_images, label)
        if self.num_classes is None or label is not None:
            labels: list[int | None] = [label]
        else:
            labels = [*range(min(self.num_classes, num_images))]
        z = self._z(num_images, seed)
        return [(label, self._batches(z[i :: len(labels)], label)) for i, label in enumerate(labels)]

    def _z(self, num_images: int, seed: int) -> "Tensor":
        from lsgan.streams import stream
        from lsgan.training.memory import available_bytes

        need = size.Need("z", 4 * num_images * self.latent.dim, f"num_images={num_images}")
        size.expect_room([need], available_bytes())
        with _enough_memory(num_images):
            return self.latent.sample(num_images, stream(seed, "sample"))

    def _batches(self, z: "Tensor", label: int | None) -> "Iterator[Tensor]":
        for part in z.split(_BATCH):
            yield self._generate(part, None if label is None else part.new_full((len(part),), label).long())

    def _generate(self, z: "Tensor", labels: "Tensor | None") -> "Tensor":
        """z [N, z_dim], and labels [N] of a conditional run, to samples [N, *shape] on the CPU."""
        import torch

        with torch.no_grad():
            inputs = (z,) if labels is None else (z, labels)
            return self.generator(*(part.to(self.device) for part in inputs)).float().cpu()

    def _check(self, num_images: int, label: int | None) -> None:
        check_number(num_images)
        if label is not None and not (self.num_classes and 0 <= label < self.num_classes):
            known = f"must be in [0, {self.num_classes})"
            must = known if self.num_classes else "has no meaning: the run is not conditional"
            raise LsganError(f"label={label} {must}")


def load(
    folder: str | Path,
    checkpoint: str | Path | int | None = None,
    *,
    ema: bool = True,
    device: str = "auto",
    trust: bool = False,
) -> TrainedRun:
    """The generator of a run; documented and called as `lsgan.load`."""
    folder = Path(folder).expanduser()
    settings = config.check(config.load(folder, trust=trust))
    path = find_checkpoint(RunRecord(folder), checkpoint)

    from lsgan.training.checkpoints import load_checkpoint

    machine = _machine(device)
    dataset, latent = config.build(settings, "dataset"), config.build(settings, "latent")
    generator = config.build_networks(settings, dataset, latent).generator
    content = load_checkpoint(path)
    try:
        generator.load_state_dict(content["parts"]["generator_ema" if ema else "generator"])
    except RuntimeError as error:
        raise LsganError(f"{path} does not belong to the run: its networks are others") from error
    num_classes = dataset.num_classes if config.is_conditional(settings.architecture) else None
    return TrainedRun(folder, path, machine.place(generator).eval(), machine.device, dataset, latent, num_classes)


def find_checkpoint(record: RunRecord, name: str | Path | int | None) -> Path:
    """The file that is meant: see `lsgan.load`. Raises LsganError, which lists what there is."""
    if name is None:
        if not record.checkpoints:
            raise LsganError(f"{record.path} holds no checkpoint yet")
        return record.checkpoints[max(record.checkpoints)]
    own = record.path / "checkpoints"
    for path in (Path(str(name)).expanduser(), record.path / str(name), own / str(name), own / f"{name}.pt"):
        if path.is_file():
            return path
    step = re.fullmatch(r"(?:step-)?(\d+)(?:\.pt)?", str(name))
    if step and int(step[1]) in record.checkpoints:
        return record.checkpoints[int(step[1])]
    there = [path.name for path in (*record.checkpoints.values(), record.best) if path is not None]
    listed = ", ".join(["…"] * (len(there) > _LISTED) + there[-_LISTED:]) or "none"
    raise LsganError(f"checkpoint={name} is neither a file nor a checkpoint of {record.path}, which has {listed}")


def check_number(num_images: int) -> None:
    """Raises LsganError if one cannot draw as many."""
    try:
        if operator.index(num_images) < 1:
            raise LsganError(f"num_images={num_images} must be at least 1")
    except TypeError:
        raise LsganError(f"num_images={num_images} must be an integer") from None


@contextmanager
def _enough_memory(num_images: int) -> Iterator[None]:
    from lsgan.training.memory import is_out_of_memory

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise LsganError(
            f"num_images={num_images} are more than the memory holds: draw fewer at once, each time by another seed"
        ) from error


def _machine(device: str) -> "Machine":
    """This machine, not that of the training, in full precision."""
    from lsgan.training.machine import Machine
    from lsgan.training.runtime import Runtime

    try:
        machine = Machine(Runtime(device=device, precision="fp32"))
    except ValueError as error:
        raise LsganError(str(error)) from error
    machine.apply()
    return machine
