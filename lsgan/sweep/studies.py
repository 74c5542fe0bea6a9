"""Which studies the jobs of this process's sweep belong to: what can be said of them when it ends."""

from pathlib import Path

_folders: dict[Path, None] = {}  # in the order in which they were met


def add(folder: Path) -> None:
    """A job belongs to the study in this folder."""
    _folders[folder] = None


def forget() -> None:
    """Nothing is done after all: it is only told what would be."""
    _folders.clear()


def told() -> list[Path]:
    """Those of the sweep, each once."""
    return list(_folders)
