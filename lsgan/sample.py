"""Draw samples from a trained generator.

    python -m lsgan.sample run=<run folder> [key=value …]

    run          the run folder, <runs_dir>/<study>/<run>, or one that lsgan.export has written
    num_images   how many samples                                    (64)
    seed         of the noise                                        (0)
    ema          use the average of G's weights, as the grids do     (true)
    checkpoint   a file, or one of the run's own: best, step-000060.pt or just 60; the newest if not given
    label        the class to draw, for a conditional run; all in turn if not given
    truncation   no coordinate of z is beyond it: 0.7, for example, draws more usual samples and fewer kinds of them
    interpolate  in place of the samples, so many on the way from one z to another: a strip for each pair of z
    pairs        with interpolate: how many pairs                    (8)
    film         gif or mp4: with interpolate, the strips as a film, too; without, a film of the training: the sample
                 grids that the run has drawn, of the same z each time
    fps          with film: frames a second                          (8)
    out          the folder, replaced if it holds samples;
                 <run>/generated/<checkpoint>-seed<seed>[-label<label>][-truncation<…>][-interpolation] if not given,
                 <run>/generated/training for a film of the training
    trust        let the run's config build what is neither lsgan's nor PyTorch's  (false)

Writes one PNG a sample (a CSV file for points) and grid.png; interpolation.png; or training.png, the last grid. A
conditional run's samples lie in a folder for each label, and its grid has a class a row; of strips each has its class.
The folder appears whole, and holds what the last command made. From Python: lsgan.load(run).sample(64).
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import MISSING, OmegaConf

from lsgan import arguments, command, trained
from lsgan.config.components import typed
from lsgan.errors import LsganError
from lsgan.replacing import Output, replaced
from lsgan.tracking.run_record import RunRecord

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

_SOFTWARE = "lsgan.sample"  # told in the picture that stands for the whole
_PICTURES = ("grid.png", "interpolation.png", "training.png")
_MOST_FRAMES = 500  # of a film of the training: all of them are in memory for a while
_OURS = Output(
    command=_SOFTWARE,
    what="samples",
    names=re.compile(r"\d{6,}\.png|points\.csv|(grid|interpolation|training)\.png|(interpolation|training)\.(gif|mp4)"),
    inner=re.compile(r"\d+"),
    is_marked=lambda out: any(_is_made_by_us(out / name) for name in _PICTURES),
)


@dataclass
class SampleSettings:
    """What the command line may say."""

    run: Path = MISSING
    num_images: int = 64
    seed: int = 0
    ema: bool = True
    checkpoint: str | None = None
    label: int | None = None
    truncation: float | None = None
    interpolate: int | None = None
    pairs: int = 8
    film: str | None = None
    fps: float = 8
    out: Path | None = None
    trust: bool = False


def main() -> None:
    """Reads the command line and writes the samples."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    wanted = _wanted(sys.argv[1:])
    if wanted.film is not None:
        from lsgan import film

        film.check(wanted.film, wanted.fps)
    if wanted.interpolate is not None:
        _write_interpolation(wanted)
    elif wanted.film is not None:
        _write_training(wanted)
    else:
        _write_samples(wanted)


def _write_samples(wanted: SampleSettings) -> None:
    trained.check_number(wanted.num_images)
    run = trained.load(wanted.run, wanted.checkpoint, ema=wanted.ema, trust=wanted.trust)
    parts = run.parts(wanted.num_images, wanted.seed, wanted.label, truncation=wanted.truncation)
    out = _place(run.folder, _name(run, wanted), wanted)
    told = f"{wanted.num_images} samples of {run.checkpoint}"
    with replaced(out) as folder:
        for label, batches in parts:
            part = folder if label is None else folder / str(label)
            part.mkdir(exist_ok=True)
            run.dataset.save(batches, part)
        grid = run.grid(wanted.num_images, seed=wanted.seed, label=wanted.label, truncation=wanted.truncation)
        _save(grid, folder / "grid.png", f"{told}, {_told(wanted)}")
    print(f"{told} in {out}, see {out / 'grid.png'}")


def _write_interpolation(wanted: SampleSettings) -> None:
    """A strip, and if a film is wanted the same there and back, so that it has no jump where it begins again."""
    from lsgan import film

    steps = wanted.interpolate or 0
    run = trained.load(wanted.run, wanted.checkpoint, ema=wanted.ema, trust=wanted.trust)
    out = _place(run.folder, f"{_name(run, wanted)}-interpolation", wanted)
    way = run.interpolation(
        steps, wanted.pairs, seed=wanted.seed, label=wanted.label, truncation=wanted.truncation
    )  # [pairs, steps, *shape]
    strip = run.strip(way)
    told = f"{wanted.pairs} × {steps} samples between pairs of z, of {run.checkpoint}"
    with replaced(out) as folder:
        _save(strip, folder / "interpolation.png", f"{told}, {_told(wanted)}")
        if wanted.film is not None:
            frames = [run.picture(way[:, i]) for i in (*range(steps), *range(steps - 2, 0, -1))]
            film.write(folder / f"interpolation.{wanted.film}", frames, wanted.fps)
    print(f"{told} in {out}, see {out / 'interpolation.png'}{_film_told(out, 'interpolation', wanted)}")


def _write_training(wanted: SampleSettings) -> None:
    """A film of the run's sample grids; neither its weights nor its data are needed."""
    from lsgan import film

    run = wanted.run.expanduser()
    drawn = RunRecord(run).pictures
    if not drawn:
        raise LsganError(f"film={wanted.film}: {run} holds no sample grids, samples/<step>.jpg, to make a film of")
    pictures = _spread(drawn, _MOST_FRAMES)
    out = _place(run, "training", wanted)
    frames = [film.captioned(picture, f"step {step:,}") for step, picture in _opened(pictures)]
    if not frames:
        raise LsganError(f"film={wanted.film}: none of the {len(pictures)} sample grids of {run} can be read")
    of = "" if len(pictures) == len(drawn) else f" of the {len(drawn):,}"
    steps = f"steps {min(pictures):,} to {max(pictures):,}" if len(pictures) > 1 else f"step {min(pictures):,}"
    told = f"{len(frames)}{of} sample grid{'s' if len(drawn) > 1 else ''} of {run}, {steps},"
    with replaced(out) as folder:
        _save(frames[-1], folder / "training.png", told)
        film.write(folder / f"training.{wanted.film}", frames, wanted.fps, film.LAST_SECONDS)
    print(f"{told} in {out}{_film_told(out, 'training', wanted)}")


def _spread(pictures: dict[int, Path], most: int) -> dict[int, Path]:
    """So many of them at most, spread evenly over all, the first and the last among them."""
    steps, num = list(pictures), min(most, len(pictures))
    return {step: pictures[step] for step in (steps[i * (len(steps) - 1) // max(num - 1, 1)] for i in range(num))}


def _opened(pictures: dict[int, Path]) -> "Iterator[tuple[int, Image]]":
    """Those that can be read: a run may be going on, or have been killed."""
    from PIL import Image

    for step, path in pictures.items():
        try:
            with Image.open(path) as picture:
                yield step, picture.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            print(f"warning: {path} cannot be read ({error}): the film goes on without it", file=sys.stderr)


def _film_told(out: Path, name: str, wanted: SampleSettings) -> str:
    return "" if wanted.film is None else f", and {out / f'{name}.{wanted.film}'}"


def _wanted(words: list[str]) -> SampleSettings:
    """The command line."""
    given = arguments.texts(words)
    wanted: SampleSettings = typed(SampleSettings, OmegaConf.create(given))
    for key, sentence in _meaningless(wanted).items():
        if key in given:
            raise LsganError(f"{key}={given[key]} {sentence}")
    return wanted


def _meaningless(wanted: SampleSettings) -> dict[str, str]:
    """What says nothing beside the rest of the command line, and why."""
    if wanted.interpolate is not None:
        found = {"num_images": "says nothing beside interpolate=: pairs= says how many strips there are"}
    elif wanted.film is not None:
        of_weights = ("num_images", "seed", "ema", "checkpoint", "label", "truncation", "pairs", "trust")
        found = dict.fromkeys(of_weights, "says nothing to a film of the training: take it out, or add interpolate=")
    else:
        found = {"pairs": "says nothing without interpolate=<steps>: add that, or take it out"}
    if wanted.film is None:
        found["fps"] = "says nothing without film=gif or film=mp4: add one, or take it out"
    return found


def _name(run: trained.TrainedRun, wanted: SampleSettings) -> str:
    weights = "" if wanted.ema else "-without-ema"
    only = "" if wanted.label is None else f"-label{wanted.label}"
    truncation = "" if wanted.truncation is None else f"-truncation{wanted.truncation:g}"
    return f"{run.checkpoint.stem}{weights}-seed{wanted.seed}{only}{truncation}"


def _place(run: Path, name: str, wanted: SampleSettings) -> Path:
    """The folder that is written, which holds nothing that others need."""
    out = wanted.out.expanduser() if wanted.out else run / "generated" / name
    _OURS.check(out, is_ours=wanted.out is None)
    return out


def _told(wanted: SampleSettings) -> str:
    return f"seed {wanted.seed}" + ("" if wanted.truncation is None else f", truncation {wanted.truncation:g}")


def _save(picture: "Image", path: Path, description: str) -> None:
    picture.save(path, pnginfo=_made_by_us(description))


def _made_by_us(description: str) -> "PngInfo":
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", _SOFTWARE)
    info.add_itxt("Description", description.encode(errors="backslashreplace").decode())
    return info


def _is_made_by_us(picture: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(picture) as image:
            return image.info.get("Software") == _SOFTWARE
    except (OSError, SyntaxError, ValueError):  # no picture, or none of ours
        return False


if __name__ == "__main__":
    command.run(main)
