"""The words of the page and of each figure, a folder a language: <language>/<figure>.yaml, and page.yaml."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("en", "vi")

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
        text = tuple(paragraph.format(**values) for paragraph in self.text)
        return Words(self.title, text, self.alt.format(**values), self.labels)


def of_figure(lang: str, name: str) -> Words:
    """The words of a figure in a language."""
    found = load(lang, name)
    return Words(found["title"], tuple(found["text"]), found["alt"], found["labels"])


def load(lang: str, name: str) -> dict[str, Any]:
    """A file of words as it stands."""
    return yaml.safe_load((_FOLDER / lang / f"{name}.yaml").read_text(encoding="utf-8"))
