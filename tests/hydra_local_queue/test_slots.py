"""Where jobs run, and in which environment."""

import os

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from hydra_plugins.hydra_local_queue import _slots
from hydra_plugins.hydra_local_queue._process import Process
from hydra_plugins.hydra_local_queue.launcher import LocalQueue

CODE = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def without_a_list(monkeypatch, tmp_path):
    """Nobody knows which GPUs there are."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(_slots, "_NVIDIA", tmp_path / "none")


def visible(slots):
    return [slot.environment.get("CUDA_VISIBLE_DEVICES") for slot in slots]


@pytest.mark.parametrize("devices", [0, 1, True, "0", ["a"], [0.5], [True], [-1], [None]])
def test_devices_that_are_no_numbers_are_a_sentence(devices):
    told = OmegaConf.create({"devices": devices}).devices
    with pytest.raises(HydraException, match=r" must be a list of numbers of GPUs, from 0 on: devices=\[0,1\]"):
        LocalQueue("f", devices=told)


@pytest.mark.parametrize("name", ["workers", "jobs_per_device"])
@pytest.mark.parametrize("value", [0, True, "2", 1.5])
def test_numbers_that_are_none_are_a_sentence(name, value):
    with pytest.raises(HydraException, match=f"^{name}={value} must be a whole number of at least 1"):
        LocalQueue("f", **{name: value})


def test_no_devices_are_none_whatever_is_there(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert visible(_slots.slots(2, OmegaConf.create([]), 1)) == ["", ""]
    assert visible(_slots.slots(None, None, 1)) == ["3", "5"]


def test_devices_of_which_there_is_no_list_are_taken_as_they_are(without_a_list):
    assert visible(_slots.slots(None, [1, 0], 2)) == ["1", "0", "1", "0"]
    assert visible(_slots.slots(2, None, 1)) == [None, None]
    assert visible(_slots.slots(None, [], 1)) == [""]


def test_where_there_is_a_list_a_device_must_be_in_it(without_a_list, monkeypatch, tmp_path):
    (tmp_path / "none" / "gpu").mkdir(parents=True)
    assert visible(_slots.slots(None, [0], 1)) == ["0"]
    with pytest.raises(HydraException, match=r"devices=\[1\]: there is no device 1 \(numbers from 0 to 0\)"):
        _slots.slots(None, [1], 1)


def test_a_job_is_no_rank_of_the_torchrun_that_started_the_queue(monkeypatch, tmp_path):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_MAX_RESTARTS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("MINE", "kept")
    assert Process(["-c", CODE], {"GIVEN": "too"}, tmp_path / "out").wait() == 0
    told = (tmp_path / "out").read_text()
    assert '"MINE": "kept"' in told
    assert '"GIVEN": "too"' in told
    assert "RANK" not in told
    assert "WORLD_SIZE" not in told
    assert "MASTER" not in told
    assert "TORCHELASTIC" not in told
    assert os.environ["RANK"] == "1"
