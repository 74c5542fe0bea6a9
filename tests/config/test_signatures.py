"""What the source says must be what Python says once the component is imported."""

import inspect
import typing
from pathlib import Path

import hydra
import pytest
import yaml

from lsgan.config.signatures import parameters_of

ROOT = Path(__file__).resolve().parents[1]
TARGETS = sorted(
    {
        target
        for path in (ROOT / "conf").glob("*/*.yaml")
        for content in [yaml.safe_load(path.read_text()) or {}]
        for target in [content.get(path.parent.name, content).get("_target_")]
        if target is not None
    }
)


@pytest.mark.parametrize("target", TARGETS)
def test_parameters_are_those_of_the_imported_component(target):
    component = hydra.utils.get_object(target)
    hints = typing.get_type_hints(component.__init__ if inspect.isclass(component) else component)
    found = parameters_of(target)
    assert found is not None
    assert list(found) == list(inspect.signature(component).parameters)
    assert {name: hint for name, hint in found.items() if hint is not typing.Any}.items() <= hints.items()
    assert [name for name, hint in found.items() if hint is typing.Any] == [
        name for name, hint in hints.items() if name in found and "Literal" in str(hint)
    ]


def test_what_is_not_the_projects_is_not_known():
    for target in ("torch.optim.Adam", "lsgan.nothing.Here", "lsgan.losses.Nothing", "nothing", "lsgan.losses.math.pi"):
        assert parameters_of(target) is None


SOURCE = """
from collections import OrderedDict
from dataclasses import dataclass

def anything(shape: int, **more: int): ...

@dataclass
class Base:
    first: int

class Child(Base):
    pass

class Foreign(OrderedDict):
    second: int
"""


def test_a_source_that_does_not_tell_all_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(SOURCE)
    monkeypatch.setattr("lsgan.config.signatures._PACKAGE", tmp_path)
    assert parameters_of("lsgan.mine.anything") is None
    assert parameters_of("lsgan.mine.Foreign") is None
    assert parameters_of("lsgan.mine.Child") == {"first": int}
