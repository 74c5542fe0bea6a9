import subprocess
import sys

import pytest

import lsgan
from lsgan import provenance


def test_what_code_this_is():
    code = provenance.code(["lsgan.losses.Hinge", "torch.optim.Adam"])
    assert code["lsgan"] == lsgan.__version__
    assert len(code["sha256"]) == 64
    assert code["components"] == {}
    assert provenance.differences(code, code) == ""
    assert provenance.differences(code, {}) == ""  # nobody wrote it down


@pytest.fixture
def component(tmp_path, monkeypatch):
    """A component of the user's own, in a file of theirs."""
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "my_loss_of_provenance.py"
    path.write_text("class Mine: pass\n")
    return path


def test_a_users_component_counts_too(component):
    targets = [f"{component.stem}.Mine"]
    before = provenance.code(targets)
    assert list(before["components"]) == [component.stem]
    component.write_text("class Mine: x = 1\n")
    assert provenance.differences(provenance.code(targets), before) == f"{component.stem} has changed"
    assert provenance.code(["nowhere.at.all"])["components"] == {}


def test_other_sources_are_told_by_version_and_commit():
    now = provenance.code([])
    before = {**now, "sha256": "0", "lsgan": "0.0.1", "commit": "abcdef0123456", "changed": False}
    assert provenance.differences(now, before).startswith("lsgan 0.0.1 at abcdef012, and this is ")
    assert "0.0.1 at abcdef012" in provenance.differences(now, before)


def test_git_is_asked_about_the_projects_own_repository_alone(tmp_path, monkeypatch):
    package = tmp_path / "lsgan"
    package.mkdir()
    (package / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(provenance, "_PACKAGE", package)
    assert provenance.code([])["commit"] is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    clean = provenance.code([])
    assert len(clean["commit"]) == 40
    assert not clean["changed"]
    (package / "a.py").write_text("x = 2\n")
    assert provenance.code([])["changed"]
    assert provenance.code([])["sha256"] != clean["sha256"]
    inner = tmp_path / "venv" / "lsgan"
    inner.mkdir(parents=True)
    monkeypatch.setattr(provenance, "_PACKAGE", inner)
    assert provenance.code([])["commit"] is None  # somebody else's repository


def test_the_surroundings():
    told = provenance.surroundings()
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["cpu"]
