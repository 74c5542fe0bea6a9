"""Least Squares GANs: train, compare and look at them. Start with `python train.py --help`.

    run = lsgan.load("runs/digits/<run>")
    run.picture(run.sample(64))

draws from a trained run.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsgan.trained import TrainedRun

__version__ = "0.1.0"
__all__ = ["load"]


def load(
    folder: str | Path,
    checkpoint: str | Path | int | None = None,
    *,
    ema: bool = True,
    device: str = "auto",
    trust: bool = False,
) -> "TrainedRun":
    """The trained generator of a run folder, or of one that lsgan.export has written, ready to draw samples.

    Args:
        folder: of the run, <runs_dir>/<study>/<run>, or of the export.
        checkpoint: a file, or one of the run's own by name or step ("best", "step-000060.pt", 60); the newest if None.
        ema: the average of G's weights, as in the run's sample grids; else the weights themselves.
        device: auto (CUDA if there is a GPU), cpu or cuda.
        trust: let the run's config build what is neither lsgan's nor PyTorch's: its code runs.

    Raises:
        lsgan.errors.LsganError: there is no run or no such checkpoint, it is damaged or another run's, or its config is
            unsound.
    """
    from lsgan import trained  # which needs Hydra, and PyTorch

    return trained.load(folder, checkpoint, ema=ema, device=device, trust=trust)
