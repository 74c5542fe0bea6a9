import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from lsgan.data import pack as packing
from lsgan.data.pack import pack
from lsgan.data.sources.decode import Fit
from lsgan.data.sources.source import Item
from lsgan.data.store import Recipe, open_store
from lsgan.errors import LsganError

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Recipe("test", "", Fit(8, 3, crop=False))


class Colours:
    """Image i has the colour i and, with classes, the label i % 3; those in `broken` cannot be read."""

    def __init__(self, num, broken=(), classes=None, known=True):
        self.num, self.broken, self.classes = num, set(broken), classes
        self.num_items = num if known else None
        self.loaded = []

    def items(self):
        for i in range(self.num):
            yield Item(f"colour {i}", partial(self.image, i), i % 3 if self.classes else None)

    def image(self, index):
        self.loaded.append(index)
        if index in self.broken:
            raise OSError("truncated")
        return Image.new("RGB", (10, 12), (index % 256, index // 256, 7))

    @contextmanager
    def open(self, scratch):
        assert scratch.is_dir()
        yield self


def packed(source, folder):
    pack(source.open, RECIPE, folder)
    return open_store(folder)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("known", [True, False])
def test_the_order_is_kept_over_many_chunks(tmp_path, known):
    images = packed(Colours(1000, known=known), tmp_path / "store").images
    assert images.shape == (1000, 8, 8, 3)
    assert images.dtype == np.uint8
    assert (images[:, 3, 3, 0] + 256 * images[:, 3, 3, 1].astype(int)).tolist() == list(range(1000))
    assert not images.flags.writeable


def test_a_store_tells_how_it_was_made(tmp_path):
    packed(Colours(70, broken=[9], classes=["a", "é", "c"]), tmp_path / "store")
    meta = json.loads((tmp_path / "store" / "store.json").read_text(encoding="utf-8"))
    assert meta["shape"] == [69, 8, 8, 3]
    assert meta["num_skipped"] == 1
    assert meta["classes"] == ["a", "é", "c"]
    assert meta["recipe"] == {
        "format_version": 2, "source": "test", "fingerprint": "", "resolution": 8, "channels": 3, "crop": False,
    }  # fmt: skip
    assert meta["resize"].startswith("bilinear, antialiased")
    assert meta["sha256"] == hashlib.sha256((tmp_path / "store" / "images.bin").read_bytes()).hexdigest()
    assert visible(tmp_path) == ["store"]  # nothing half-written beside it
    assert visible(tmp_path / "store") == ["images.bin", "labels.npy", "preview.jpg", "skipped.txt", "store.json"]


def test_labels_belong_to_the_images_that_stay(tmp_path):
    store = packed(Colours(200, broken=[3, 150], classes=["a", "b", "c"]), tmp_path / "store")
    assert store.classes == ["a", "b", "c"]
    assert store.labels.dtype == np.int64
    assert store.labels.tolist() == [i % 3 for i in range(200) if i not in (3, 150)]
    assert packed(Colours(5), tmp_path / "without").labels is None


def test_unreadable_images_are_skipped_named_and_counted(tmp_path, caplog):
    images = packed(Colours(200, broken=[3, 150]), tmp_path / "store").images
    assert images[:, 0, 0, 0].tolist() == [i for i in range(200) if i not in (3, 150)]
    assert "skipped 2 of 200 images that cannot be read:\n  colour 3: truncated\n  colour 150: truncated" in caplog.text
    skipped = (tmp_path / "store" / "skipped.txt").read_text()
    assert skipped == "colour 3: truncated\ncolour 150: truncated\n"


def test_many_skipped_images_do_not_flood_the_console(tmp_path, caplog):
    packed(Colours(50, broken=range(20)), tmp_path / "store")
    assert "… and 10 more, all named in skipped.txt" in caplog.text
    assert "colour 11" not in caplog.text
    assert len((tmp_path / "store" / "skipped.txt").read_text().splitlines()) == 20


def test_what_is_left_out_is_counted_and_named(tmp_path, caplog):
    source = Colours(5, broken=[3])
    source.left_out = {".psd": ["a.psd", "b\n.psd"], "": ["notes"]}
    packed(source, tmp_path / "store")
    assert "left out: 2 .psd, 1 without a suffix\n" in caplog.text
    assert (tmp_path / "store" / "skipped.txt").read_text() == (
        "colour 3: truncated\na.psd: left out (.psd: not a kind of image that is read)\n"
        "'b\\n.psd': left out (.psd: not a kind of image that is read)\n"
        "notes: left out (no suffix: not a kind of image that is read)\n"
    )
    meta = json.loads((tmp_path / "store" / "store.json").read_text())
    assert (meta["num_skipped"], meta["left_out"]) == (1, {".psd": 2, "": 1})


class Dark(Colours):
    """Of 16 bits, the brightest first."""

    def image(self, index):
        super().image(index)
        return Image.fromarray(np.full((8, 8), max(self.most - index, 0), np.uint16))


@pytest.mark.parametrize("interrupt", [False, True])
@pytest.mark.parametrize(("most", "bits"), [(4095, 12), (1000, 10), (0, 1), (40000, None)])
def test_sixteen_bits_that_are_fewer(tmp_path, caplog, noted_often, most, bits, interrupt):
    Dark.most = most
    if interrupt:
        interrupted(Dark(200), tmp_path / "store", at=150)
    packed(Dark(200), tmp_path / "store")
    expected = f"the brightest of the 16-bit pixels is {most} of 65535"
    assert (expected in caplog.text) == (bits is not None)
    assert (f"they seem to use {bits} bits; dataset.bits={bits} makes" in caplog.text) == (bits is not None)


def test_bits_that_are_given_are_not_guessed(tmp_path, caplog):
    Dark.most = 4095
    pack(Dark(3).open, replace(RECIPE, fit=RECIPE.fit._replace(bits=12)), tmp_path / "store")
    assert open_store(tmp_path / "store").images[0].max() == 255
    assert "brightest" not in caplog.text


def test_names_that_are_no_unicode(tmp_path):
    source = Colours(2)
    source.items = lambda: iter([Item("x", partial(source.image, 0)), Item("\udcff.png", lambda: 1 / 0)])
    packed(source, tmp_path / "store")
    assert (tmp_path / "store" / "skipped.txt").read_text() == "\\udcff.png: division by zero\n"


def test_nothing_readable_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(LsganError, match="none of the 5 images of test can be read; the first: colour 0: truncated"):
        packed(Colours(5, broken=range(5)), tmp_path / "store")
    with pytest.raises(LsganError, match="test holds no images"):
        packed(Colours(0), tmp_path / "store")
    assert visible(tmp_path) == []


def test_the_preview_shows_the_whole_store(tmp_path):
    packed(Colours(1000), tmp_path / "store")
    with Image.open(tmp_path / "store" / "preview.jpg") as picture:
        assert picture.size == (64, 64)
        assert np.abs(np.asarray(picture)[4, 4].astype(int) - [0, 0, 7]).max() < 12
        assert np.abs(np.asarray(picture)[60, 60].astype(int) - [999 % 256, 3, 7]).max() < 12
    packed(Colours(3), tmp_path / "small")
    with Image.open(tmp_path / "small" / "preview.jpg") as picture:
        assert np.asarray(picture)[60, 60].min() > 250  # no image there


@pytest.fixture
def noted_often(monkeypatch):
    monkeypatch.setattr(packing, "_SAVE_SECONDS", 0)


def interrupted(source, folder, at):
    """Packs until image `at`, where Ctrl-C strikes."""
    image = source.image

    def strike(index):
        if index == at:
            raise KeyboardInterrupt
        return image(index)

    source.image = strike
    with pytest.raises(KeyboardInterrupt):
        packed(source, folder)


def test_an_interrupted_packing_goes_on_where_it_was(tmp_path, noted_often):
    broken, classes = [3, 150, 290], ["a", "b", "c"]
    packed(Colours(300, broken, classes), tmp_path / "whole")
    interrupted(Colours(300, broken, classes), tmp_path / "store", at=200)
    assert visible(tmp_path) == [".store.part", "whole"]
    (tmp_path / ".store.part" / "images.bin").open("ab").write(b"half an image, without a note of it")
    source = Colours(300, broken, classes)
    packed(source, tmp_path / "store")
    assert 100 < min(source.loaded) <= 200  # the first ones were not decoded again
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")
    assert visible(tmp_path) == ["store", "whole"]


def test_a_note_that_promises_more_than_there_is_starts_anew(tmp_path, noted_often):
    interrupted(Colours(300), tmp_path / "store", at=200)
    os.truncate(tmp_path / ".store.part" / "images.bin", 1000)  # a power cut may lose what was not synced
    source = Colours(300)
    assert packed(source, tmp_path / "store").images[:, 0, 0, 0].tolist() == [i % 256 for i in range(300)]
    assert min(source.loaded) == 0


PACK_SLOWLY = """
import sys, time
sys.path[:0] = [{root!r}, {tests!r}]
from pathlib import Path
import test_pack
from lsgan.data import pack
pack._SAVE_SECONDS = 0.01
class Slow(test_pack.Colours):
    def image(self, index):
        time.sleep(0.001)
        return super().image(index)
pack.pack(Slow(600, [3, 150], ["a", "b", "c"]).open, test_pack.RECIPE, Path({folder!r}))
"""


def process(folder):
    code = PACK_SLOWLY.format(root=str(ROOT), tests=str(Path(__file__).parent), folder=str(folder))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)


def test_killed_twenty_times_at_random_the_store_is_the_undisturbed_one(tmp_path):
    packed(Colours(600, [3, 150], ["a", "b", "c"]), tmp_path / "whole")
    draw = random.Random(0)
    kills = 0
    while kills < 20:
        child = process(tmp_path / "store")
        part = tmp_path / ".store.part" / "images.bin"
        while not part.exists() and child.poll() is None:
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.08))
        if (tmp_path / "store").exists():  # finished between the kills: again from the start
            child.wait()
            assert contents(tmp_path / "store") == contents(tmp_path / "whole")
            shutil.rmtree(tmp_path / "store")
            continue
        child.send_signal(signal.SIGKILL)
        kills += child.wait() == -signal.SIGKILL
    process(tmp_path / "store").wait()
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")
    assert visible(tmp_path) == ["store", "whole"]


def test_two_processes_end_with_one_good_store(tmp_path):
    packed(Colours(600, [3, 150], ["a", "b", "c"]), tmp_path / "whole")
    children = [process(tmp_path / "store") for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")
    assert visible(tmp_path) == ["store", "whole"]


def test_the_second_process_says_that_it_waits(tmp_path, caplog):
    caplog.set_level("INFO")
    lock = FileLock(tmp_path / ".store.lock", thread_local=False)
    lock.acquire()
    source = Colours(5)
    thread = threading.Thread(target=packed, args=(source, tmp_path / "store"))
    thread.start()
    while "another process is packing store: waiting for it" not in caplog.text:
        time.sleep(0.01)
    assert source.loaded == []
    lock.release()
    thread.join()
    assert len(open_store(tmp_path / "store").images) == 5


def test_others_may_read_the_store(tmp_path):
    packed(Colours(3), tmp_path / "store")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "store").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_store_that_is_there_is_kept(tmp_path):
    packed(Colours(10), tmp_path / "store")
    second = Colours(10)
    packed(second, tmp_path / "store")
    assert second.loaded == []


def test_a_folder_that_takes_no_store(tmp_path):
    (tmp_path / "file").write_text("")
    told = r"cannot pack into .*file/packed: Not a directory.*; mend that and start again, or set data_dir"
    with pytest.raises(LsganError, match=told):
        packed(Colours(3), tmp_path / "file" / "packed" / "store")


def test_a_disk_that_is_known_to_be_too_small(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=100 * 192 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        LsganError, match=r"are needed to pack 100 images: free .* more, or name another disk by data_dir"
    ):
        packed(Colours(100), tmp_path / "store")
    assert not (tmp_path / "store").exists()
    packed(Colours(99), tmp_path / "store")


def test_too_little_room_keeps_what_is_packed_already(tmp_path, noted_often, monkeypatch):
    interrupted(Colours(300), tmp_path / "store", at=200)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 10))
        with pytest.raises(LsganError, match="10 bytes free, but"):
            packed(Colours(300), tmp_path / "store")
    source = Colours(300)
    packed(source, tmp_path / "store")
    assert min(source.loaded) > 100


def test_a_class_without_a_readable_image_is_named(tmp_path, caplog):
    source = Colours(9, broken=[1, 4, 7], classes=["a", "b", "c"])
    packed(source, tmp_path / "store")
    assert "class 'b' has no image that can be read" in caplog.text
    assert caplog.text.count("has no image") == 1


def test_a_disk_that_takes_no_more_keeps_what_is_packed(tmp_path, noted_often):
    packed(Colours(600), tmp_path / "whole")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))  # as good as a full disk
    try:
        with pytest.raises(
            LsganError, match=r"cannot pack into .*: File too large.*\(what is packed already is kept\)"
        ):
            packed(Colours(600), tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert visible(tmp_path) == [".store.part", "whole"]
    source = Colours(600)
    packed(source, tmp_path / "store")
    assert min(source.loaded) > 100
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


SPOILT = [b"", b"\0" * 99, b"\xff\xfe\x00", b"[]", b"{}", b'{"num_items": -3, "skipped": []}', None]


def spoil(path, content):
    """None: a folder lies in its place."""
    path.unlink(missing_ok=True)
    path.mkdir() if content is None else path.write_bytes(content)


@pytest.mark.parametrize("content", SPOILT)
@pytest.mark.parametrize("name", ["progress.json", "labels.npy", "preview.jpg", "store.json"])
def test_a_spoilt_file_of_an_unfinished_store_is_made_again_or_is_one_sentence(tmp_path, noted_often, name, content):
    interrupted(Colours(200, classes=["a", "b", "c"]), tmp_path / "store", at=150)
    path = tmp_path / ".store.part" / name
    spoil(path, content)
    told = None
    try:
        packed(Colours(200, classes=["a", "b", "c"]), tmp_path / "store")
    except LsganError as error:
        told = str(error)
    if told is None:
        packed(Colours(200, classes=["a", "b", "c"]), tmp_path / "whole")
        assert contents(tmp_path / "store") == contents(tmp_path / "whole")
    else:
        assert content is None
        assert str(path) in told
        assert "mend that and start again" in told


@pytest.mark.parametrize("content", SPOILT)
@pytest.mark.parametrize("name", ["labels.npy", "preview.jpg", "store.json", "images.bin"])
def test_a_spoilt_file_of_a_store_is_done_without_or_is_one_sentence(tmp_path, name, content):
    folder = tmp_path / "store"
    packed(Colours(9, classes=["a", "b", "c"]), folder)
    spoil(folder / name, content)
    if name == "preview.jpg":
        assert len(open_store(folder).images) == 9
        return
    with pytest.raises((LsganError, IsADirectoryError)) as told:  # `ImageDataset.prepare` makes a sentence of both
        open_store(folder)
    assert content is None or re.search(
        r"store.*: delete .*store to pack again|store.*: delete it to pack", str(told.value)
    )


@pytest.mark.parametrize("room", [0, 1_000_000])
def test_a_full_disk_is_one_sentence(tmp_path, disk, noted_often, room):
    source = Colours(8_000, known=False)  # 1.5 MB
    disk.fill()
    with open(disk.path / "ballast", "r+b") as ballast:
        ballast.truncate(ballast.seek(0, 2) - room)
    for _ in range(2):
        with pytest.raises(
            LsganError,
            match=r"^cannot pack into .*: No space left on device.*; make room there and start again, or set",
        ):
            packed(source, disk.path / "packed" / "store")
    disk.make_room()
    assert len(packed(source, disk.path / "packed" / "store").images) == 8_000
