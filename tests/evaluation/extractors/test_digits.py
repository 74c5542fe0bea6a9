import logging

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lsgan.evaluation.extractors import digits as module
from lsgan.evaluation.extractors.digits import Digits

CPU = torch.device("cpu")


@pytest.fixture
def cache(digits_cache):
    return digits_cache


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr(module, "_trained", lambda: pytest.fail("it was trained again"))


def small_digits():
    """uint8 [1797, 1, 8, 8] and their labels."""
    digits = load_digits()
    images = torch.from_numpy(np.round(digits.images * (255 / 16)).astype(np.uint8))
    return images.unsqueeze(1), torch.from_numpy(digits.target)


def test_it_reads_digits_and_says_how_well(cache, caplog, no_training):
    digits = Digits(cache)
    with caplog.at_level(logging.INFO):
        digits.load(CPU)
    assert f"reads {100 * digits.accuracy:.1f}% of 360 held-out digits right" in caplog.text
    assert digits.accuracy > 0.97
    images, labels = small_digits()
    features, probabilities = digits(images)
    assert features.shape == (1797, digits.dim)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(1797))
    assert (probabilities.argmax(dim=1) == labels).double().mean() > 0.98


def test_held_out_digits_are_no_part_of_the_training(monkeypatch):
    """The labels of the held-out ones are spoilt: what is learnt stays, what is counted as right does not."""
    monkeypatch.setattr(module, "_EPOCHS", 1)
    before, (images, labels) = module._trained(), module._digits()
    held_out = torch.randperm(1797, generator=module.stream(0, "features=digits, held out"))[:360]
    labels[held_out] = 0
    monkeypatch.setattr(module, "_digits", lambda: (images, labels))
    after = module._trained()
    assert after["digest"] == before["digest"]
    assert after["accuracy"] < 0.5 < before["accuracy"]


def test_weights_are_the_same_whatever_the_threads_and_the_global_generator(monkeypatch):
    monkeypatch.setattr(module, "_EPOCHS", 1)
    torch.manual_seed(5)
    first = module._trained()
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        torch.manual_seed(6)
        assert module._trained()["digest"] == first["digest"]
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


def test_the_digest_is_that_of_the_weights():
    state = {"b": torch.tensor([1.0]), "a": torch.tensor([[2.0, 3.0]])}
    assert module._digest(state) == module._digest(dict(reversed(state.items())))
    assert module._digest(state) != module._digest({**state, "b": torch.tensor([1.0 + 2**-20])})


@pytest.mark.parametrize("damage", ["empty", "cut", "a weight", "shapes", "names", "pickle"])
def test_a_damaged_file_is_made_anew(cache, tmp_path, caplog, monkeypatch, damage):
    content = (cache / "digits-1.pt").read_bytes()
    path, made = tmp_path / "digits-1.pt", tmp_path / "made"
    if damage == "a weight":
        state = torch.load(cache / "digits-1.pt", weights_only=True)
        state["state"]["last.bias"][0] += 1
        torch.save(state, path)
    elif damage in ("shapes", "names"):  # whole, but not of this network
        state = torch.load(cache / "digits-1.pt", weights_only=True)["state"]
        bias = state.pop("last.bias")
        state["last.bias" if damage == "shapes" else "bias"] = bias[:9]
        torch.save({"state": state, "digest": module._digest(state), "accuracy": 0.9}, path)
    elif damage == "pickle":

        class Evil:
            def __reduce__(self):
                return open, (str(made), "w")

        torch.save({"state": Evil()}, path)
    else:
        path.write_bytes({"empty": b"", "cut": content[:-1000]}[damage])
    sound = torch.load(cache / "digits-1.pt", weights_only=True)
    monkeypatch.setattr(module, "_trained", lambda: sound)
    digits = Digits(tmp_path)
    digits.load(CPU)
    assert "is damaged" in caplog.text
    assert digits.digest == sound["digest"]
    assert torch.load(path, weights_only=True)["digest"] == sound["digest"]
    assert not made.exists()


def test_a_folder_that_cannot_be_written_costs_a_warning(cache, tmp_path, caplog, monkeypatch):
    (tmp_path / "file").write_text("")
    sound = torch.load(cache / "digits-1.pt", weights_only=True)
    monkeypatch.setattr(module, "_trained", lambda: sound)
    digits = Digits(tmp_path / "file" / "features")
    digits.load(CPU)
    assert digits.digest == sound["digest"]
    assert "features=digits cannot be kept in" in caplog.text


def test_colour_and_size_do_not_matter_where_the_picture_is_the_same(cache):
    digits = Digits(cache)
    digits.load(CPU)
    images = small_digits()[0][:20].repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)  # 32×32
    features = digits(images).features
    torch.testing.assert_close(digits(images.expand(-1, 3, -1, -1)).features, features, atol=1e-4, rtol=1e-4)
    assert digits(images[:, :, :28, :24]).features.shape == (20, 64)
