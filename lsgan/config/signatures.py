"""Parameters of the project's own components, read from their source: to know them, nothing has to be imported.

Importing a component imports torch, which takes longer than a mistake on the command line should.
"""

import ast
from pathlib import Path
from typing import Any

from lsgan.architectures import shapes
from lsgan.architectures.shapes import Shapes
from lsgan.config.moved import moved

_PACKAGE = Path(__file__).resolve().parents[1]


def parameters_of(target: str) -> dict[str, Any] | None:
    """Name and type of each parameter of a class or function `lsgan.module.name`; Any for types of other libraries.

    None if the source alone does not tell: not the project's, with a base that is not, or taking any keyword.
    """
    target = moved(target)
    node = source_of(target)
    if isinstance(node, ast.ClassDef):
        return _of_class(node, target.rpartition(".")[0])
    return None if node is None else _of_function(node)


def source_of(target: str) -> ast.ClassDef | ast.FunctionDef | None:
    """The definition of a class or function `lsgan.module.name`; None if there is none at the top of that module."""
    module, _, name = target.rpartition(".")
    for node in _source(module):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return node
    return None


def shapes_of(target: str) -> Shapes | None:
    """The samples that an architecture of this project makes; None if its source does not tell."""
    for node in _source(moved(target).rpartition(".")[0]):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SHAPES":
            return eval(ast.unparse(node.value), vars(shapes))
    return None


def _source(module: str) -> list[ast.stmt]:
    """What a module of the package is made of; nothing if it is no module of the package."""
    package, *path = module.split(".")
    source = _PACKAGE.joinpath(*path).with_suffix(".py")
    if package != "lsgan" or not source.is_file():
        return []
    return ast.parse(source.read_text(encoding="utf-8")).body


def _of_function(node: ast.FunctionDef) -> dict[str, Any] | None:
    arguments = (*node.args.args, *node.args.kwonlyargs)
    if node.args.kwarg or node.args.vararg or node.args.posonlyargs:
        return None
    return {a.arg: _type(ast.unparse(a.annotation) if a.annotation else "Any") for a in arguments if a.arg != "self"}


def _of_class(node: ast.ClassDef, module: str) -> dict[str, Any] | None:
    """Those of its __init__, or the fields of a dataclass and its bases."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return _of_function(part)
    imported = {
        alias.name: f"{part.module}.{alias.name}"
        for part in _source(module)
        if isinstance(part, ast.ImportFrom)
        for alias in part.names
    }
    fields: dict[str, Any] = {}
    for base in node.bases:
        name = ast.unparse(base)
        path = imported.get(name, f"{module}.{name}")
        inherited = {} if path in ("abc.ABC", "typing.Protocol") else parameters_of(path)
        if inherited is None:
            return None
        fields |= inherited
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            annotation = ast.unparse(part.annotation)
            if not annotation.startswith("ClassVar"):
                fields[part.target.id] = _type(annotation)
    return fields


def _type(annotation: str) -> Any:
    """What an annotation in the project's source says, if it is made of built-in types and paths."""
    try:
        found = eval(annotation, {"Any": Any, "Path": Path})
    except (NameError, TypeError):
        return Any
    return Any if isinstance(found, str) else found
