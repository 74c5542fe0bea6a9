"""The page of a study, made and put into its place."""

from pathlib import Path
from typing import NamedTuple

from lsgan.board.page import page
from lsgan.errors import LsganError, counted
from lsgan.files import refusal, write_atomically
from lsgan.review.study import read_study

BUDGET_MB = 15.0


class Written(NamedTuple):
    """What was written, and how many of the runs are still trained."""

    path: Path
    num_runs: int
    going_on: int
    megabytes: float

    @property
    def told(self) -> str:
        """How much it is, for people."""
        return f"{counted(self.num_runs, 'run')}, {self.megabytes:.1f} MB"


def write(folder: Path, out: Path, budget_mb: float = BUDGET_MB) -> Written:
    """Writes the page of the study in `folder`; who reads the file meanwhile has the old one or the new one.

    Raises:
        LsganError: there is no study, there are several, or the file cannot be written.
    """
    study = read_study(folder)
    content = page(study, int(budget_mb * 1e6)).encode(errors="backslashreplace")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, content)
    except OSError as error:
        raise LsganError(f"out={out} cannot be written ({refusal(error)}): name another file") from error
    going_on = sum(run.status == "running" for run in study.runs)
    return Written(out, len(study.runs), going_on, len(content) / 1e6)
