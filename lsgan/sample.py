"""Draw samples from a trained generator.

    python -m lsgan.sample run=<run folder> [key=value …]

    run          the run folder, <runs_dir>/<study>/<run>
    num_images   how many samples                                    (64)
    seed         of the noise                                        (0)
    ema          use the average of G's weights, as the grids do     (true)
    checkpoint   a file in <run>/checkpoints; the newest if not given
    label        the class to draw, for a conditional run; all in turn if not given
    out          where to write; <run>/generated/<checkpoint>-seed<seed>[-label<label>] if not given
    trust        let the run's config build what is neither lsgan's nor PyTorch's  (false)

Writes one PNG a sample (a CSV file for points) and grid.png. A conditional run's samples lie in a folder for each
label, and its grid has a class a row.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import MISSING, OmegaConf

from lsgan import command, config
from lsgan.config import size
from lsgan.config.components import typed
from lsgan.errors import LsganError
from lsgan.tracking.run_record import RunRecord

if TYPE_CHECKING:
    from torch import Tensor

    from lsgan.data.dataset import Dataset
    from lsgan.latents import Latent

    Generate = Callable[[Tensor, Tensor | int | None], Tensor]

_BATCH = 256  # samples drawn at once


@dataclass
class SampleSettings:
    """What the command line may say."""

    run: Path = MISSING
    num_images: int = 64
    seed: int = 0
    ema: bool = True
    checkpoint: Path | None = None
    label: int | None = None
    out: Path | None = None
    trust: bool = False


def main() -> None:
    """Reads the command line and writes the samples."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    wanted: SampleSettings = typed(
        SampleSettings, OmegaConf.from_cli([word if "=" in word else f"{word}=???" for word in sys.argv[1:]])
    )
    wanted.run = wanted.run.expanduser()
    if wanted.num_images < 1:
        raise LsganError(f"num_images={wanted.num_images} must be at least 1")
    settings = config.check(config.load(wanted.run, trust=wanted.trust))
    checkpoints = RunRecord(wanted.run).checkpoints

    from PIL import Image

    from lsgan.streams import stream
    from lsgan.training.memory import available_bytes

    checkpoint = wanted.checkpoint or checkpoints.get(max(checkpoints, default=-1))
    if checkpoint is None:
        raise LsganError(f"{wanted.run} holds no checkpoint yet")
    dataset, latent = config.build(settings, "dataset"), config.build(settings, "latent")
    num_classes = dataset.num_classes if config.is_conditional(settings.architecture) else None
    if wanted.label is not None and not (num_classes and 0 <= wanted.label < num_classes):
        known = f"must be in [0, {num_classes})" if num_classes else "has no meaning: the run is not conditional"
        raise LsganError(f"label={wanted.label} {known}")
    generate = _load_generator(settings, dataset, latent, checkpoint, wanted.ema)
    need = size.Need("z", 4 * wanted.num_images * latent.dim, f"num_images={wanted.num_images}")
    size.expect_room([need], available_bytes())
    z = latent.sample(wanted.num_images, stream(wanted.seed, "sample"))

    weights = "" if wanted.ema else "-without-ema"
    only = "" if wanted.label is None else f"-label{wanted.label}"
    out = wanted.out or wanted.run / "generated" / f"{checkpoint.stem}{weights}-seed{wanted.seed}{only}"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LsganError(f"out={out} cannot be written ({error.strerror}): name another folder") from error
    if num_classes is None:
        shown = generate(z[: dataset.samples_shown], None)
        dataset.save((generate(part, None) for part in z.split(_BATCH)), out)
    else:
        labels = [wanted.label] if wanted.label is not None else range(min(num_classes, wanted.num_images))
        shown = _class_rows(generate, dataset, latent, wanted)
        for i, label in enumerate(labels):
            folder = out / str(label)
            folder.mkdir(exist_ok=True)
            dataset.save((generate(part, label) for part in z[i :: len(labels)].split(_BATCH)), folder)
    Image.fromarray(dataset.picture(shown)).save(out / "grid.png")
    print(f"{wanted.num_images} samples of {checkpoint} in {out}, see {out / 'grid.png'}")


def _load_generator(
    settings: config.Settings, dataset: "Dataset", latent: "Latent", checkpoint: Path, ema: bool
) -> "Generate":
    """A function from z [N, z_dim], and labels [N] or one for all, to samples [N, *shape] on the CPU."""
    import torch

    from lsgan.training.checkpoints import load_checkpoint
    from lsgan.training.machine import Machine
    from lsgan.training.runtime import Runtime

    machine = Machine(Runtime(precision="fp32"))  # the device of this machine, not that of the training
    machine.apply()
    generator = config.build_networks(settings, dataset, latent).generator
    content = load_checkpoint(checkpoint)
    try:
        generator.load_state_dict(content["parts"]["generator_ema" if ema else "generator"])
    except RuntimeError as error:
        raise LsganError(f"{checkpoint} does not belong to the run: its networks are others") from error
    generator = machine.place(generator).eval()

    @torch.no_grad()
    def generate(z: torch.Tensor, labels: torch.Tensor | int | None) -> torch.Tensor:
        if isinstance(labels, int):
            labels = torch.full((len(z),), labels)
        inputs = (z,) if labels is None else (z, labels)
        return generator(*(part.to(machine.device) for part in inputs)).cpu()

    return generate


def _class_rows(
    generate: "Generate",
    dataset: "Dataset",
    latent: "Latent",
    wanted: SampleSettings,
) -> "Tensor":
    """Samples for a picture with a class a row, or of the one class that is wanted."""
    from lsgan.streams import stream

    labels = dataset.labels_shown
    assert labels is not None  # the run is conditional
    if wanted.label is not None:
        labels = labels.new_full((dataset.samples_shown,), wanted.label)
    return generate(latent.sample(len(labels), stream(wanted.seed, "sample")), labels)


if __name__ == "__main__":
    command.run(main)
