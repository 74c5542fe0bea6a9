"""Who may import whom (see docs/design.md): rules that a machine checks, so that nobody has to remember them."""

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lsgan"
BOTTOM = {"errors", "files", "latents", "losses", "penalties", "provenance", "streams", "terminal", "theory"}
BOTTOM |= {"threads", "world"}
MIDDLE = {"architectures", "data", "evaluation", "tracking"}
TOP = {"arguments", "board", "command", "comparison", "config", "evaluate", "explain", "export", "exporting", "film"}
TOP |= {"prepare", "replacing", "review", "run", "runs", "sample", "sweep", "trained"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path):
    """Every module that the file imports anywhere, type checking included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "lsgan":
                yield from (f"lsgan.{alias.name}" for alias in node.names)
            else:
                yield node.module


def top_level_imports(path):
    """What is imported as soon as the file is."""
    body = ast.parse(path.read_text()).body
    names = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in body if isinstance(node, ast.ImportFrom)}


def layer(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def siblings(path):
    return {name.split(".")[1] for name in imports(path) if name.startswith("lsgan.")}


def may_import(name):
    if name == "losses":
        return set()
    if name in BOTTOM:
        return BOTTOM - {"losses", "penalties"}
    if name in MIDDLE:
        return BOTTOM | {name}
    if name == "observe":
        return BOTTOM | {"observe", "data", "evaluation"}
    if name == "training":
        return BOTTOM | {"training", "data", "tracking", "observe"}
    return BOTTOM | MIDDLE | TOP | {"training", "observe"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    if path == PACKAGE / "__init__.py":
        assert siblings(path) == {"trained"}  # for `lsgan.load`, and only when that is called
        assert top_level_imports(path) == {"pathlib", "typing"}
        return
    if path == PACKAGE / "theory" / "__main__.py":
        assert siblings(path) == {"command", "explain"}  # the command hands to who draws
        return
    assert siblings(path) <= may_import(layer(path))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "hydra_plugins").rglob("*.py")), ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_the_plugins_know_nothing_of_lsgan(path):
    """They serve other applications of Hydra."""
    assert not [name for name in imports(path) if name.split(".")[0] in ("lsgan", "train")]


def test_training_uses_protocols_only():
    """Of data, tracking and observers, training may know what each is, and no more."""
    allowed = {"lsgan.data.batches", "lsgan.data.dataset", "lsgan.tracking.tracker", "lsgan.observe.observer"}
    for path in (PACKAGE / "training").glob("*.py"):
        used = {name for name in imports(path) if name.startswith(("lsgan.data", "lsgan.tracking", "lsgan.observe"))}
        assert used <= allowed, path


def test_an_image_goes_one_way():
    """Sources know nothing of what becomes of their images, store and batches nothing of the data sets."""
    for path in (PACKAGE / "data").rglob("*.py"):
        used = {name for name in imports(path) if name.startswith("lsgan.data")}
        if path.parent.name == "sources":
            assert all(name.startswith("lsgan.data.sources") for name in used), path
        elif path.parent.name == "data":
            assert not any(name.startswith("lsgan.data.sets") for name in used), path


def test_observers_know_a_data_set_by_its_protocol_and_import_torch_when_they_look():
    for path in (PACKAGE / "observe").glob("*.py"):
        assert {name for name in imports(path) if name.startswith("lsgan.data")} <= {"lsgan.data.dataset"}, path
        assert not {name.split(".")[0] for name in top_level_imports(path)} & {"torch", "torchvision", "numpy"}, path


def test_no_function_of_the_training_takes_more_than_six_arguments():
    for path in (PACKAGE / "training").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and "ctx" not in [a.arg for a in node.args.args]:
                names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                assert len([name for name in names if name != "self"]) <= 6, f"{path}: {node.name}"


def test_losses_and_penalties_are_torch_alone():
    for name in ("losses", "penalties"):
        assert {n.split(".")[0] for n in imports(PACKAGE / f"{name}.py")} <= {
            "collections",
            "dataclasses",
            "math",
            "torch",
            "typing",
        }


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_top_knows_hydra_and_one_file_knows_wandb(path):
    used = {name.split(".")[0] for name in imports(path)}
    if layer(path) not in TOP:
        assert not used & {"hydra", "omegaconf"}
    if path != PACKAGE / "tracking" / "weights_and_biases.py":
        assert "wandb" not in used


def test_every_module_belongs_to_a_layer():
    assert {layer(path) for path in MODULES} == BOTTOM | MIDDLE | TOP | {"observe", "training", "__init__"}


def test_torch_is_not_imported_before_the_config_is_checked():
    """Nothing that train.py imports at its top may pull in torch: help and mistakes answer at once."""
    for path in (
        ROOT / "train.py",
        *(PACKAGE / "config").glob("*.py"),
        PACKAGE / "command.py",
        PACKAGE / "comparison.py",
        PACKAGE / "errors.py",
        PACKAGE / "export.py",
        PACKAGE / "provenance.py",
        PACKAGE / "runs.py",
        PACKAGE / "sample.py",
        PACKAGE / "terminal.py",
        PACKAGE / "threads.py",
        PACKAGE / "tracking" / "run_record.py",
        PACKAGE / "trained.py",
    ):
        assert not {n for n in top_level_imports(path) if n.split(".")[0] in ("torch", "torchvision", "wandb")}, path


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.name)
def test_what_benchmarks_import_is_there(path):
    """Nobody runs them in the tests."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lsgan"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}")
