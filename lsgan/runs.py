"""List runs: how they stand, and in what they differ.

    python -m lsgan.runs [<folder>]

    <folder>     of a study, or of all studies (runs, if not given)

For each run its name, its status, its step, the losses of its last row, what differs in the configs of its study, and
its last sample grid. `killed` is a run that nobody trains although it says so: the command that began it goes on with
it. On a terminal a table; else lines with tabs between the columns, the first one their names.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from lsgan import command
from lsgan.comparison import Compared, compared
from lsgan.errors import LsganError

COLUMNS = ("run", "status", "step", "losses", "differs in", "last grid")


def main() -> None:
    """Reads the command line and prints the list."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    words = [word.removeprefix("runs_dir=") for word in sys.argv[1:]]
    if len(words) > 1 or any(word.startswith("-") for word in words):
        raise LsganError(f"{' '.join(sys.argv[1:])}: one folder is listed, python -m lsgan.runs <folder>")
    folder = Path(*(words or ["runs"])).expanduser()
    runs = compared(folder)
    lines = [_line(run, folder) for run in runs]
    if sys.stdout.isatty():
        _print_table(lines)
    else:
        for line in (COLUMNS, *lines):
            print("\t".join(line))
    for trouble in (trouble for run in runs for trouble in run.record.troubles):
        print(f"warning: {_one_line(trouble)}", file=sys.stderr)


def _line(run: Compared, folder: Path) -> tuple[str, ...]:
    record = run.record
    name = record.path if record.path == folder else record.path.relative_to(folder)
    reason = f": {record.status.reason}" if record.status.reason and run.status in ("failed", "collapsed") else ""
    return tuple(
        _one_line(text)
        for text in (
            str(name),
            f"{run.status}{reason}",
            f"{record.status.step}/{'?' if run.steps is None else run.steps}",
            " ".join(f"{key.removeprefix('loss/')} {_number(value)}" for key, value in run.losses.items()),
            " ".join(f"{_shown(key)}={_value(key, value)}" for key, value in run.differing.items()),
            str(run.last_picture or ""),
        )
    )


def _shown(key: str) -> str:
    return key.removesuffix("._target_")


def _value(key: str, value: object) -> str:
    """Of a component the name is enough."""
    return str(value).rpartition(".")[2] if key.endswith("._target_") else "null" if value is None else str(value)


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _print_table(lines: Iterable[tuple[str, ...]]) -> None:
    from rich import get_console
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS, box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"  # names and paths stay whole
    for line in lines:
        table.add_row(*map(Text, line))
    get_console().print(table)


if __name__ == "__main__":
    command.run(main)
