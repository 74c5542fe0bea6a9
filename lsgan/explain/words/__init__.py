"""The words of the page and of each figure, a folder a language: <language>/<figure>.yaml, and page.yaml."""

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("en", "vi")

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Words:
    """What is said about a figure.

    Args:
        title: a line.
        text: paragraphs; they quote the figure's values as `{name:.3g}`.
        alt: what the figure shows, for who does not see it; quotes values, too.
        labels: the texts in the figure, by key.
    """

    title: str
    text: tuple[str, ...]
    alt: str
    labels: Mapping[str, str]

    @property
    def say(self) -> Callable[[str], str]:
        """The label of a key; raises KeyError if there is none."""
        return self.labels.__getitem__

    def quoting(self, values: Mapping[str, float | str]) -> "Words":
        """With the values in the place of their names."""
        quote = _Quoting()
        text = tuple(quote.vformat(paragraph, (), values) for paragraph in self.text)
        return Words(self.title, text, quote.vformat(self.alt, (), values), self.labels)


class _Quoting(string.Formatter):
    """Numbers as a page writes them."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return typeset(format(value, format_spec))


def typeset(number: str) -> str:
    """-8.5e-05 as −8.5·10⁻⁵: a minus that is none of a hyphen, and powers of ten."""
    found = re.fullmatch(r"(-?[\d.]+)e([+-]\d+)", number)
    if found:
        number = f"{found[1]}·10{str(int(found[2])).translate(_RAISED)}"
    return re.sub(r"^-(?=[\d.])", "−", number)


def of_figure(lang: str, name: str) -> Words:
    """The words of a figure in a language."""
    found = load(lang, name)
    return Words(found["title"], tuple(found["text"]), found["alt"], found["labels"])


def load(lang: str, name: str) -> dict[str, Any]:
    """A file of words as it stands."""
    return yaml.safe_load((_FOLDER / lang / f"{name}.yaml").read_text(encoding="utf-8"))
