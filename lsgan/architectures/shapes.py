"""Which samples a family of networks makes: what its module's `SHAPES` says.

No torch here: the config reads `SHAPES` from a module's source, and tells a resolution that does not fit at once.
"""

from dataclasses import dataclass
from typing import Protocol

Shape = tuple[int, ...]  # of one sample: (channels, resolution, resolution), or (dimensions,)


class Shapes(Protocol):
    """The samples that a family makes."""

    def expect(self, name: str, shape: Shape) -> None:
        """Raises ValueError where it does not make samples of this shape; `name` is the family's."""
        ...


class Points:
    """Points of any dimension."""

    def expect(self, name: str, shape: Shape) -> None:
        if len(shape) != 1:
            raise ValueError(f"{name} makes points, but the data set holds images of shape {shape}: use dcgan")


@dataclass(frozen=True)
class Resolution:
    """Images of one resolution."""

    side: int

    def expect(self, name: str, shape: Shape) -> None:
        _expect_images(name, shape)
        if shape[1] != self.side:
            raise ValueError(f"{name} cannot make resolution {shape[1]}: it must be {self.side} (dcgan makes others)")


class Doublings:
    """Images of a resolution base·2^k, k ≥ 1, for one of the bases."""

    def __init__(self, *bases: int) -> None:
        self._bases = bases

    def expect(self, name: str, shape: Shape) -> None:
        _expect_images(name, shape)
        try:
            self.base_and_doublings(shape[1])
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None

    def base_and_doublings(self, resolution: int) -> tuple[int, int]:
        """(base, k) of a resolution base·2^k. Raises ValueError if it is none."""
        for base in self._bases:
            quotient, remainder = divmod(resolution, base)
            if remainder == 0 and quotient >= 2 and quotient & (quotient - 1) == 0:
                return base, quotient.bit_length() - 1
        rule = " or ".join(f"{base}·2^k" for base in self._bases)
        examples = sorted(base * 2**k for base in self._bases for k in range(1, 6))
        raise ValueError(f"cannot make resolution {resolution}: it must be {rule} ({', '.join(map(str, examples))}, …)")


def _expect_images(name: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise ValueError(f"{name} makes square images, but the data set holds points of shape {shape}: use mlp")
