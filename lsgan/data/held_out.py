"""Images that training never sees: how many, and which. A function of the number of images, and of nothing else.

Every run on the same images holds out the same ones, whatever its seed, so that runs compare; of two runs the one that
holds out more holds out all that the other does. They are drawn at random, without regard to classes: a set without
labels has its random sample by the same rule, and a class is missed by no more than chance does.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lsgan.errors import LsganError
from lsgan.streams import stream


class Sides(NamedTuple):
    """The numbers of the images on either side, int64, in an order of their own: the first n are a random sample."""

    training: Tensor
    held_out: Tensor


def sides(num_images: int, num_held_out: int) -> Sides:
    """Which of the images are held out, and which are not."""
    order = torch.randperm(num_images, generator=stream(0, "held out"))
    return Sides(order[num_held_out:], order[:num_held_out])


def check_held_out(held_out: float) -> None:
    """Raises ValueError unless it is a share in [0, 1), or a whole number of images."""
    if not 0 <= held_out < math.inf or (held_out >= 1 and held_out != int(held_out)):
        raise ValueError(
            f"held_out={_told(held_out)} must be a share of the images that is below 1, or a whole number of them"
        )


def number_held_out(held_out: float, num_images: int) -> int:
    """How many of the images are held out, of a share (below 1, rounded) or a number.

    Raises:
        LsganError: none are, though some should be, or none are left to train on.
    """
    num = round(held_out * num_images) if held_out < 1 else int(held_out)
    given = f"dataset.held_out={_told(held_out)} of {num_images:,} images"
    if held_out > 0 and num == 0:
        raise LsganError(f"{given} holds out none: set a larger share, a number such as dataset.held_out=1, or 0")
    if num >= num_images:
        raise LsganError(f"{given} leaves none to train on: hold out {num_images - 1:,} at most")
    return num


def expect_reals(num: int | None, there: int, *, held_out: bool) -> None:
    """Raises LsganError if a side of the images, with as many as are `there`, does not have `num` of them."""
    if held_out and there == 0:
        raise LsganError("no image is held out of this training: dataset.held_out=0.1 holds out a tenth in another run")
    if num is not None and num > there:
        side = "held out" if held_out else "trained on"
        raise LsganError(f"{num:,} real images are asked for, and {there:,} are {side}: ask for {there:,} at most")


def _told(held_out: float) -> str:
    return f"{held_out:.15g}"
