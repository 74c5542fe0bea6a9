"""Run folders of earlier versions name components as they were called then."""

import inspect
from pathlib import Path

import hydra
import pytest
import torch

from lsgan import config
from lsgan.config.components import check_arguments, instantiate, is_conditional
from lsgan.config.moved import ADDED, MOVED, migrated, moved

RUNS = sorted((Path(__file__).parents[1] / "fixtures" / "runs-0.1").glob("*/*"))


@pytest.mark.parametrize("old", MOVED)
def test_what_moved_is_where_it_is_said_to_be(old):
    assert callable(hydra.utils.get_object(MOVED[old]))
    with pytest.raises(Exception, match="Error"):
        hydra.utils.get_object(old)


def test_names_that_did_not_move_stay():
    assert moved("lsgan.data.digits.Digits") == "lsgan.data.sets.digits.Digits"
    for target in ("lsgan.data.sets.digits.Digits", "torch.optim.Adam", "lsgan.losses.LeastSquares"):
        assert moved(target) == target


def test_components_move_wherever_they_lie_and_get_the_arguments_that_make_them_what_they_were():
    node = {"_target_": "lsgan.architectures.conditional.dcgan_conditional", "label_dim": 2}
    now = {"_target_": "lsgan.architectures.dcgan.dcgan", "label_dim": 2, "conditioning": "concatenated"}
    assert migrated({"architecture": node, "seed": 3}) == {"architecture": now, "seed": 3}
    assert migrated(now) == now
    assert node == {"_target_": "lsgan.architectures.conditional.dcgan_conditional", "label_dim": 2}
    check_arguments(node, "architecture")
    assert is_conditional(node)
    assert instantiate(
        node, "architecture", shape=(1, 8, 8), z_dim=3, num_classes=4
    ).generator.label_map.bias.shape == (2,)


def test_what_a_component_has_got_since_is_said_and_what_was_said_stays():
    targets = {"_target_": "lsgan.losses.LeastSquares", "a": -1, "b": 1, "c": 0}
    assert migrated({"loss": targets}) == {"loss": {**targets, "k": 2}}
    assert migrated({**targets, "k": 3}) == {**targets, "k": 3}
    for target, added in ADDED.items():
        for name, value in added.items():
            assert inspect.signature(hydra.utils.get_object(target)).parameters[name].default == value


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_saved_configs_build_the_networks_of_their_checkpoints(folder):
    settings = config.check(config.load(folder))
    networks = config.build_networks(settings, config.build(settings, "dataset"), config.build(settings, "latent"))
    saved = torch.load(folder / "checkpoints" / "step-000004.pt", weights_only=True)
    for name, network in networks._asdict().items():
        network.load_state_dict(saved[name])
    assert is_conditional(settings.architecture) == (folder.name == "classes")
