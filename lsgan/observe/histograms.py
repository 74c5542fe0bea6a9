"""How D's logits are distributed."""

from typing import TYPE_CHECKING

from lsgan.observe.observer import Finding, Observer, View

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor


class Histograms(Observer):
    """D's logits of the last batch, of all ranks.

    Args:
        every: steps.
    """

    on_all_ranks = True

    def __init__(self, every: int) -> None:
        self.every = every

    def see(self, view: View) -> Finding:
        real, fake = view.gather(view.seen.real_logits), view.gather(view.seen.fake_logits)
        return Finding(histograms={"logits/real": _values(real), "logits/fake": _values(fake)})


def _values(logits: "Tensor") -> "npt.NDArray[np.float32]":
    return logits.float().flatten().cpu().numpy()
