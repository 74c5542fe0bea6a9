"""The page: template, styles and scripts of `page/`, and the study's data, as one HTML file that loads nothing.

Its Content-Security-Policy allows the scripts and styles that are part of it, by their SHA-256, pictures that are part
of it, and nothing else: text of a stranger's study can neither run nor fetch anything.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lsgan.board.answer import answers
from lsgan.board.collect import Collected
from lsgan.board.outputs import outputs
from lsgan.board.samples import samples
from lsgan.review.study import Study

_VIEWER = 60_000  # bytes, of what shows the samples
_FOLDER = Path(__file__).parent / "page"
_PARTS = ("answer", "table", "curves", "samples", "outputs", "map")


@dataclass(frozen=True)
class Asset:
    """A script or a style that stands in the page, and the hash by which the policy knows it."""

    text: str

    @property
    def source(self) -> str:
        """`'sha256-…'`, of the element's text as it stands in the page."""
        digest = hashlib.sha256(self.text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    @property
    def markup(self) -> Markup:
        """For the template, as it is: a file of ours."""
        return Markup(self.text)


def page(study: Study, budget_bytes: int) -> str:
    """The whole page.

    Args:
        study: what it is about; its runs may still be trained.
        budget_bytes: how large it may be; what the rest leaves is for pictures, which are made smaller to fit.
    """
    collected = Collected(study)
    curves = collected.curves
    data: dict[str, Any] = {
        "study": collected.content(),
        "answer": answers(collected),
        "curves": {
            "steps": curves.steps,
            "columns": curves.columns,
            "points": curves.points,
            "is_thinned": curves.is_thinned,
        },
    }
    return render(data | _pictured(study, budget_bytes, data))


def _pictured(study: Study, budget_bytes: int, data: Mapping[str, Any]) -> dict[str, Any]:
    """What D says of samples, and samples in the room that all else leaves."""
    found = outputs(study)
    room = budget_bytes - len(render({**data, "outputs": found}).encode()) - _VIEWER
    return {"outputs": found, "samples": samples(study, room)}


def render(data: Mapping[str, Any]) -> str:
    """The page of these data, by the names under which its scripts ask for them."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = [part for part in _PARTS if part in ("answer", "table", "curves", "map") or data.get(part)]
    names = ["common", *parts, "page"]
    styles, scripts = _assets(names, "css"), _assets(names, "js")
    return environment.get_template("page.html.jinja").render(
        study=data["study"],
        answer=data["answer"],
        parts=parts,
        written=datetime.now(timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M"),
        policy=policy(styles, scripts),
        styles=styles,
        scripts=scripts,
        data={name: embedded(value) for name, value in data.items()},
    )


def policy(styles: Iterable[Asset], scripts: Iterable[Asset]) -> str:
    """The Content-Security-Policy."""
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            "script-src " + " ".join(script.source for script in scripts),
            "style-src " + " ".join(style.source for style in styles),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def embedded(value: Any) -> Markup:
    """As JSON in a script element that is not run: without `<`, so that nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _assets(names: Iterable[str], suffix: str) -> list[Asset]:
    files = [_FOLDER / f"{name}.{suffix}" for name in names]
    return [Asset(f"\n{file.read_text(encoding='utf-8')}") for file in files if file.exists()]
