import io
import shutil
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from lsgan.data.lsun import Lsun
from lsgan.data.store import open_store
from lsgan.errors import LsganError

NAME = "church_outdoor_train_lmdb"


def church(resolution=16):
    return Lsun(name="lsun_church", scene="church_outdoor", resolution=resolution)


def stored(data_dir):
    (folder,) = (data_dir / "packed").iterdir()
    return open_store(folder)


@pytest.mark.parametrize("kind", ["WEBP", "JPEG"])
def test_an_unpacked_lmdb(tmp_path, make_lmdb, drawings, kind):
    values = drawings(70, kind)
    make_lmdb(tmp_path / NAME, values)
    batches = church(112).open(tmp_path, 8, 0)
    images = stored(tmp_path)
    assert images.shape == (70, 112, 112, 3)
    first = Image.open(io.BytesIO(values[min(values)])).resize((112, 112), Image.Resampling.BICUBIC)
    assert np.array_equal(images[0], np.asarray(first))  # the paper's direct resize, keys in order
    assert batches.batch(0, torch.device("cpu")).samples.shape == (8, 3, 112, 112)


def test_the_zip_gives_the_same_store_and_is_tidied_up(tmp_path, make_lmdb, drawings):
    make_lmdb(tmp_path / "folder" / NAME, drawings(20))
    (tmp_path / "zip").mkdir()
    with zipfile.ZipFile(tmp_path / "zip" / f"{NAME}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (tmp_path / "folder" / NAME).iterdir():
            archive.write(file, f"{NAME}/{file.name}")
    church().open(tmp_path / "folder", 8, 0)
    church().open(tmp_path / "zip", 8, 0)
    assert np.array_equal(stored(tmp_path / "folder"), stored(tmp_path / "zip"))
    assert sorted(path.name for path in (tmp_path / "zip").iterdir()) == [f"{NAME}.zip", "packed"]


def test_a_packed_scene_does_not_need_its_source_any_more(tmp_path, make_lmdb, drawings):
    make_lmdb(tmp_path / NAME, drawings(5))
    church().open(tmp_path, 2, 0)
    shutil.rmtree(tmp_path / NAME)
    assert church().open(tmp_path, 2, 0).batch(0, torch.device("cpu")).samples.shape == (2, 3, 16, 16)


def test_a_broken_value_is_skipped(tmp_path, make_lmdb, drawings):
    make_lmdb(tmp_path / NAME, {**drawings(5), "broken": b"RIFF nothing"})
    church().open(tmp_path, 2, 0)
    assert len(stored(tmp_path)) == 5


def test_missing_data_say_where_they_belong(tmp_path):
    with pytest.raises(LsganError) as caught:
        church().open(tmp_path, 2, 0)
    for part in (str(tmp_path), NAME, f"{NAME}.zip", "dl.yf.io/lsun/scenes", "data_dir=", "LSGAN_DATA"):
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_damaged_sources(tmp_path, make_lmdb):
    archive = tmp_path / f"{NAME}.zip"
    archive.write_text("<html>please log in</html>")
    with pytest.raises(LsganError, match="is not a sound zip file"):
        church().open(tmp_path, 2, 0)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "nothing here")
    with pytest.raises(LsganError, match=r"holds no LMDB \(no data.mdb\)"):
        church().open(tmp_path, 2, 0)
    make_lmdb(tmp_path / NAME, {})
    with pytest.raises(LsganError, match="LSUN church_outdoor train holds no images"):
        church().open(tmp_path, 2, 0)
    shutil.rmtree(tmp_path / NAME)
    whole = make_lmdb(tmp_path / NAME, {f"{i}": b"x" * 5000 for i in range(50)}) / "data.mdb"
    with open(whole, "r+b") as file:
        file.truncate(100_000)
    with pytest.raises(LsganError, match=r"is cut short \(100,000 of [\d,]+ bytes\): get the data set again"):
        church().open(tmp_path, 2, 0)
    whole.write_bytes(b"not a database" * 1000)
    with pytest.raises(LsganError, match="is not a readable LMDB"):
        church().open(tmp_path, 2, 0)
    assert not list((tmp_path / "packed").glob("*"))
