"""The page: one HTML file with figures, style and scripts in it, that may load nothing and run nothing else."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2

from lsgan.explain import words
from lsgan.explain.choices import Choices

MARK = '<meta name="generator" content="lsgan.theory">'  # by it the command knows its own folder again
SCRIPTS = ("gaussians.js", "plot.js", "sliders.js")

_FOLDER = Path(__file__).parent / "template"


class Explained(NamedTuple):
    """A figure as files, and its words with the numbers in them."""

    name: str
    svg: bytes
    png: bytes
    words: words.Words

    @property
    def source(self) -> str:
        """The SVG as an address, for an `img`: there a page's policy on styles does not reach its own."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg).decode()}"


def page(choices: Choices, explained: Sequence[Explained]) -> str:
    """The HTML, in the language of the choices; what stands in words is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (_FOLDER / "style.css").read_text(), "\n".join((_FOLDER / name).read_text() for name in SCRIPTS)
    return environment.get_template("page.html.jinja").render(
        mark=MARK,
        policy=_policy(style, script),
        style=style,
        script=script,
        say=words.load(choices.lang, "page"),
        choices=choices,
        explained=explained,
        others=[lang for lang in words.LANGUAGES if lang != choices.lang],
    )


def _policy(style: str, script: str) -> str:
    """Content-Security-Policy: this style, this script, pictures that are in the page, and nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
