"""A trained generator, read from its run folder or from what was exported: what `lsgan.load` gives.

`python -m lsgan.sample` draws from it.
"""

import operator
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lsgan import config
from lsgan.config import Settings, size
from lsgan.errors import LsganError
from lsgan.tracking.run_record import RunRecord

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image
    from torch import Tensor, nn

    from lsgan.data.dataset import Dataset
    from lsgan.latents import Explorable, Latent
    from lsgan.training.machine import Machine

_BATCH = 256  # samples drawn at once
_LISTED = 10  # checkpoints in a message


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run's generator and what it takes to draw from it.

    Args:
        folder: of the run, or of the export.
        checkpoint: whose weights these are.
        step: G updates that they have behind them.
        ema: they are the average of G's weights, not those that were trained themselves.
        settings: the config that the run was made with.
        generator: in evaluation mode, on `device`.
        device: where it runs.
        dataset: what the run was trained on; its images need not be there.
        latent: the distribution of z.
        num_classes: of a conditional run, else None.
    """

    folder: Path
    checkpoint: Path
    step: int
    ema: bool
    settings: Settings
    generator: "nn.Module"
    device: "torch.device"
    dataset: "Dataset"
    latent: "Latent"
    num_classes: int | None

    def sample(
        self, num_images: int = 64, *, seed: int = 0, label: int | None = None, truncation: float | None = None
    ) -> "Tensor":
        """Samples, float32 [num_images, *shape] on the CPU; images are [C, H, W] in [-1, 1].

        Args:
            num_images: how many samples.
            seed: of the noise; the same seed draws the same samples, here and by `python -m lsgan.sample`.
            label: the class, for a conditional run; all in turn if None.
            truncation: no coordinate of z is beyond it (`lsgan.latents`): more usual samples, and fewer kinds of them.

        Raises:
            LsganError: a number below 1, a label that the run does not have, a truncation that z does not, or more
                samples than the memory holds.
        """
        import torch

        parts = self.parts(num_images, seed, label, truncation=truncation)
        with _enough_memory(f"num_images={num_images}"):
            samples = torch.empty(num_images, *self.dataset.shape)
            for i, (_, batches) in enumerate(parts):
                samples[i :: len(parts)] = torch.cat(list(batches))
        return samples

    def interpolation(
        self,
        steps: int = 8,
        pairs: int = 8,
        *,
        seed: int = 0,
        label: int | None = None,
        truncation: float | None = None,
    ) -> "Tensor":
        """Samples on the way from one z to another, float32 [pairs, steps, *shape] on the CPU, both ends included.

        Each z on the way is distributed as those of the training are (`Explorable.between`). Pair i joins the z of the
        samples 2·i and 2·i + 1 with this seed.

        Args:
            steps: samples of each pair, at least 2.
            pairs: of z.
            seed: as for `sample`.
            label: the class of all; of pair i class i, modulo the number of classes, if None.
            truncation: as for `sample`.

        Raises:
            LsganError: as `sample`, or a latent that does not say what lies between two z.
        """
        import torch

        for name, value, least in (("interpolate", steps, 2), ("pairs", pairs, 1)):
            _check_number(name, value, least)
        self._check_label(label)
        told = f"interpolate={steps}, pairs={pairs}"
        self._expect_room_for_z(max(2 * pairs, pairs * steps), told)
        between = self._explorable("interpolate").between
        with _enough_memory(told):
            z = self._z(2 * pairs, seed)
            way = [between(z[0::2], z[1::2], i / (steps - 1)) for i in range(steps)]
            z = self._truncated(torch.stack(way, 1).flatten(0, 1), truncation)  # [pairs · steps, z_dim]
            labels = self._labels_of_pairs(pairs, label)
            labels = None if labels is None else labels.repeat_interleave(steps)
            samples = [
                self._generate(z[i : i + _BATCH], None if labels is None else labels[i : i + _BATCH])
                for i in range(0, len(z), _BATCH)
            ]
            return torch.cat(samples).unflatten(0, (pairs, steps))

    def strip(self, way: "Tensor") -> "Image":
        """What `interpolation` gives as one picture: a pair a row. Raises LsganError for points, which have none."""
        from PIL import Image

        from lsgan.data.pictures import image_grid

        if len(self.dataset.shape) != 3:
            raise LsganError(
                f"interpolate={way.shape[1]}: the run draws points, and a strip shows images: leave interpolate out"
            )
        return Image.fromarray(image_grid(way.flatten(0, 1), columns=way.shape[1]))

    def picture(self, samples: "Tensor") -> "Image":
        """Samples as one picture, as the sample grids of the run; a notebook shows it."""
        from PIL import Image

        return Image.fromarray(self.dataset.picture(samples))

    def grid(
        self, num_images: int = 64, *, seed: int = 0, label: int | None = None, truncation: float | None = None
    ) -> "Image":
        """The picture beside the files of `python -m lsgan.sample`: the first samples; a class a row if conditional."""
        from lsgan.streams import stream

        self._check(num_images, label)
        labels = self.dataset.labels_shown if self.num_classes is not None else None
        if labels is None:
            z = self._z(num_images, seed)[: self.dataset.samples_shown]
            return self.picture(self._generate(self._truncated(z, truncation), None))
        if label is not None:
            labels = labels.new_full((self.dataset.samples_shown,), label)
        z = self.latent.sample(len(labels), stream(seed, "sample"))
        return self.picture(self._generate(self._truncated(z, truncation), labels))

    def parts(
        self, num_images: int, seed: int = 0, label: int | None = None, *, truncation: float | None = None
    ) -> list[tuple[int | None, "Iterator[Tensor]"]]:
        """The samples by label, None without classes: batches [N, *shape], drawn when they are asked for.

        Sample i has label i modulo the number of labels. Raises as `sample`.
        """
        self._check(num_images, label)
        if self.num_classes is None or label is not None:
            labels: list[int | None] = [label]
        else:
            labels = [*range(min(self.num_classes, num_images))]
        self._expect_room_for_z(num_images, f"num_images={num_images}")
        with _enough_memory(f"num_images={num_images}"):
            z = self._truncated(self._z(num_images, seed), truncation)
        return [(label, self._batches(z[i :: len(labels)], label)) for i, label in enumerate(labels)]

    def labelled(self, labels: "Tensor", seed: int = 0) -> "Iterator[Tensor]":
        """Samples of a conditional run that have these labels, int64 [N]: batches [N, *shape]."""
        self._expect_room_for_z(len(labels), f"{len(labels)} labels")
        for z, of_z in zip(self._z(len(labels), seed).split(_BATCH), labels.split(_BATCH), strict=True):
            yield self._generate(z, of_z)

    def _expect_room_for_z(self, num: int, decided_by: str) -> None:
        from lsgan.training.memory import available_bytes

        size.expect_room([size.Need("z", 4 * num * self.latent.dim, decided_by)], available_bytes())

    def _z(self, num: int, seed: int) -> "Tensor":
        from lsgan.streams import stream

        return self.latent.sample(num, stream(seed, "sample"))

    def _truncated(self, z: "Tensor", truncation: float | None) -> "Tensor":
        if truncation is None:
            return z
        try:
            return self._explorable("truncation").truncated(z, truncation)
        except ValueError as error:
            raise LsganError(str(error)) from error

    def _explorable(self, setting: str) -> "Explorable":
        from lsgan.latents import Explorable

        if not isinstance(self.latent, Explorable):
            raise LsganError(
                f"{setting}: {type(self.latent).__name__} does not say how, it has not the methods of "
                "lsgan.latents.Explorable: write them, or leave it out"
            )
        return self.latent

    def _labels_of_pairs(self, pairs: int, label: int | None) -> "Tensor | None":
        import torch

        if self.num_classes is None:
            return None
        return torch.arange(pairs) % self.num_classes if label is None else torch.full((pairs,), label)

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
        self._check_label(label)

    def _check_label(self, label: int | None) -> None:
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
    weights = _weights(RunRecord(folder), checkpoint, ema)
    machine = machine_for(device)
    dataset, latent = config.build(settings, "dataset"), config.build(settings, "latent")
    generator = config.build_networks(settings, dataset, latent).generator
    try:
        generator.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise LsganError(f"{weights.path} does not belong to the run: its networks are others") from error
    return TrainedRun(
        folder=folder,
        checkpoint=weights.path,
        step=weights.step,
        ema=weights.is_average,
        settings=settings,
        generator=machine.place(generator).eval(),
        device=machine.device,
        dataset=dataset,
        latent=latent,
        num_classes=dataset.num_classes if config.is_conditional(settings.architecture) else None,
    )


class _Weights(NamedTuple):
    """Of a generator, and where they come from."""

    path: Path
    step: int
    is_average: bool
    tensors: "dict[str, Tensor]"


def _weights(record: RunRecord, checkpoint: str | Path | int | None, ema: bool) -> _Weights:
    """Of a run's checkpoint, or, where there are none, what was exported of one."""
    if checkpoint is None and record.exported is not None:
        return _exported_weights(record.exported, ema)
    path = find_checkpoint(record, checkpoint)

    from lsgan.training.checkpoints import load_checkpoint

    content = load_checkpoint(path)
    return _Weights(path, content["step"], ema, content["parts"]["generator_ema" if ema else "generator"])


def _exported_weights(path: Path, ema: bool) -> _Weights:
    """Nothing in the file is executed: it holds a header of JSON, and tensors."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise LsganError(f'{path} takes safetensors to be read: python -m pip install "lsgan[export]"') from None
    try:
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
    except (SafetensorError, OSError) as error:
        raise LsganError(f"{path} is damaged ({str(error).splitlines()[0]}): export the run anew") from error
    is_average = told.get("weights") != "raw"
    if is_average and not ema:
        raise LsganError(f"ema=false: {path} holds the average of G's weights alone: take it out")
    step = told.get("step", "")
    return _Weights(path, int(step) if step.isdecimal() else 0, is_average, tensors)


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
    _check_number("num_images", num_images, 1)


def _check_number(name: str, value: int, at_least: int) -> None:
    try:
        if operator.index(value) < at_least:
            raise LsganError(f"{name}={value} must be at least {at_least}")
    except TypeError:
        raise LsganError(f"{name}={value} must be an integer") from None


@contextmanager
def _enough_memory(told: str) -> Iterator[None]:
    from lsgan.training.memory import is_out_of_memory

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise LsganError(
            f"{told} are more than the memory holds: draw fewer at once, each time by another seed"
        ) from error


def machine_for(device: str) -> "Machine":
    """This machine, not that of the training, in full precision."""
    from lsgan.training.machine import Machine
    from lsgan.training.runtime import Runtime

    try:
        machine = Machine(Runtime(device=device, precision="fp32"))
    except ValueError as error:
        raise LsganError(str(error)) from error
    machine.apply()
    return machine
