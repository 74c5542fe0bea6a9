from typing import Literal

import pytest

from lsgan import losses
from lsgan.errors import LsganError
from lsgan.instantiate import did_you_mean, instantiate


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
