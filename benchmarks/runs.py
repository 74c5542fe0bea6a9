"""Runs of train.py that a benchmark looks at afterwards. What has been trained already is not trained again."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

ROOT = Path(__file__).resolve().parents[1]


def train_all(train: Callable[..., None], runs: Iterable[Sequence[Any]], jobs: int) -> None:
    """`train(*run)` for all runs, in their order, in so many processes; each imports torch once."""
    going: set[Future[None]] = set()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for run in runs:  # no more of them wait in the pool than it trains: after Ctrl-C it would go on with those
            if len(going) == jobs:
                ended, going = wait(going, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
            going.add(pool.submit(train, *run))
        for future in going:
            future.result()


def train_once(folder: Path, study: str, run: str, overrides: Sequence[str]) -> None:
    """What `python train.py <overrides>` does on one CPU thread, into folder/study/run, if no finished run is there.

    It draws no pictures and keeps the last checkpoint alone, unless `overrides` say otherwise.
    """
    from lsgan import config
    from lsgan.run import run as train

    path = folder / study / run
    if is_finished(path):
        return
    shutil.rmtree(path, ignore_errors=True)  # cut short
    seldom = ("sample_every=1000000", "checkpoint_every=1000000")
    place = (f"runs_dir={folder}", f"study={study}", f"run={run}", "tracker=none", "runtime=cpu", "runtime.threads=1")
    typed = [*place, *seldom, *overrides]
    with (
        initialize_config_dir(str(ROOT / "conf"), version_base="1.3"),
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        train(config.assemble(compose("train", typed), typed))


def is_finished(run: Path) -> bool:
    """Whether a run folder is there, and the run has come to its end."""
    status = run / "status.json"
    return status.exists() and json.loads(status.read_text())["status"] == "finished"
