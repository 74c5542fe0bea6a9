"""Fixtures for all tests.

    train("steps=4", "loss.a=-2")          runs `python train.py steps=4 loss.a=-2` in an empty folder (tmp_path), as a
                                           user would, and gives a subprocess.CompletedProcess
    train("loss.a=one", expect=1)          … which must end with this exit code; None: with any
    train("steps=4", COLUMNS="80")         … with this in its environment
    train("steps=4", fresh=True)           … in a process that Python itself starts, much slower: see fork_server.py
    python("-m", "lsgan.sample", "run=r")  the same for any script, module or code (`-c`)
    start("train.py", "steps=1000000")     does not wait: a process to wait for, signal or kill, as subprocess.Popen is;
                                           it is killed where the test ends, if it has not ended
    composed("steps=4")                    the config as train.py gets it
    short_run("penalty=r1")                a copy of the folder of a run of four steps, which is trained once

`python -m pytest` leaves out what is marked slow: `python -m pytest -m slow` runs that. Add `-n 0` to have all tests in
one process. PyTorch has one thread: a test that wants more sets them, and sets them back.
"""

import copy
import functools
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported; not here, so that pytest-xdist's own process needs none

import numpy as np
import pytest
from fork_server import ForkServer, Process
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from omegaconf import DictConfig

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 240  # for a process

# Of `short_run`: two checkpoints and the best one.
SHORT = ("steps=4", "log_every=2", "checkpoint_every=2", "architecture.width=4", "batch_size=8", "tracker=none")
SHORT += ("best_metric=loss/generator", "optimizer.lr=0.1")  # else all samples are the same grey


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Makes UTF-8 of what was captured, which names of files need not be and pytest-xdist asks for."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def without_wandb_account(tmp_path_factory, monkeypatch):
    """No key, no prompt, no network: what a fresh machine has."""
    home = tmp_path_factory.mktemp("home")
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_RUN_ID", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LSGAN_DATA", str(tmp_path_factory.getbasetemp() / "data"))  # not the user's
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(home))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(home))


@pytest.fixture
def composed():
    """Composes the config as `python train.py <overrides>` does."""

    return lambda *overrides: copy.deepcopy(_composed(*overrides))


@functools.cache
def _composed(*overrides: str) -> "DictConfig":
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", list(overrides))


class Python:
    """Starts processes as a fork server does, each by Python itself."""

    def start(self, args: Iterable[str], cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, *args], cwd=cwd, env=env, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer | Python]:
    if sys.platform != "linux":  # elsewhere a process with so many libraries had better not be forked
        yield Python()
        return
    with ForkServer() as server:
        yield server


@pytest.fixture
def start(tmp_path, fork_server):
    """Starts `python <arguments>` in an empty folder; what is left of it dies with the test."""
    started = []

    def start_python(*arguments: str | Path, fresh: bool = False, **env: str) -> Process | subprocess.Popen[str]:
        args = [str(ROOT / "train.py") if argument == "train.py" else str(argument) for argument in arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **env}
        is_option = args[0].startswith("-") and args[0] != "-m"  # of the interpreter
        by = Python() if fresh or is_option else fork_server
        started.append(by.start(args, tmp_path, environment))
        return started[-1]

    yield start_python
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def python(start):
    """Runs `python <arguments>` in an empty folder, the way a user would."""

    def run(*arguments: str | Path, expect: int | None = 0, **options) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, **options)
        output, errors = process.communicate(timeout=SECONDS)
        assert expect is None or process.returncode == expect, output + errors
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    return run


@pytest.fixture
def train(python):
    """Runs `python train.py <overrides>`."""

    def run(*overrides: str, **options) -> subprocess.CompletedProcess[str]:
        return python("train.py", *overrides, **options)

    return run


class Disk:
    """A file system of 2 MB of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Takes all the room that is left."""
        with suppress(OSError), open(self.path / "ballast", "ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def make_room(self) -> None:
        """Gives it back."""
        (self.path / "ballast").unlink()


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    """A small disk, which may become full; it takes a right to mount."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", path], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    yield Disk(path)
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture(scope="session")
def _short_runs(fork_server, tmp_path_factory):
    """Trains each run that is wanted once."""
    folder, trained = tmp_path_factory.mktemp("short-runs"), {}

    def runs(overrides: tuple[str, ...]) -> Path:
        if overrides not in trained:
            name = f"r{len(trained)}"
            args = [str(ROOT / "train.py"), *SHORT, *overrides, f"run={name}", "study=short"]
            data = str(tmp_path_factory.getbasetemp() / "data")
            process = fork_server.start(args, folder, {**os.environ, "PYTHONPATH": str(ROOT), "LSGAN_DATA": data})
            output, errors = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, output + errors
            trained[overrides] = folder / "runs" / "short" / name
        return trained[overrides]

    return runs


@pytest.fixture
def short_run(_short_runs, tmp_path):
    """`short_run("architecture=mlp")`: a folder of its own of a short run, as trained with that."""

    def make(*overrides: str, name: str = "r") -> Path:
        return Path(shutil.copytree(_short_runs(overrides), tmp_path / "runs" / "digits" / name))

    return make


def drawing(seed: int, size: tuple[int, int] = (340, 256)) -> Image.Image:
    """A coloured house under a sky, different for each seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(rng.integers(120, 255, 3).tolist()))
    draw = ImageDraw.Draw(image)
    left, top = rng.integers(20, 120, 2).tolist()
    draw.rectangle((left, top + 60, left + 140, size[1]), fill=tuple(rng.integers(0, 200, 3).tolist()))
    draw.polygon([(left, top + 60), (left + 70, top), (left + 140, top + 60)], fill=(120, 30, 30))
    return image


def encoded(image: Image.Image, kind: str = "WEBP") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def make_lmdb():
    """Writes values into an LMDB folder of LSUN's layout."""

    import lmdb

    def make(folder: Path, values: dict[str, bytes]) -> Path:
        folder.mkdir(parents=True)
        with lmdb.open(str(folder), map_size=1 << 28) as environment, environment.begin(write=True) as transaction:
            for key, value in values.items():
                transaction.put(key.encode(), value)
        return folder

    return make


@pytest.fixture
def drawings():
    """`drawings(n, kind)`: n encoded pictures by key."""

    def make(num: int, kind: str = "WEBP") -> dict[str, bytes]:
        return {f"{i:040x}": encoded(drawing(i), kind) for i in range(num)}

    return make
