"""What people look at: samples drawn as one picture, or written one by one."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

Picture = npt.NDArray[np.uint8]

COLUMNS = 8  # of a grid


def to_uint8(samples: Tensor) -> Picture:
    """Images [N, C, H, W] in [-1, 1] -> uint8 [N, H, W, C]; values beyond the range are clipped."""
    pixels = (samples.float() + 1) * 127.5
    return pixels.round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()


def image_grid(samples: Tensor, columns: int = COLUMNS) -> Picture:
    """Images [N, C, H, W] in [-1, 1] -> one picture, uint8 [H, W, 3], `columns` images to a row."""
    from torchvision.utils import make_grid

    grid = make_grid(samples.float().clamp(-1, 1).cpu(), nrow=columns, padding=2, pad_value=-1)
    return to_uint8(grid[None])[0]


def scatter(panels: dict[str, Tensor], limit: float) -> Picture:
    """One panel for each title and its points [N, 2], equal axes from -limit to limit: uint8 [H, W, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=(4.5 * len(panels), 4.6), dpi=100, layout="constrained"))
    all_axes = canvas.figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, points) in zip(all_axes, panels.items(), strict=True):
        axes.scatter(*points.float().cpu().numpy().T, s=4, alpha=0.4, linewidths=0)
        axes.set(title=f"{title} ({len(points)} points)", xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_images(batches: Iterable[Tensor], folder: Path) -> None:
    """Batches of images [N, C, H, W] in [-1, 1] as folder/000000.png, 000001.png, …"""
    for i, pixels in enumerate(chain.from_iterable(map(to_uint8, batches))):
        Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(folder / f"{i:06d}.png")
