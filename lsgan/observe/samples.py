"""What people look at: pictures of samples, and of real ones to compare them with."""

from lsgan.observe.observer import Finding, Observer, View


class Samples(Observer):
    """Samples of G's average from the same z throughout a run, and once the real ones.

    Args:
        every: steps.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def begin(self, view: View) -> Finding:
        """The real samples."""
        return Finding(pictures={"real": view.dataset.real_picture(view.shown_reals())})

    def see(self, view: View) -> Finding:
        return Finding(pictures={"samples": view.dataset.picture(view.shown_fakes())})
