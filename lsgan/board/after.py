"""The board that a sweep writes at its end: of each study that its jobs belong to.

It is a view and nothing else: whatever goes wrong with it is one warning, and the sweep ends as it would have without.
"""

import sys
from pathlib import Path

from lsgan.sweep import studies


def write_boards() -> None:
    """Of the studies of this process's sweep; none where there was no sweep, or a dry run."""
    for folder in studies.told():
        try:
            _write(folder)
        except Exception as error:
            told = " ".join(str(error).split()) or type(error).__name__
            print(
                f"warning: no board of {folder} ({told}); python -m lsgan.board {folder} writes it later",
                file=sys.stderr,
            )


def _write(folder: Path) -> None:
    if not folder.is_dir():  # no job has come so far
        return
    from lsgan.board.write import write  # pandas and jinja2 only now

    written = write(folder, folder / "board.html")
    print(f"{written.path}: the sweep on one page ({written.told})", flush=True)
