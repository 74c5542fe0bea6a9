import logging
import pickle

import numpy as np
import pytest
import torch

from lsgan.evaluation.cache import cached_features
from lsgan.evaluation.features import Extracted

KEY = {"name": "lite0", "digest": "5793", "data": "abc", "num": 3, "rule": "bilinear to 224×224"}


@pytest.fixture
def computed():
    """Features of three samples; counts how often they were computed."""

    def compute():
        compute.times += 1
        generator = torch.Generator().manual_seed(compute.times)
        return Extracted(torch.randn(3, 4, generator=generator), torch.rand(3, 2, generator=generator))

    compute.times = 0
    return compute


def same(a, b):
    return all((x is None and y is None) or torch.equal(x, y) for x, y in zip(a, b, strict=True))


def the_file(folder):
    (path,) = folder.iterdir()
    return path


def test_the_same_key_is_computed_once_in_whatever_order_it_stands(tmp_path, computed):
    folder = tmp_path / "new" / "features"
    first = cached_features(folder, KEY, computed)
    again = cached_features(folder, dict(reversed(KEY.items())), computed)
    assert computed.times == 1
    assert same(first, again)
    assert the_file(folder).name.startswith("lite0-")


@pytest.mark.parametrize(
    "part", [{"data": "abd"}, {"num": 4}, {"digest": "5794"}, {"rule": "other"}, {"side": "held out"}]
)
def test_another_key_is_another_file(tmp_path, computed, part):
    cached_features(tmp_path, KEY, computed)
    cached_features(tmp_path, KEY | part, computed)
    assert computed.times == 2
    assert len([*tmp_path.iterdir()]) == 2


def test_features_without_classes(tmp_path):
    features = Extracted(torch.tensor([[1.5, -2.0]]), None)
    assert cached_features(tmp_path, KEY, lambda: features) is features
    assert same(cached_features(tmp_path, KEY, lambda: pytest.fail("it is there")), features)


def test_a_name_never_leads_out_of_the_folder(tmp_path, computed):
    cached_features(tmp_path / "in", {"name": "../../out"}, computed)
    assert the_file(tmp_path / "in").name.startswith(".._.._out-")


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"features.npy") + 200] ^= 1  # within the numbers
    path.write_bytes(content)


def of_another_key(path):
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "key": np.asarray("{}")})


def with_a_row_too_few(path):
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "probabilities": arrays["probabilities"][:2]})


def in_double_precision(path):
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "features": arrays["features"].astype(np.float64)})


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "a byte": flip_a_byte,
    "another key": of_another_key,
    "a row": with_a_row_too_few,
    "another type": in_double_precision,
    "an array": lambda path: np.save(open(path, "wb"), np.zeros(3)),  # noqa: SIM115
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_what_is_damaged_or_foreign_is_computed_anew_and_mended(tmp_path, computed, caplog, damage):
    first = cached_features(tmp_path, KEY, computed)
    damage(the_file(tmp_path))
    second = cached_features(tmp_path, KEY, computed)
    assert computed.times == 2
    assert not same(first, second)
    assert "computed anew" in caplog.text
    assert same(cached_features(tmp_path, KEY, computed), second)
    assert computed.times == 2


class Evil:
    def __reduce__(self):
        return pytest.fail, ("it was run",)


def test_nothing_in_a_crafted_file_is_run(tmp_path, computed):
    cached_features(tmp_path, KEY, computed)
    path = the_file(tmp_path)
    path.write_bytes(pickle.dumps(Evil()))
    cached_features(tmp_path, KEY, computed)
    evil = np.empty(1, object)
    evil[0] = Evil()
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "features": evil})
    cached_features(tmp_path, KEY, computed)
    assert computed.times == 3


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path, computed, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        cached_features(tmp_path / "file" / "features", KEY, computed)
        cached_features(tmp_path / "file" / "features", KEY, computed)
    assert computed.times == 2
    assert caplog.text.count("features cannot be kept in") == 2
    assert "Not a directory" in caplog.text
