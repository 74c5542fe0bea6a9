"""Memorisation, to look at: samples beside the training images nearest to them, and how near these are."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lsgan.config import Settings
from lsgan.data.pictures import Picture, image_grid
from lsgan.errors import LsganError
from lsgan.evaluate.judge import Judge
from lsgan.evaluation.features import features_of
from lsgan.evaluation.label import SHOWN
from lsgan.evaluation.neighbours import nearest
from lsgan.files import write_atomically
from lsgan.trained import TrainedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NEAREST = 5  # images beside each sample
_SIDE = 64  # pixels of an image in the sheet, at least half of them
_OF_DISTANCES = 1_000  # samples whose distances are drawn, at least 2


def write_sheet(judge: Judge, run: TrainedRun, settings: Settings, num: int) -> str:
    """<run>/evaluation/neighbours-….png, a row a sample: it, and its nearest training images, the nearest first.

    Beside it distances-….png: how far samples are from the nearest training image, and how far a training image is
    from the nearest other one. Samples that are much nearer than those have been learnt by heart.

    Returns what was written, for people.

    Raises:
        LsganError: the run has points, there are too few real images, or the folder cannot be written.
    """
    if len(run.dataset.shape) != 3:
        raise LsganError(f"neighbours={num} draws images, and the samples of {run.folder} are points: leave it out")
    real, samples, there = judge.training(run, settings)
    drawn = run.sample(max(num, _OF_DISTANCES), seed=judge.seeds[0])
    fake = features_of(judge.extractor, drawn.split(256)).features
    distances, indices = nearest(fake, real.features, _NEAREST)
    others, _ = nearest(real.features[:_OF_DISTANCES], real.features, 2)  # the nearest one is the image itself
    images = _picked(samples, indices[:num].flatten())
    rows = torch.cat([drawn[:num, None], images.unflatten(0, (num, _NEAREST))], dim=1)
    weights = "average" if run.ema else "raw"
    name = f"{judge.extractor.name}-{judge.extractor.digest[:SHOWN]}-{run.checkpoint.stem}-{weights}.png"
    folder = run.folder / "evaluation"
    try:
        folder.mkdir(exist_ok=True)
        _save(image_grid(_enlarged(rows.flatten(0, 1)), columns=1 + _NEAREST), folder / f"neighbours-{name}")
        _draw({"generated": distances[:, 0], "training, to another": others[:, 1]}, folder / f"distances-{name}")
    except OSError as error:
        raise LsganError(f"{folder} cannot be written ({error.strerror or error})") from error
    return f"nearest of {len(real.features):,} of {there:,} training images: {folder / f'neighbours-{name}'}"


def _enlarged(images: Tensor) -> Tensor:
    """Pixels repeated, so that small images [N, C, H, W] can be told apart by eye."""
    times = max(1, _SIDE // images.shape[-1])
    return images.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)


def _picked(batches: Iterable[Tensor], indices: Tensor) -> Tensor:
    """The samples of these numbers [K], out of batches that are read once."""
    found: dict[int, Tensor] = {}
    wanted, start = set(indices.tolist()), 0
    for batch in batches:
        found |= {start + i: batch[i] for i in range(len(batch)) if start + i in wanted}
        start += len(batch)
    return torch.stack([found[index] for index in indices.tolist()])


def _save(pixels: Picture, path: Path) -> None:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    write_atomically(path, content.getvalue())


def _draw(distances: dict[str, Tensor], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=(6.4, 3.6), dpi=120, layout="constrained"))
    axes: Axes = canvas.figure.subplots()
    limit = max(float(values.max()) for values in distances.values())
    for title, values in distances.items():
        axes.hist(values.numpy(), bins=50, range=(0, limit), density=True, histtype="step", label=title)
    axes.set(xlabel="distance to the nearest training image, in feature space", ylabel="density", xlim=(0, limit))
    axes.legend(frameon=False)
    canvas.draw()
    _save(np.asarray(canvas.buffer_rgba())[..., :3].copy(), path)
