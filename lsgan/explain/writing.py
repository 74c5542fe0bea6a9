"""Draw the theory of GAN losses, and explain it on one page.

    python -m lsgan.theory [key=value …]

    lang       en or vi, of all words                                  (en)
    out        the folder, replaced if this command has written it     (theory)
    real_mean  of p, the Gaussian of real samples                      (0)
    real_std   its standard deviation                                  (1)
    fake_mean  of q, the Gaussian of G's samples                       (2)
    fake_std   its standard deviation                                  (1)
    a          D's target for fake samples                             (-1)
    b          D's target for real samples                             (1)
    c          G's target                                              (0)
    figures    some by name, with commas between                       (all)

Writes each figure as SVG and PNG, and index.html, which needs no other file and no network. The folder appears whole.
"""

import importlib
import re
import sys
import time

from lsgan.explain import drawing, words
from lsgan.explain.choices import Choices, read
from lsgan.explain.page import MARK, Explained, page
from lsgan.files import read_small, write_atomically
from lsgan.replacing import Output, replaced

_OURS = Output(
    command="lsgan.theory",
    what="figures",
    names=re.compile(r"index\.html|[a-z0-9_]+\.(svg|png)"),
    is_marked=lambda out: MARK in (read_small(out / "index.html") or "")[:2000],
)


def main() -> None:
    """Reads the command line and writes the folder."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    began = time.monotonic()
    choices = read(sys.argv[1:])
    write(choices)
    print(f"{len(choices.figures)} figures and {choices.out / 'index.html'}, in {time.monotonic() - began:.0f} seconds")


def write(choices: Choices) -> None:
    """The folder `choices.out`, whole or not at all.

    Raises:
        LsganError: something else lies there, or it cannot be written.
    """
    _OURS.check(choices.out, is_ours=False)
    with replaced(choices.out) as folder:
        explained = [explain(name, choices) for name in choices.figures]
        for one in explained:
            write_atomically(folder / f"{one.name}.svg", one.svg, durable=False)
            write_atomically(folder / f"{one.name}.png", one.png, durable=False)
        write_atomically(folder / "index.html", page(choices, explained))


def explain(name: str, choices: Choices) -> Explained:
    """One figure."""
    said = words.of_figure(choices.lang, name)
    with drawing.style():
        drawn = importlib.import_module(f"lsgan.explain.figures.{name}").draw(choices, said.say)
        svg, png = drawing.saved(drawn.figure, "svg"), drawing.saved(drawn.figure, "png")
    return Explained(name, svg, png, said.quoting(drawn.values))
