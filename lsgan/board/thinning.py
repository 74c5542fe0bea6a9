"""Fewer of many, evenly."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly(items: Sequence[T], num: int) -> list[T]:
    """At most `num` of the items in their order, evenly spaced; the first and the last are among them.

    Args:
        items: any number of them.
        num: 2 or more.
    """
    if len(items) <= num:
        return list(items)
    return [items[round(i * (len(items) - 1) / (num - 1))] for i in range(num)]
