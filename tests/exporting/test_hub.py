"""Pushing, to a hub on loopback."""

import sys

import hub_stub
import pytest

from lsgan.errors import LsganError
from lsgan.exporting import hub

pytest.importorskip("huggingface_hub", reason="the extra export is not installed")


@pytest.fixture(autouse=True)
def no_account(monkeypatch, tmp_path):
    """Of this machine; a library that was imported before has read where it lies."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))


@pytest.fixture
def site(monkeypatch):
    with hub_stub.serve() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield served


FILES = ["README.md", "model.safetensors"]


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "exported"
    place.mkdir()
    (place / "README.md").write_text("---\nlibrary_name: lsgan\n---\n# r\n")
    (place / "model.safetensors").write_bytes(bytes(range(256)))
    return place


@pytest.mark.parametrize("private", [False, True])
def test_the_folder_goes_in_one_commit(site, folder, private):
    hub.check("me/digits")
    assert hub.push(folder, FILES, "me/digits", private=private) == f"{site.address}/me/digits"
    assert site.repositories == {"me/digits": private}
    assert site.files["me/digits"] == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert site.messages == ["Exported by lsgan"]
    assert "Bearer hf_secret" in site.tokens
    hub.push(folder, FILES, "me/digits", private=private)  # again: the repository is there
    assert len(site.messages) == 2


def test_what_else_lies_in_the_folder_stays_here(site, folder):
    for name in ("notes.txt", "generated/README.md", "evaluation/a.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    hub.push(folder, FILES, "me/digits", private=False)
    assert sorted(site.files["me/digits"]) == FILES


def test_a_hub_that_refuses(site, folder):
    site.refuses = 403, "you may not write here"
    with pytest.raises(LsganError) as error:
        hub.push(folder, FILES, "me/digits", private=False)
    assert str(error.value) == (
        f"push=me/digits: {site.address} refuses (403), you may not write here: {folder} stays, mend that and export "
        "again"
    )  # fmt: skip


def test_a_hub_that_is_not_there(monkeypatch, folder):
    with hub_stub.serve() as gone:
        address = gone.address
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(
        LsganError, match=rf"^push=me/digits: {address} cannot be reached \(.*\): .* stays, try again later$"
    ):
        hub.push(folder, FILES, "me/digits", private=False)


def test_without_a_token():
    with pytest.raises(
        LsganError, match=r"^push=me/digits: there is no token: log in by `hf auth login`, or set HF_TOKEN$"
    ):
        hub.check("me/digits")


@pytest.mark.parametrize("name", ["digits", "a/b/c", "me/di gits", "me/", "", "-me/digits..", "me/digits.git"])
def test_names_that_no_repository_has(name, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(LsganError, match=rf"^push={name} (must be <user or organisation>/<name>|is no name on a hub)"):
        hub.check(name)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        LsganError, match=r'^push=me/digits takes huggingface_hub: python -m pip install "lsgan\[export\]"$'
    ):
        hub.check("me/digits")
