"""A view for the observers of D's outputs: what it would have said is given."""

import torch

from lsgan.losses import LeastSquares
from lsgan.observe.observer import JudgedFakes


class View:
    """D's outputs on training images, held-out ones and fakes are a linear ramp each, about the given means."""

    step, is_last = 4, False

    def __init__(self, training=0.5, held_out=0.25, fake=-0.5, norms=None, num=64, num_held_out=32, loss=None):
        self.means, self.fake, self.norms = {False: training, True: held_out}, fake, norms
        self.num = {False: num, True: num_held_out}
        self.loss = loss or LeastSquares(a=-1, b=1, c=0)

    def num_reals(self, held_out=False):
        return self.num[held_out]

    def judged_reals(self, num, *, held_out=False):
        assert self.num[held_out] is None or num <= self.num[held_out]
        return ramp(self.means[held_out], num)

    def judged_fakes(self, num):
        norms = torch.linspace(1, 3, num) if self.norms is None else torch.as_tensor(self.norms)
        return JudgedFakes(ramp(self.fake, num), norms)


def ramp(mean, num):
    """From mean - 1 to mean + 1."""
    return mean + torch.linspace(-1, 1, num)
