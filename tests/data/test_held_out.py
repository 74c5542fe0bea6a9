import math
import re
from itertools import pairwise

import pytest
import torch

from lsgan.data.held_out import check_held_out, expect_reals, number_held_out, sides
from lsgan.errors import LsganError


def test_the_sides_are_disjoint_and_complete():
    for num_held_out in (0, 1, 30, 99):
        training, held_out = sides(100, num_held_out)
        assert (len(training), len(held_out)) == (100 - num_held_out, num_held_out)
        assert sorted([*training.tolist(), *held_out.tolist()]) == list(range(100))


def test_more_contain_what_fewer_hold_out():
    numbers = [set(sides(1797, num).held_out.tolist()) for num in (1, 18, 180, 1796)]
    assert [len(each) for each in numbers] == [1, 18, 180, 1796]
    assert all(fewer < more for fewer, more in pairwise(numbers))


def test_they_are_a_function_of_the_number_of_images():
    """Written down when this was made: another answer would train runs that go on, on what they are judged by."""
    torch.manual_seed(5)
    assert sides(10, 4).held_out.tolist() == [4, 6, 8, 3]
    assert sides(11, 4).held_out.tolist() == [9, 0, 7, 6]


def test_they_are_spread_over_the_images():
    """A folder is in the order of its classes: of each tenth of it a tenth is held out, give or take chance."""
    tenths = (sides(10_000, 1000).held_out // 1000).bincount(minlength=10)
    assert (tenths - 100).abs().max() < 35  # 3.7 standard deviations of a hypergeometric count: 9.5


@pytest.mark.parametrize(
    ("held_out", "number"),
    [(0, 0), (0.0, 0), (0.1, 180), (0.5, 898), (0.0003, 1), (0.9994, 1796), (1, 1), (1.0, 1), (200, 200), (200.0, 200)],
)
def test_a_share_or_a_number(held_out, number):
    check_held_out(held_out)
    assert number_held_out(held_out, 1797) == number


@pytest.mark.parametrize("held_out", [-1, -0.1, 1.5, 200.5, math.inf, math.nan])
def test_what_is_neither(held_out):
    rule = "must be a share of the images that is below 1, or a whole number of them"
    with pytest.raises(ValueError, match=rf"^{re.escape(f'held_out={held_out}')} {rule}$"):
        check_held_out(held_out)


def test_something_is_held_out_and_something_is_left():
    with pytest.raises(LsganError) as caught:
        number_held_out(0.0001, 1797)
    assert str(caught.value) == (
        "dataset.held_out=0.0001 of 1,797 images holds out none: set a larger share, a number such as "
        "dataset.held_out=1, or 0"
    )
    for held_out, told in ((1797.0, "1797"), (1_246_991, "1246991"), (0.9999, "0.9999")):
        with pytest.raises(LsganError) as caught:
            number_held_out(held_out, 1797)
        assert str(caught.value) == (
            f"dataset.held_out={told} of 1,797 images leaves none to train on: hold out 1,796 at most"
        )


def test_more_real_images_than_there_are():
    expect_reals(None, 5, held_out=False)
    expect_reals(5, 5, held_out=True)
    for held_out, side in ((False, "trained on"), (True, "held out")):
        with pytest.raises(LsganError, match=rf"^6 real images are asked for, and 5 are {side}: ask for 5 at most$"):
            expect_reals(6, 5, held_out=held_out)
    for num in (None, 6):
        with pytest.raises(LsganError, match=r"^no image is held out of this training: dataset.held_out=0.1 holds out"):
            expect_reals(num, 0, held_out=True)
