"""Runs of train.py that a benchmark looks at afterwards. What has been trained already is not trained again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def train_once(folder: Path, study: str, run: str, overrides: Sequence[str]) -> None:
    """`python train.py <overrides>` on one CPU thread into folder/study/run, if no finished run is there."""
    status = folder / study / run / "status.json"
    if status.exists() and json.loads(status.read_text())["status"] == "finished":
        return
    shutil.rmtree(status.parent, ignore_errors=True)  # cut short
    seldom = ("sample_every=1000000", "checkpoint_every=1000000")
    place = (f"runs_dir={folder}", f"study={study}", f"run={run}", "tracker=none", "runtime=cpu")
    command = [sys.executable, str(ROOT / "train.py"), *overrides, *seldom, *place]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
