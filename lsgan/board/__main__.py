"""A study on one page: which setting won, all runs, their curves, their samples.

    python -m lsgan.board <folder> [key=value …]

    <folder>    of a study, <runs_dir>/<study>; its runs may still be trained (study=<folder> is the same)
    out         the file; <folder>/board.html if not given
    budget_mb   how large it may be: pictures are made smaller, and fewer, to fit  (15)
    every       seconds: write it anew so often, until no run is trained any more

The file needs no network: a double click opens it, and it can be sent by mail. A sweep writes it at its end.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING, OmegaConf

from lsgan import arguments, command
from lsgan.board.write import BUDGET_MB, write
from lsgan.config.components import typed
from lsgan.errors import LsganError


@dataclass
class BoardSettings:
    """What the command line may say."""

    study: Path = MISSING
    out: Path | None = None
    budget_mb: float = BUDGET_MB
    every: float | None = None


def main() -> None:
    """Reads the command line and writes the page."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    wanted: BoardSettings = typed(
        BoardSettings, OmegaConf.create(arguments.texts(arguments.of_one_study(sys.argv[1:], "board")))
    )
    for name, least in (("budget_mb", 1), ("every", 1)):
        value = getattr(wanted, name)
        if value is not None and not least <= value < float("inf"):
            raise LsganError(f"{name}={value:g} must be a number of at least {least}")
    folder = wanted.study.expanduser()
    out = folder / "board.html" if wanted.out is None else wanted.out.expanduser()
    while True:
        written = write(folder, out, wanted.budget_mb)
        print(f"{written.path}: {written.told}", flush=True)
        if wanted.every is None or not written.going_on:
            return
        time.sleep(wanted.every)


if __name__ == "__main__":
    command.run(main)
