import io
import os
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]

torch.set_num_threads(2)


@pytest.fixture(autouse=True)
def without_wandb_account(tmp_path_factory, monkeypatch):
    """No key, no prompt, no network: what a fresh machine has."""
    home = tmp_path_factory.mktemp("home")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LSGAN_DATA", str(tmp_path_factory.getbasetemp() / "data"))  # not the user's
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(home))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(home))


@pytest.fixture
def composed():
    """Composes the config as `python train.py <overrides>` does."""

    def compose_config(*overrides: str) -> DictConfig:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose("train", list(overrides))

    return compose_config


@pytest.fixture
def python(tmp_path):
    """Runs `python <arguments>` in an empty folder, the way a user would."""

    def run(*arguments: str, expect: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **env},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert expect is None or result.returncode == expect, result.stdout + result.stderr
        return result

    return run


@pytest.fixture
def train(python):
    """`python train.py <overrides>`."""

    def run(*overrides: str, **options):
        return python(str(ROOT / "train.py"), *overrides, **options)

    return run


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
