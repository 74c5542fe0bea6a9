"""Fewer of many."""

import pytest

from lsgan.board.thinning import evenly


@pytest.mark.parametrize(
    ("num", "kept"),
    [(2, [0, 10]), (3, [0, 5, 10]), (6, [0, 2, 4, 6, 8, 10]), (11, list(range(11))), (99, list(range(11)))],
)
def test_the_first_and_the_last_stay_and_the_rest_is_even(num, kept):
    assert evenly(range(11), num) == kept


def test_of_nothing_nothing_is_kept():
    assert evenly([], 2) == []
