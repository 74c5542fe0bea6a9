import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from lsgan.files import is_held, lock, put_in_place, read_small, sync, write_atomically

ROOT = Path(__file__).resolve().parents[1]


def test_a_file_is_replaced(tmp_path):
    write_atomically(tmp_path / "x", "größer")
    write_atomically(tmp_path / "x", b"bytes")
    assert (tmp_path / "x").read_bytes() == b"bytes"
    write_atomically(tmp_path / "x", "\udcff")
    assert (tmp_path / "x").read_text() == "\\udcff"
    sync(tmp_path / "x")
    sync(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Else a power cut leaves a file of no bytes."""
    done = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(sorted(path.name for path in tmp_path.iterdir())))
    write_atomically(tmp_path / "x", "text")
    assert done == [["x.new"], ["x"]]  # the file, then its name in the folder
    write_atomically(tmp_path / "y", "text", durable=False)
    assert len(done) == 2


@pytest.mark.parametrize("content", [b"", b" \n", b"\0" * 30, b"\xff\xfe"])
def test_a_small_file_that_is_spoilt_counts_as_absent(tmp_path, caplog, content):
    (tmp_path / "x").write_bytes(content)
    assert read_small(tmp_path / "x") is None
    assert f"{tmp_path / 'x'} " in caplog.text
    assert "going on without it" in caplog.text


def test_a_small_file_that_is_there_or_not_needs_no_warning(tmp_path, caplog):
    write_atomically(tmp_path / "x", "größer")
    assert read_small(tmp_path / "x") == "größer"
    assert read_small(tmp_path / "y") is None
    assert read_small(tmp_path / "no folder" / "y") is None
    assert caplog.text == ""


def test_a_folder_in_its_place_counts_as_absent(tmp_path, caplog):
    assert read_small(tmp_path) is None
    assert "Is a directory" in caplog.text


def test_a_full_disk_leaves_the_file_before(tmp_path):
    write_atomically(tmp_path / "x", "before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(tmp_path / "x", "y" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "x").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_lock_is_held_by_one_and_dies_with_its_holder(tmp_path, caplog):
    caplog.set_level("INFO")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\nfrom lsgan.files import lock\n"
        f"with lock(Path({str(tmp_path / 'l')!r}), 'x'):\n    print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    entered = threading.Event()

    def work():
        with lock(tmp_path / "l", "packing x"):
            entered.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert not entered.wait(0.3)
    assert "another process is packing x: waiting for it" in caplog.text
    child.kill()
    assert entered.wait(10)
    thread.join()
    child.communicate()


def fail_after(path):
    path.write_text("2")
    raise OSError("full")


def test_a_folder_is_put_in_place_whole(tmp_path):
    place = tmp_path / "place"
    with put_in_place(place) as folder:
        (folder / "a").write_text("1")
        assert not place.exists()
    with pytest.raises(OSError, match="full"), put_in_place(place) as folder:
        fail_after(folder / "b")
    assert {path.name: path.read_text() for path in place.iterdir()} == {"a": "1"}
    with put_in_place(place) as folder:
        (folder / "c").write_text("3")
    assert {path.name: path.read_text() for path in place.iterdir()} == {"c": "3"}
    assert list(tmp_path.iterdir()) == [place]


def test_what_a_kill_left_behind_is_no_part_of_the_next(tmp_path):
    place, unfinished, before = tmp_path / "place", tmp_path / ".place.new", tmp_path / ".place.old"
    for folder in (unfinished, before):
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / folder.name).write_text("1")
    with pytest.raises(ZeroDivisionError), put_in_place(place):  # killed between the two renames
        raise ZeroDivisionError
    assert [path.name for path in (place / "inner").iterdir()] == [".place.old"]
    unfinished.mkdir()
    (unfinished / "half").write_text("1")
    with put_in_place(place) as folder:
        (folder / "whole").write_text("1")
    assert [path.name for path in place.iterdir()] == ["whole"]
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.skipif(sys.platform == "win32", reason="asks the locks of Unix")
def test_whether_a_lock_is_held(tmp_path):
    path = tmp_path / ".lock"
    assert is_held(path) is False
    held = FileLock(path)
    with held:
        assert is_held(path) is True
        assert is_held(path) is True
    assert is_held(path) is False
    with held:  # looking does not take it
        pass
