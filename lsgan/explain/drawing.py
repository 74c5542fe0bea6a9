"""How all figures look: one width that a phone shows without shrinking much, colours and dashes that tell lines apart.

The colours are Okabe and Ito's (2008), which people with colour blindness tell apart; dashes differ too.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 4.8  # inches: 346 points, about what a phone shows
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY = "#767676"
REAL, FAKE = BLUE, RED  # p and q, in all figures

_STYLE: Any = {  # its keys have a type of their own, in some versions of matplotlib
    "font.family": "DejaVu Sans",  # comes with matplotlib, and has all letters of Vietnamese
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.linewidth": 2,
    "svg.fonttype": "path",  # looks the same without the font
    "svg.hashsalt": "lsgan.theory",  # the same figure is the same file
    "figure.constrained_layout.use": True,
}


class Drawn(NamedTuple):
    """A figure, and the numbers that its words quote as `{name:.3g}`."""

    figure: "Figure"
    values: dict[str, float | str]


@contextmanager
def style() -> Iterator[None]:
    """`draw` is called, and its figure saved, in here; what matplotlib had set before comes back."""
    with matplotlib.rc_context(_STYLE):
        yield


def panels(rows: int, *, height: float = 2.6) -> "tuple[Figure, list[Axes]]":
    """A figure with so many axes below one another, each `height` inches high."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, rows * height))
    return figure, list(figure.subplots(rows, 1, squeeze=False)[:, 0])


def legend(axes: "Axes", columns: int = 2, title: str | None = None) -> None:
    """Above the axes, where it hides no line."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=columns, title=title)


def saved(figure: "Figure", kind: str) -> bytes:
    """The figure as the content of a file, `kind` svg or png; the same each time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()
