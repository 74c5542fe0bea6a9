"""Parameters of the project's own components, read from their source: to know them, nothing has to be imported.

Importing a component imports torch, which takes longer than a mistake on the command line should.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def parameters_of(target: str) -> dict[str, Any] | None:
    """Name and type of each parameter of a class or function `lsgan.module.name`; Any for types of other libraries.

    None if it is not the project's, or its source is not understood.
    """
    module, _, name = target.rpartition(".")
    package, *path = module.split(".")
    source = _PACKAGE.joinpath(*path).with_suffix(".py")
    if package != "lsgan" or not source.is_file():
        return None
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return dict(_arguments(node.args))
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _of_class(node, module, tree)
    return None


def _of_class(node: ast.ClassDef, module: str, tree: ast.Module) -> dict[str, Any]:
    """Those of its __init__, or the fields of a dataclass and its bases."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return dict(list(_arguments(part.args))[1:])  # without self
    imported = {
        alias.name: f"{part.module}.{alias.name}"
        for part in tree.body
        if isinstance(part, ast.ImportFrom)
        for alias in part.names
    }
    fields: dict[str, Any] = {}
    for base in node.bases:
        name = ast.unparse(base)
        fields |= parameters_of(imported.get(name, f"{module}.{name}")) or {}
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            annotation = ast.unparse(part.annotation)
            if not annotation.startswith("ClassVar"):
                fields[part.target.id] = _type(annotation)
    return fields


def _arguments(arguments: ast.arguments) -> Iterator[tuple[str, Any]]:
    for argument in (*arguments.args, *arguments.kwonlyargs):
        yield argument.arg, _type(ast.unparse(argument.annotation) if argument.annotation else "Any")


def _type(annotation: str) -> Any:
    """What an annotation in the project's source says, if it is made of built-in types and paths."""
    try:
        return eval(annotation, {"Any": Any, "Path": Path})
    except (NameError, TypeError):
        return Any
