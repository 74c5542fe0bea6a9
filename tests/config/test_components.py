import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import torch

from lsgan import losses
from lsgan.config.components import completed, did_you_mean, instantiate, is_conditional
from lsgan.errors import LsganError


def any_signature(level: Literal["low", "high"], factor=2.0, names: list[str] = ["a"], **rest):  # noqa: B006
    return level, factor, names, rest


def test_constructors_may_have_any_ordinary_signature(monkeypatch):
    monkeypatch.setattr(any_signature, "__module__", "lsgan.losses")
    monkeypatch.setattr(losses, "any_signature", any_signature, raising=False)
    node = {"_target_": "lsgan.losses.any_signature", "level": "low", "other": 1}
    assert instantiate(node, "loss") == ("low", 2.0, ["a"], {"other": 1})


def test_what_other_components_give_is_not_the_yamls_to_set():
    node = {"_target_": "lsgan.architectures.mlp.mlp", "width": 4}
    assert len(instantiate(node, "architecture", shape=(2,), z_dim=3).generator) == 5
    with pytest.raises(LsganError, match=r"architecture.z_dim is read by nothing"):
        instantiate({**node, "z_dim": 4}, "architecture", shape=(2,), z_dim=3)


def test_an_argument_that_is_missing():
    with pytest.raises(LsganError, match=r"loss.b must be given: add loss.b=<value>"):
        instantiate({"_target_": "lsgan.losses.LeastSquares", "a": 0, "c": 1}, "loss")


def test_a_node_without_a_target():
    with pytest.raises(LsganError, match=r"loss has no _target_: it must name the class or function that builds it"):
        instantiate({"a": 0}, "loss")


def test_did_you_mean():
    assert did_you_mean("lsgann", ["lsgan", "hinge"]) == " (did you mean lsgan?)"
    assert did_you_mean("zzz", ["lsgan", "hinge"]) == ""


class Foreign:
    """A component of somebody else's, with hints that YAML cannot say all of."""

    def __init__(self, params, rate: "float | torch.Tensor", betas: tuple[float, float] = (0.5, 0.9), name=None):
        self.rate, self.betas, self.name = rate, betas, name


@pytest.fixture
def node(monkeypatch):
    monkeypatch.setattr(losses, "Foreign", Foreign, raising=False)
    return {"_target_": "lsgan.losses.Foreign", "rate": 1}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"rate": "fast"}, "optimizer.generator.rate=fast must be a number"),
        ({"betas": 1}, "optimizer.generator.betas=1 must be a list, each of it a number"),
        ({"betas": [0.5]}, "optimizer.generator.betas=[0.5] must be a list of 2 values"),
        ({"betas": [0.5, "x"]}, "optimizer.generator.betas[1]=x must be a list, each of it a number"),
        ({"params": 1}, "optimizer.generator.params is read by nothing"),
        ({"nam": 1}, "optimizer.generator.nam is read by nothing (did you mean name?): take it out"),
    ],
)
def test_types_are_checked_for_whoevers_class(node, value, sentence):
    with pytest.raises(LsganError) as caught:
        instantiate({**node, **value}, "optimizer.generator", [])
    assert str(caught.value).startswith(sentence)


def test_values_of_the_right_type_arrive(node):
    made = instantiate({**node, "betas": [0.1, 0.2], "name": {"any": "thing"}}, "optimizer.generator", [])
    assert (made.rate, made.betas, made.name) == (1.0, [0.1, 0.2], {"any": "thing"})


def test_a_completed_node_has_the_defaults_of_the_constructor(node):
    expected = {"_target_": "lsgan.losses.Foreign", "rate": 1.0, "betas": [0.5, 0.9], "name": None}
    assert completed(node, "x", num_args=1) == expected
    assert completed({**node, "params": 3}, "x") == {**expected, "params": 3}


DCGAN, HWDB = "lsgan.architectures.dcgan.dcgan", "lsgan.architectures.lsgan_hwdb.lsgan_hwdb"
CONDITIONAL = [
    ({"_target_": DCGAN}, False),
    ({"_target_": DCGAN, "conditioning": "none"}, False),
    ({"_target_": DCGAN, "conditioning": "projection"}, True),
    ({"_target_": HWDB}, True),
]


@pytest.mark.parametrize(("node", "expected"), CONDITIONAL)
def test_an_architecture_is_conditional_by_its_conditioning_or_because_it_asks_for_classes(node, expected):
    assert is_conditional(node) == expected


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("shape, z_dim", False),
        ("shape, z_dim, num_classes", True),
        ("shape, z_dim, num_classes=0", True),
        ("shape, z_dim, num_classes=0, conditioning='none'", False),
        ("shape, z_dim, num_classes=0, conditioning='projection'", True),
    ],
)
def test_so_is_one_of_somebody_elses(tmp_path, monkeypatch, signature, expected):
    name = f"mine_{abs(hash(signature))}"
    (tmp_path / f"{name}.py").write_text(f"def pair({signature}): ...")
    monkeypatch.syspath_prepend(tmp_path)
    assert is_conditional({"_target_": f"{name}.pair"}) == expected


def test_to_know_it_torch_is_not_imported():
    code = (
        "import sys\nfrom lsgan.config.components import is_conditional\n"
        f"assert [is_conditional(node) for node, _ in {CONDITIONAL}] == {[told for _, told in CONDITIONAL]}\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], check=True, timeout=60)


def activated(shape, z_dim, activation=torch.relu, layer=torch.nn.ReLU, own=any_signature):
    return shape, z_dim, activation, layer, own


def test_a_default_that_is_a_function_is_told_by_its_name(monkeypatch):
    """Its address is another one in each process: the same run would be refused as another."""
    monkeypatch.setattr(activated, "__module__", "lsgan.losses")
    monkeypatch.setattr(losses, "activated", activated, raising=False)
    told = completed({"_target_": "lsgan.losses.activated"}, "architecture", ("shape", "z_dim"))
    assert told["layer"] == "torch.nn.modules.activation.ReLU"
    assert told["own"] == f"{__name__}.any_signature"
    assert "0x" not in str(told)
