import hashlib
import pickle
import re
from pathlib import Path

import pytest
import requests
import torch
from torch import nn

from lsgan.errors import LsganError
from lsgan.evaluation.extractors.weights import fetch_weights, load_into, read_weights


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_a_state_dict_is_read_with_the_hash_of_its_file(tmp_path):
    torch.save({"weight": torch.tensor([1.0, 2.0])}, tmp_path / "w.pth")
    digest = sha256((tmp_path / "w.pth").read_bytes())
    for wanted in (None, digest):
        state, told = read_weights(tmp_path / "w.pth", wanted)
        assert told == digest
        assert torch.equal(state["weight"], torch.tensor([1.0, 2.0]))


def test_another_file_is_refused_before_it_is_unpickled(tmp_path, monkeypatch):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "w.pth")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(LsganError, match=r"w\.pth have SHA-256 [0-9a-f]{64}, not 00: they are damaged, or another fil"):
        read_weights(tmp_path / "w.pth", "00")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_crafted_file_runs_nothing(tmp_path, legacy):
    path, made = tmp_path / "evil.pth", tmp_path / "made"
    torch.save({"weight": Evil(made)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(LsganError, match=r"evil\.pth cannot be loaded: something else than tensors and plain values"):
        read_weights(path)
    path.write_bytes(pickle.dumps(Evil(made)))
    with pytest.raises(LsganError, match=r"evil\.pth cannot be loaded: "):
        read_weights(path)
    assert not made.exists()
    pickle.loads(path.read_bytes()).close()
    assert made.exists()  # it is as evil as it should be


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"a": 1}, torch.zeros(2), {"model": {"weight": torch.zeros(1)}}])
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(LsganError, match=r"cannot be loaded: they must be a state dict, named tensors and no more$"):
        read_weights(tmp_path / "w.pth")


def test_a_file_that_is_not_there_or_no_weights(tmp_path):
    with pytest.raises(LsganError, match=r"no\.pth is not there: set features\.weights=<file>$"):
        read_weights(tmp_path / "no.pth")
    with pytest.raises(LsganError, match=r"cannot be read \(Is a directory\)"):
        read_weights(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"<html>", b"weights of mine", b"\x00" * 50])
def test_a_file_that_pytorch_has_not_written(tmp_path, content):
    (tmp_path / "text.pth").write_bytes(content)
    with pytest.raises(LsganError, match=r"text\.pth cannot be loaded: it is no file of weights that PyTorch wrote$"):
        read_weights(tmp_path / "text.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_was_cut(tmp_path, legacy):
    path = tmp_path / "w.pth"
    torch.save({"weight": torch.zeros(9)}, path, _use_new_zipfile_serialization=not legacy)
    path.write_bytes(path.read_bytes()[:40])
    message = "it is no file of weights that PyTorch wrote, or a damaged one$" if legacy else "PytorchStreamReader fail"
    with pytest.raises(LsganError, match=rf"w\.pth cannot be loaded: {message}"):
        read_weights(path)


def test_weights_of_another_network(tmp_path):
    with pytest.raises(LsganError, match=r"^the weights w\.pth are not those of Tiny: other names or shapes$"):
        load_into(nn.Linear(2, 2), {"weight": torch.zeros(3, 2)}, Path("w.pth"), "Tiny")


CONTENT = bytes(range(256)) * 1000


def test_a_file_is_downloaded_once_and_verified(tmp_path, site):
    site.files["/v0/w.pth"] = CONTENT
    url, folder = site.url("/v0/w.pth"), tmp_path / "new" / "features"
    path = fetch_weights(url, sha256(CONTENT), folder)
    assert path == folder / "w.pth"
    assert path.read_bytes() == CONTENT
    assert fetch_weights(url, sha256(CONTENT), folder) == path
    assert len(site.seen) == 1


def test_another_file_than_promised_is_not_kept(tmp_path, site):
    site.files["/w.pth"] = b"<html>log in</html>"
    with pytest.raises(LsganError, match=r"w\.pth gave a file with SHA-256 [0-9a-f]+, not [0-9a-f]+: get the r"):
        fetch_weights(site.url("/w.pth"), sha256(CONTENT), tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_a_cut_leaves_nothing_behind(tmp_path, site):
    site.files["/w.pth"], site.cut_after["/w.pth"] = CONTENT, 100_000
    with pytest.raises(LsganError, match=r"w\.pth cannot be downloaded \(.+\): get it elsewhere and set features\.wei"):
        fetch_weights(site.url("/w.pth"), sha256(CONTENT), tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_a_server_that_has_it_not_or_cannot_be_reached(tmp_path, site, monkeypatch):
    url = site.url("/w.pth")
    with pytest.raises(LsganError, match=re.escape(f"{url} cannot be downloaded (HTTP 404 Not Found)")):
        fetch_weights(url, "00", tmp_path)
    nobody = "http://127.0.0.1:9/w.pth"
    message = re.escape(f"{nobody} cannot be downloaded ([Errno 111] Connection refused): get it elsewhere and set")
    with pytest.raises(LsganError, match=message):
        fetch_weights(nobody, "00", tmp_path)

    def timeout(*_, **__):
        raise requests.ReadTimeout("Read timed out")

    monkeypatch.setattr(requests, "get", timeout)
    with pytest.raises(LsganError, match=r"cannot be downloaded \(Read timed out\)"):
        fetch_weights(url, "00", tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LsganError, match=r"^cannot download https://host/w\.pth: Not a directory: .*; mend that$"):
        fetch_weights("https://host/w.pth", "00", tmp_path / "file" / "features")
