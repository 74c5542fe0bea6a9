"""Nested dicts of plain values, as configs are, and their dotted keys."""

from collections.abc import Iterator
from typing import Any


def walk(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every entry, sections included."""
    for key, value in node.items():
        yield f"{prefix}{key}", value
        if isinstance(value, dict):
            yield from walk(value, f"{prefix}{key}.")


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """As one dict with dotted keys: `{"loss": {"a": -1}}` is `{"loss.a": -1}`."""
    return {key: value for key, value in walk(values) if not isinstance(value, dict)}
