import io
import shutil
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from lsgan.data.sets.lsun import Lsun
from lsgan.data.sources import download
from lsgan.errors import LsganError

NAME = "church_outdoor_train_lmdb"
NOWHERE = f"http://127.0.0.1:9/{NAME}.zip"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "_FIRST_WAIT", 0.001)
    monkeypatch.delenv("HF_TOKEN", raising=False)


def church(resolution=16, sources=(NOWHERE,), **settings):
    return Lsun(name="lsun_church", scene="church_outdoor", resolution=resolution, sources=list(sources), **settings)


def zipped(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{folder.name}/{file.name}")
    return buffer.getvalue()


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("kind", ["WEBP", "JPEG"])
def test_an_unpacked_lmdb(tmp_path, make_lmdb, drawings, kind):
    values = drawings(70, kind)
    make_lmdb(tmp_path / NAME, values)
    batches = church(112).open(tmp_path, 8, 0)
    images = church(112).prepare(tmp_path).images
    assert images.shape == (70, 112, 112, 3)
    first = Image.open(io.BytesIO(values[min(values)])).resize((112, 112), Image.Resampling.BILINEAR)
    assert np.array_equal(images[0], np.asarray(first))  # the paper's direct resize, keys in order
    assert batches.batch(0, torch.device("cpu")).samples.shape == (8, 3, 112, 112)


def test_it_is_downloaded_from_the_first_source_that_works(tmp_path, site, make_lmdb, drawings):
    folder = make_lmdb(tmp_path / "folder" / NAME, drawings(20))
    site.files[f"/scenes/{NAME}.zip"] = zipped(folder)
    data = church(sources=[NOWHERE, site.url(f"/scenes/{NAME}.zip")])
    data_dir = tmp_path / "data"
    assert data.fingerprint(data_dir) is None
    store = data.prepare(data_dir)
    assert np.array_equal(store.images, church(archive=folder).prepare(tmp_path / "other").images)
    assert visible(data_dir) == [f"{NAME}.zip", "packed"]
    assert visible(data_dir / "packed") == [store.folder.name]  # the unpacked database is gone
    asked = len(site.seen)
    assert data.prepare(data_dir).folder == store.folder
    assert len(site.seen) == asked


def test_the_copy_on_the_hub(tmp_path, site, drawings, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = drawings(20)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"image": [{"bytes": value, "path": None} for value in values.values()]}), sink)
    site.hub("owner/church", {"data/train-0.parquet": sink.getvalue().to_pybytes()})
    monkeypatch.setenv("HF_ENDPOINT", site.url("/hub"))
    store = church(sources=[NOWHERE, "hf://datasets/owner/church"]).prepare(tmp_path)
    assert store.images.shape == (20, 16, 16, 3)
    assert visible(tmp_path) == ["owner--church", "packed"]


@pytest.mark.parametrize("what", ["folder", "zip"])
def test_an_archive_that_the_user_has(tmp_path, make_lmdb, drawings, what):
    path = make_lmdb(tmp_path / "mine", drawings(5))
    if what == "zip":
        (tmp_path / "mine.zip").write_bytes(zipped(path))
        path = tmp_path / "mine.zip"
    assert len(church(archive=path).prepare(tmp_path / "data").images) == 5
    assert visible(tmp_path / "data") == ["packed"]


def test_a_packed_scene_does_not_need_its_source_any_more(tmp_path, make_lmdb, drawings):
    make_lmdb(tmp_path / NAME, drawings(5))
    church().open(tmp_path, 2, 0)
    shutil.rmtree(tmp_path / NAME)
    assert church().open(tmp_path, 2, 0).batch(0, torch.device("cpu")).samples.shape == (2, 3, 16, 16)


def test_a_broken_value_is_skipped(tmp_path, make_lmdb, drawings):
    make_lmdb(tmp_path / NAME, {**drawings(5), "broken": b"RIFF nothing"})
    store = church().prepare(tmp_path)
    assert len(store.images) == 5
    assert (store.folder / "skipped.txt").read_text() == "key broken: not an image in a format that is known\n"


def test_when_every_source_fails(tmp_path, site):
    with pytest.raises(LsganError) as caught:
        church(sources=[NOWHERE, site.url(f"/{NAME}.zip")]).prepare(tmp_path)
    for part in (
        "LSUN church_outdoor train cannot be downloaded (",
        f"{NOWHERE}: ",
        "Connection refused (tried 4 times); ",
        f"/{NAME}.zip: HTTP 404 Not Found); ",
        f"put {NAME}.zip into {tmp_path} by hand, ",
        "dataset.archive=<zip, LMDB folder or parquet folder>",
    ):
        assert part in str(caught.value)
    assert visible(tmp_path) == []


def test_an_archive_that_is_not_there(tmp_path):
    with pytest.raises(LsganError, match=r"dataset.archive=.*nowhere is not there: name what holds LSUN church"):
        church(archive=tmp_path / "nowhere").prepare(tmp_path)


def test_damaged_archives_leave_nothing(tmp_path, make_lmdb):
    archive = tmp_path / f"{NAME}.zip"
    archive.write_text("<html>please log in</html>")
    with pytest.raises(LsganError, match="is a web page"):
        church().prepare(tmp_path)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "nothing here")
    with pytest.raises(LsganError, match="no images in"):
        church().prepare(tmp_path)
    make_lmdb(tmp_path / NAME, {})
    with pytest.raises(LsganError, match="is an LMDB without a single image"):
        church().prepare(tmp_path)
    assert visible(tmp_path / "packed") == []


def test_room_is_asked_for_the_packed_images_too(tmp_path, site, monkeypatch):
    site.files[f"/{NAME}.zip"] = b"x" * 1000
    usage = shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(LsganError, match=r"1.0 GB free, but 4.8 GB are needed to download and pack http"):
        church(112, sources=[site.url(f"/{NAME}.zip")], num_images=126227).prepare(tmp_path)
