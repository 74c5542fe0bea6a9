"""`python -m lsgan.prepare …` as a user types it."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def prepare(python):
    def run(*overrides, **options):
        return python("-m", "lsgan.prepare", *overrides, **options)

    return run


def test_a_folder_becomes_a_store_that_train_uses(prepare, train, tmp_path):
    for i, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png")):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (80 * i, 10, 10)).save(tmp_path / "pets" / name)
    (tmp_path / "pets" / "dog" / "empty.jpg").touch()
    wanted = ("dataset=image_folder", "dataset.root=pets", "dataset.resolution=16", f"data_dir={tmp_path / 'here'}")
    output = prepare(*wanted).stdout
    (store,) = (path for path in (tmp_path / "here" / "packed").iterdir() if path.is_dir())
    assert f"3 images, 2 classes; look at {store}/preview.jpg\n" in output
    assert f"what could not be read is in {store}/skipped.txt\n" in output
    assert (store / "skipped.txt").read_text() == "dog/empty.jpg: the file is empty\n"
    shutil.rmtree(tmp_path / "pets")
    trained = train(*wanted, "steps=1", "batch_size=2", "architecture.width=4", "tracker=none").stdout
    assert f"packed in {store}" in trained


def test_what_needs_no_preparation(prepare):
    result = prepare("dataset=gaussian_ring", expect=1)
    assert result.stderr == (
        "error: dataset=gaussian_ring needs no preparation: its samples are drawn as they are used\n"
    )


HASTY = """
import runpy, sys
from lsgan.data.sources import download
download._FIRST_WAIT = 0.01  # seconds
sys.argv = ["prepare.py", *sys.argv[1:]]
runpy.run_module("lsgan.prepare", run_name="__main__")
"""


def test_every_source_fails_in_one_sentence(python, tmp_path):
    (tmp_path / "hasty.py").write_text(HASTY)
    result = python("hasty.py", "dataset=lsun_church", "dataset.sources=['http://127.0.0.1:9/church.zip']", expect=1)
    assert result.stderr.startswith(
        "error: LSUN church_outdoor train cannot be downloaded (http://127.0.0.1:9/church.zip: Failed to establish"
    )
    assert result.stderr.count("\n") == 1
    assert "put church.zip into " in result.stderr


def test_a_typo(prepare):
    result = prepare("dataset=lsun_chruch", expect=1)
    assert result.stderr.startswith("error: dataset=lsun_chruch: no such choice (did you mean lsun_church?)")


def test_help(prepare):
    assert "python -m lsgan.prepare dataset=<choice>" in prepare("--help").stdout


def test_what_is_installed_elsewhere_brings_its_configs_along(prepare, tmp_path):
    """A wheel holds the packages that pyproject.toml lists, and conf/ as one of them, beside the others' files."""
    listed = set(re.findall(r'^  "(lsgan[\w.]*)",$', (ROOT / "pyproject.toml").read_text(), re.M))
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "lsgan").rglob("*.py")}
    assert listed == there | {"lsgan.conf"}
    shutil.copytree(ROOT / "lsgan", tmp_path / "site" / "lsgan")
    shutil.copytree(ROOT / "conf", tmp_path / "site" / "lsgan" / "conf")
    told = prepare("dataset=digits", "dataset.resolution=8", PYTHONPATH=str(tmp_path / "site"))
    assert "1,797 images" in told.stdout
