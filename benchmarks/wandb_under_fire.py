"""What a dead, silent or failing W&B costs a training: `python train.py` against a server on loopback.

    python benchmarks/wandb_under_fire.py [case …]

Each run has 30 rows and 3 pictures; trouble comes at the start, or once 10 rows are there. Afterwards the server is
well again, and `wandb sync` brings what is missing.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from wandb_stub import Wandb, serve_wandb  # noqa: E402

ROWS = 30
WAIT = 5  # seconds, init_timeout and finish_timeout
RUN = ("dataset=gaussian_ring", "batch_size=64", "steps=3000", "log_every=100", "sample_every=1000", "runtime=cpu")
Trouble = Callable[[Wandb, int], None]  # of the server, or of what the process with this id has started


def answering(mode: str | int) -> Trouble:
    """A server that answers with an HTTP status, or is silent."""

    def trouble(server: Wandb, pid: int) -> None:
        server.mode = mode

    return trouble


def kill_core(server: Wandb, pid: int) -> None:
    """SIGKILL for W&B's own process."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == pid and "wandb-core" in (process / "cmdline").read_text():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue  # it ended meanwhile


NOTHING = answering("ok")
CASES: dict[str, tuple[Trouble, Trouble]] = {  # at the start, and in the middle
    "no trouble": (NOTHING, NOTHING),
    "network cut in the middle": (NOTHING, answering("silent")),
    "500 in the middle": (NOTHING, answering(500)),
    "403 in the middle": (NOTHING, answering(403)),
    "wandb-core killed in the middle": (NOTHING, kill_core),
    "silent from the start": (answering("silent"), NOTHING),
    "500 from the start": (answering(500), NOTHING),
    "401 from the start": (answering(401), NOTHING),
}


def main() -> None:
    """Runs the cases, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case", help="; ".join(CASES))
    shown = Table("case", "exit code", "status", "rows on disk", "start, s", "end, s", "rows before sync", "after")
    for name in parser.parse_args().cases:
        with tempfile.TemporaryDirectory() as folder, serve_wandb() as server:
            result = measure(Path(folder), server, *CASES[name])
        shown.add_row(name, *(f"{value:.1f}" if isinstance(value, float) else str(value) for value in result))
    print(f"{date.today()}, {os.cpu_count()} cores, tracker.init_timeout={WAIT} tracker.finish_timeout={WAIT}")
    Console(width=130).print(shown)


def measure(folder: Path, server: Wandb, at_start: Trouble, in_the_middle: Trouble) -> tuple[Any, ...]:
    """One run: exit code, status, rows on disk, seconds until the first row and after the last one, rows served."""
    home = {name: str(folder) for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR")}
    environment = {**os.environ, **server.environment, **home, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    waits = (f"tracker.init_timeout={WAIT}", f"tracker.finish_timeout={WAIT}")
    command = [sys.executable, str(ROOT / "train.py"), *RUN, *waits, f"runs_dir={folder}", "study=s", "run=r"]
    run = folder / "s" / "r"
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        at_start(server, process.pid)
        began = wait_for(lambda: (run / "train.log").exists() and time.monotonic())
        first = wait_for(lambda: num_rows(run) >= 1 and time.monotonic())
        wait_for(lambda: num_rows(run) >= 10)
        in_the_middle(server, process.pid)
        last = wait_for(lambda: num_rows(run) >= ROWS and time.monotonic())
        code = process.wait()
        ended = time.monotonic()
    before = served(server)
    server.mode = "ok"
    sync(run, environment)
    status = json.loads((run / "status.json").read_text())["status"]
    return code, status, num_rows(run), first - began, ended - last, before, served(server)


def wait_for(condition: Callable[[], Any]) -> Any:
    """What the condition gives, once it is true."""
    while not (value := condition()):
        time.sleep(0.01)
    return value


def num_rows(run: Path) -> int:
    """Of metrics.jsonl."""
    path = run / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def served(server: Wandb) -> int:
    """Steps of which the server has the numbers; pictures of step 0 have a row of their own."""
    return len({row["step"] for rows in server.rows.values() for row in rows.values() if "loss/generator" in row})


def sync(run: Path, environment: Mapping[str, str]) -> None:
    """`wandb sync` of all parts of the run, in the order of their time."""
    parts = sorted((run / "wandb").glob("*run-*-*"), key=lambda part: part.name.split("run-")[1])
    command = [str(Path(sys.executable).parent / "wandb"), "sync", "--no-skip-online"]
    for part in parts:
        subprocess.run([*command, str(part)], cwd=run, env=environment, capture_output=True, check=True)


if __name__ == "__main__":
    main()
