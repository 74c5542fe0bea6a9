"""What the command line of python -m lsgan.theory may say, checked before anything is drawn."""

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lsgan import arguments
from lsgan.config.components import did_you_mean
from lsgan.errors import LsganError
from lsgan.explain.figures import FIGURES
from lsgan.explain.words import LANGUAGES
from lsgan.theory.optimal import Targets

FURTHEST = 1000.0  # of a mean from 0
NARROWEST, WIDEST = 0.05, 20.0  # of a standard deviation
LARGEST = 1e6  # of a target


@dataclass(frozen=True)
class Choices:
    """Which densities and targets the figures show, and in which language.

    Args:
        lang: one of `LANGUAGES`.
        out: the folder to write.
        real_mean: of the Gaussian p, the real samples.
        real_std: its standard deviation.
        fake_mean: of the Gaussian q, G's samples.
        fake_std: its standard deviation.
        a: D's target for fake samples.
        b: D's target for real ones.
        c: G's.
        figures: their names, in the order of the page.

    Raises:
        LsganError: a value is out of range, or a name is none of a figure or language.
    """

    lang: str = "en"
    out: Path = Path("theory")
    real_mean: float = 0.0
    real_std: float = 1.0
    fake_mean: float = 2.0
    fake_std: float = 1.0
    a: float = -1.0
    b: float = 1.0
    c: float = 0.0
    figures: tuple[str, ...] = FIGURES

    def __post_init__(self) -> None:
        if self.lang not in LANGUAGES:
            raise LsganError(f"lang={self.lang} must be {' or '.join(LANGUAGES)}")
        for key in ("real_mean", "fake_mean"):
            self._check(key, -FURTHEST, FURTHEST)
        for key in ("real_std", "fake_std"):
            self._check(key, NARROWEST, WIDEST)
        for key in ("a", "b", "c"):
            self._check(key, -LARGEST, LARGEST)
        if math.isclose(self.a, self.b, rel_tol=1e-6, abs_tol=1e-6):
            raise LsganError(f"a={self.a:g} and b={self.b:g} must differ: D cannot tell fake from real with one target")
        for name in self.figures:
            if name not in FIGURES:
                raise LsganError(
                    f"figures={name}: no such figure{did_you_mean(name, FIGURES)}; name some of {', '.join(FIGURES)}, "
                    "with commas between, or all"
                )
        if not self.figures:
            raise LsganError(f"figures= must name one at least: some of {', '.join(FIGURES)}, or all")

    @property
    def targets(self) -> Targets:
        """(a, b, c) as the theory takes them."""
        return Targets(self.a, self.b, self.c)

    @property
    def distance(self) -> float:
        """How far the means are apart, at least 0."""
        return abs(self.fake_mean - self.real_mean)

    def _check(self, key: str, low: float, high: float) -> None:
        value = getattr(self, key)
        if not low <= value <= high:  # NaN neither
            raise LsganError(f"{key}={value:g} must be between {low:g} and {high:g}")


def read(words: Sequence[str]) -> Choices:
    """What was typed as key=value.

    Raises:
        LsganError: a word is no key=value, a key is unknown, or a value is not what it must be.
    """
    keys = [field.name for field in dataclasses.fields(Choices)]
    for word in words:
        key = re.match(r"([^=]*)=", word)
        if key is None or not key[1]:
            raise LsganError(f"{word} is not understood: write key=value, with one of {', '.join(keys)}")
        if key[1] not in keys:
            raise LsganError(
                f"{key[1]} is read by nothing{did_you_mean(key[1], keys)}: take it out; there are {', '.join(keys)}"
            )
    typed = arguments.texts(words, keep=keys)
    return Choices(**{key: _READERS.get(key, _number)(key, value) for key, value in typed.items()})  # type: ignore[arg-type]


def _number(key: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise LsganError(f"{key}={value} must be a number: write {key}=0.5, for example") from None


def _path(key: str, value: str) -> Path:
    if not value or "\0" in value:
        raise LsganError(f"{key}= must be a path: write one, or leave it out")
    return Path(value).expanduser()


def _names(key: str, value: str) -> tuple[str, ...]:
    """In the page's order, whatever order was typed; names that are none stay, for `Choices` to tell."""
    names = [name.strip() for name in value.strip("[]").split(",") if name.strip()]
    if "all" in names:
        return FIGURES
    known = tuple(name for name in FIGURES if name in names)
    return known + tuple(name for name in names if name not in FIGURES)


_READERS: dict[str, Callable[[str, str], object]] = {
    "lang": lambda _, value: value,
    "out": _path,
    "figures": _names,
}
