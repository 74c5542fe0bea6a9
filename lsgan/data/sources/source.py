"""Where images come from before they are packed: a sequence that is read once, in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from PIL import Image

from lsgan.data.sources.splits import Splits


class Item(NamedTuple):
    """One image that has not been decoded yet.

    Args:
        name: how messages call it.
        load: opens or decodes it; called once, from any thread; raises whatever the decoder raises.
        label: in [0, number of classes), or None in a source without classes.
    """

    name: str
    load: Callable[[], Image.Image]
    label: int | None = None


class Source(Protocol):
    """Images to pack. The order never changes, so that an interrupted packing can go on.

    One that passes over files has a `left_out` too: their names by kind, as `kinds.Files` has them.
    """

    @property
    def num_items(self) -> int | None:
        """How many items there are, unreadable ones included; None if only reading tells."""
        ...

    @property
    def classes(self) -> Sequence[str] | None:
        """The name of each label; None if there are none."""
        ...

    def items(self) -> Iterator[Item]:
        """Every item. Memory stays small whatever their number."""
        ...


class Reading(NamedTuple):
    """How a place of the user's was understood; store.json keeps it.

    Args:
        told: what was taken for classes, for people: `the 2 folders cat, dog`, `none (…why)`.
        splits: those that it has, and those that are taken.
    """

    told: str
    splits: Splits = Splits()


class FoundSource(Source, Protocol):
    """Images in a place of the user's, which had to be understood."""

    @property
    def reading(self) -> Reading: ...
