"""Draw samples from a trained generator.

    python -m lsgan.sample run=<run folder> [key=value …]

    run          the run folder, <runs_dir>/<study>/<run>
    num_images   how many samples                                    (64)
    seed         of the noise                                        (0)
    ema          use the average of G's weights, as the grids do     (true)
    checkpoint   a file, or one of the run's own: best, step-000060.pt or just 60; the newest if not given
    label        the class to draw, for a conditional run; all in turn if not given
    out          the folder, replaced if it holds samples;
                 <run>/generated/<checkpoint>-seed<seed>[-label<label>] if not given
    trust        let the run's config build what is neither lsgan's nor PyTorch's  (false)

Writes one PNG a sample (a CSV file for points) and grid.png. A conditional run's samples lie in a folder for each
label, and its grid has a class a row. The folder appears whole, and holds what the last command made. From Python:
lsgan.load(run).sample(64).
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import MISSING, OmegaConf

from lsgan import command, trained
from lsgan.config.components import typed
from lsgan.errors import LsganError
from lsgan.files import put_in_place

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

_WRITTEN = re.compile(r"\d{6,}\.png|points\.csv|grid\.png|\.lock|\.DS_Store|Thumbs\.db")  # what may be replaced
_SOFTWARE = "lsgan.sample"  # told in grid.png


@dataclass
class SampleSettings:
    """What the command line may say."""

    run: Path = MISSING
    num_images: int = 64
    seed: int = 0
    ema: bool = True
    checkpoint: str | None = None
    label: int | None = None
    out: Path | None = None
    trust: bool = False


def main() -> None:
    """Reads the command line and writes the samples."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    wanted = _wanted(sys.argv[1:])
    trained.check_number(wanted.num_images)
    run = trained.load(wanted.run, wanted.checkpoint, ema=wanted.ema, trust=wanted.trust)
    parts = run.parts(wanted.num_images, wanted.seed, wanted.label)
    out = wanted.out.expanduser() if wanted.out else _default_place(run, wanted)
    _check_place(out, is_ours=wanted.out is None)
    told = f"{wanted.num_images} samples of {run.checkpoint}"
    with _writable(out), put_in_place(out) as folder:
        for label, batches in parts:
            part = folder if label is None else folder / str(label)
            part.mkdir(exist_ok=True)
            run.dataset.save(batches, part)
        grid = run.grid(wanted.num_images, seed=wanted.seed, label=wanted.label)
        grid.save(folder / "grid.png", pnginfo=_made_by_us(f"{told}, seed {wanted.seed}"))
    print(f"{told} in {out}, see {out / 'grid.png'}")


def _wanted(words: list[str]) -> SampleSettings:
    """The command line. Values are text until the settings say what they are: YAML takes 000060 for an octal 48."""
    values = dict((word if "=" in word else f"{word}=???").split("=", 1) for word in words)
    given = {key: value for key, value in values.items() if value not in ("", "null")}
    return typed(SampleSettings, OmegaConf.create(given))


def _default_place(run: trained.TrainedRun, wanted: SampleSettings) -> Path:
    weights = "" if wanted.ema else "-without-ema"
    only = "" if wanted.label is None else f"-label{wanted.label}"
    return run.folder / "generated" / f"{run.checkpoint.stem}{weights}-seed{wanted.seed}{only}"


def _check_place(out: Path, *, is_ours: bool) -> None:
    """The folder will be replaced whole: it must be there for nothing else.

    Args:
        out: the folder, which may not be there.
        is_ours: nobody else has business there.

    Raises:
        LsganError: it is a file, holds what this command does not write, or cannot be replaced.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise LsganError(f"out={out} is a file: name a folder")
    if os.path.ismount(out) or out.resolve() == Path.cwd():
        raise LsganError(f"out={out} cannot be replaced, and samples come as a whole folder: name one in it")
    for entry in sorted(out.iterdir()):
        inner = sorted(entry.iterdir()) if entry.is_dir() and entry.name.isdecimal() else [entry]
        foreign = next((path for path in inner if path.is_dir() or not _WRITTEN.fullmatch(path.name)), None)
        if foreign is not None or not (is_ours or _is_made_by_us(out / "grid.png")):
            raise LsganError(
                f"out={out} holds {(foreign or entry).relative_to(out)}, which lsgan.sample has not written and would "
                "delete: name another folder"
            )


def _made_by_us(description: str) -> "PngInfo":
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", _SOFTWARE)
    info.add_itxt("Description", description.encode(errors="backslashreplace").decode())
    return info


def _is_made_by_us(grid: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(grid) as image:
            return image.info.get("Software") == _SOFTWARE
    except (OSError, SyntaxError, ValueError):  # no picture, or none of ours
        return False


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LsganError(
            f"out={out} cannot be written ({error.strerror or error}), what was there stays: name another folder"
        ) from error


if __name__ == "__main__":
    command.run(main)
