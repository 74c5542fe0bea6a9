"""Each job is composed once, although Hydra's sweeper and the queue both want its config."""

import pytest
from omegaconf import OmegaConf

from hydra_plugins.hydra_local_queue import _composing
from hydra_plugins.hydra_local_queue._composing import Composing


class Loader:
    """Counts what it composes."""

    search_path = "somewhere"

    def __init__(self):
        self.composed = []

    def load_sweep_config(self, master_config, sweep_overrides):
        self.composed.append(sweep_overrides)
        return OmegaConf.create({"number": len(self.composed)})


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def composing(loader):
    return Composing(loader, lambda overrides: [word for word in overrides if word != "workers=2"])


MASTER = OmegaConf.create()


def test_what_was_checked_is_taken(composing, loader):
    assert composing.load_sweep_config(MASTER, ["workers=2", "seed=1"]).number == 1
    assert composing.load_sweep_config(MASTER, ["workers=2", "seed=2"]).number == 2
    assert composing.take(MASTER, ["seed=2"]).number == 2
    assert composing.take(MASTER, ["seed=1"]).number == 1
    assert loader.composed == [["seed=1"], ["seed=2"]]


def test_a_config_belongs_to_one_job_alone(composing, loader):
    """A search may choose the same settings twice, and a job may change its own config."""
    composing.load_sweep_config(MASTER, ["seed=1"])
    assert composing.take(MASTER, ["seed=1"]) is not composing.take(MASTER, ["seed=1"])
    assert len(loader.composed) == 2


def test_it_is_the_loader_in_all_else(composing):
    assert composing.search_path == "somewhere"


def test_composing_many_jobs_is_told(composing, monkeypatch, capsys):
    monkeypatch.setattr(_composing, "_SECONDS", -1.0)
    composing.load_sweep_config(MASTER, ["seed=1"])
    assert capsys.readouterr().err == "1 jobs are composed so far\n"
