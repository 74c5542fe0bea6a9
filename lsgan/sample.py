"""Draw samples from a trained generator.

    python -m lsgan.sample run=<run folder> [key=value …]

    run          the run folder, <runs_dir>/<study>/<run>
    num_images   how many samples                                    (64)
    seed         of the noise                                        (0)
    ema          use the average of G's weights, as the grids do     (true)
    checkpoint   a file in <run>/checkpoints; the newest if not given
    out          where to write; <run>/generated/<checkpoint>-seed<seed> if not given

Writes one PNG a sample (a CSV file for points) and grid.png.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from omegaconf import MISSING, OmegaConf

from lsgan import command, config
from lsgan.errors import LsganError
from lsgan.instantiate import typed


@dataclass
class SampleSettings:
    """What the command line may say."""

    run: Path = MISSING
    num_images: int = 64
    seed: int = 0
    ema: bool = True
    checkpoint: Path | None = None
    out: Path | None = None


def main() -> None:
    """Reads the command line and writes the samples."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    wanted: SampleSettings = typed(SampleSettings, OmegaConf.from_cli())
    if wanted.num_images < 1:
        raise LsganError(f"num_images={wanted.num_images} must be at least 1")
    settings = config.check(config.load(wanted.run))

    import torch
    from PIL import Image
    from torch import Tensor

    from lsgan.streams import stream
    from lsgan.training.runtime import Runtime
    from lsgan.training.state import latest_checkpoint, load_checkpoint

    checkpoint = wanted.checkpoint or latest_checkpoint(wanted.run / "checkpoints")
    if checkpoint is None:
        raise LsganError(f"{wanted.run} holds no checkpoint yet")
    dataset, latent = config.build(settings, "dataset"), config.build(settings, "latent")
    runtime = Runtime()  # the device of this machine, not that of the training
    generator = config.build_networks(settings, dataset, latent).generator
    content = load_checkpoint(checkpoint)
    try:
        generator.load_state_dict(content["generator_ema" if wanted.ema else "generator"])
    except RuntimeError as error:
        raise LsganError(f"{checkpoint} does not belong to {wanted.run}: its networks are others") from error
    generator = runtime.place(generator).eval()
    z = latent.sample(wanted.num_images, stream(wanted.seed, "sample"))

    @torch.no_grad()
    def samples() -> Iterator[Tensor]:
        for part in z.split(dataset.samples_shown):
            yield generator(part.to(runtime.torch_device)).cpu()

    weights = "" if wanted.ema else "-without-ema"
    out = wanted.out or wanted.run / "generated" / f"{checkpoint.stem}{weights}-seed{wanted.seed}"
    out.mkdir(parents=True, exist_ok=True)
    parts = samples()
    first = next(parts)
    Image.fromarray(dataset.picture(first)).save(out / "grid.png")
    dataset.save(chain([first], parts), out)
    print(f"{wanted.num_images} samples of {checkpoint} in {out}, see {out / 'grid.png'}")


if __name__ == "__main__":
    command.run(main)
