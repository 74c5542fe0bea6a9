"""A small Hydra application: two losses, of which each has a key of its own, and numbers."""

from functools import cache

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

FILES = {
    "config.yaml": "defaults:\n  - _self_\n  - loss: a\nx: 0.0\nn: 1\nmust: ???\n",
    "loss/a.yaml": "weight: 1.0\n",
    "loss/b.yaml": "scale: ???\n",
}


class Loader:
    """Hydra's, which composes nothing twice: it takes its time."""

    def __init__(self, loader):
        self.get_group_options = loader.get_group_options
        self._composed = cache(lambda overrides: loader.load_sweep_config(self.config, list(overrides)))
        self.config = loader.load_configuration("config", [], RunMode.MULTIRUN)

    def load_sweep_config(self, config, overrides):
        return self._composed(tuple(overrides))


@pytest.fixture(scope="session")
def loader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conf")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with initialize_config_dir(str(folder), version_base="1.3"):
        return Loader(GlobalHydra.instance().config_loader())
