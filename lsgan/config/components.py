"""The one place that turns a config node into an object: the signature that `_target_` names is the schema."""

import dataclasses
import difflib
import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import hydra
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException, ValidationError

from lsgan.config.moved import migrated
from lsgan.config.signatures import parameters_of
from lsgan.errors import LsganError


def instantiate(node: Any, name: str, *args: Any, **given: Any) -> Any:
    """What `_target_` makes of the other keys of `node`; `args` and `given` come from other components.

    Args:
        node: a plain dict, all interpolations resolved.
        name: of the node in the config, for messages.

    Raises:
        LsganError: an argument is unknown, missing, of a wrong type, or refused by the constructor.
    """
    node = migrated(node)
    target = _target(node, name)
    values = _arguments(target, node, name, _settable(target, len(args), given))
    try:
        return target(*args, **values, **given)
    except (ValueError, TypeError, IndexError) as error:
        raise LsganError(f"{name}: {error}") from error


def completed(node: dict[str, Any], name: str, given: Sequence[str] = (), num_args: int = 0) -> dict[str, Any]:
    """The node with typed values, and the constructor's defaults where it says nothing.

    Args:
        node: as for `instantiate`.
        name: of the node in the config, for messages.
        given: arguments that come from other components, by name.
        num_args: how many come from them by position.

    Raises:
        LsganError: as `instantiate`.
    """
    node = migrated(node)
    target = _target(node, name)
    parameters = _settable(target, num_args, given)
    defaults = {key: _plain(p.default) for key, p in parameters.items() if p.default is not inspect.Parameter.empty}
    values = {key: _plain(value) for key, value in _arguments(target, node, name, parameters).items()}
    return {"_target_": node["_target_"], **defaults, **values}


def check_arguments(node: dict[str, Any], name: str) -> None:
    """Names and types of a component's arguments, without importing it; `instantiate` finds what is wrong beyond that.

    Raises:
        LsganError: an argument is unknown or of a wrong type.
    """
    node = migrated(node)
    parameters = parameters_of(str(node["_target_"]))
    if parameters is not None:
        values = _values(node)
        _check_known(values, parameters, name)
        _typed_values(values, parameters, name)


def is_conditional(node: Any, name: str = "architecture") -> bool:
    """Whether the networks of an architecture's node are told the class of each sample.

    They are if its function has a parameter `num_classes`, unless it has `conditioning` too and that is none.
    The project's own are not imported to know it; in their signatures `conditioning` is none.

    Raises:
        LsganError: the function is not the project's and cannot be imported.
    """
    node = migrated(node)
    parameters = parameters_of(str(node.get("_target_"))) if isinstance(node, dict) else None
    default = "none"
    if parameters is None:
        parameters = dict(inspect.signature(_target(node, name)).parameters)
        if "conditioning" in parameters:
            default = parameters["conditioning"].default
    if "conditioning" in parameters:
        return node.get("conditioning", default) != "none"
    return "num_classes" in parameters


def parameters(node: Any, name: str) -> set[str]:
    """Names of what a component's constructor takes. Raises as `instantiate`."""
    return {*inspect.signature(_target(migrated(node), name)).parameters}


def typed(schema: type, cfg: DictConfig, prefix: str = "") -> Any:
    """`cfg` as an instance of the dataclass `schema`, converted to its types; `prefix` goes before keys in messages.

    Raises:
        LsganError: a key is unknown or missing, or a value is of a wrong type.
    """
    for field in dataclasses.fields(schema):
        if Path in _of_union(field.type) and OmegaConf.to_container(cfg, resolve=False).get(field.name) == "":  # type: ignore[union-attr]
            raise LsganError(f"{prefix}{field.name}= must be a path: write one, or leave it out")
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), cfg))
    except MissingMandatoryValue as error:
        raise LsganError(f"{prefix}{error.full_key} must be given: add {prefix}{error.full_key}=<value>") from error
    except ConfigKeyError as error:
        key = f"{prefix}{error.full_key}"
        hint = did_you_mean(str(error.full_key), [field.name for field in dataclasses.fields(schema)])
        raise LsganError(f"{key} is read by nothing{hint}: take it out") from error
    except ValidationError as error:
        key = str(error.full_key)
        kind = _kind(typing.get_type_hints(schema).get(key.split("[")[0]))
        raise LsganError(f"{prefix}{key}={OmegaConf.select(cfg, key)} must be {kind}") from error
    except OmegaConfBaseException as error:
        key = "" if error.full_key is None else f"{prefix}{error.full_key}: "
        raise LsganError(f"{key}{str(error).splitlines()[0]}") from error


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """` (did you mean …?)`, or nothing if no choice is close."""
    close = difflib.get_close_matches(word, list(choices), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _target(node: Any, name: str) -> Callable[..., Any]:
    path = node.get("_target_") if isinstance(node, dict) else None
    if path is None:
        raise LsganError(f"{name} has no _target_: it must name the class or function that builds it")
    try:
        return hydra.utils.get_object(path)
    except Exception as error:  # Hydra wraps whatever the import raised
        raise LsganError(f"{name}._target_={path} cannot be imported: {' '.join(str(error).split())}") from error


def _values(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "_target_"}


def _settable(target: Callable[..., Any], num_args: int, given: Iterable[str]) -> dict[str, inspect.Parameter]:
    """What YAML may set: the target's parameters but those that other components give."""
    any_keys = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = list(inspect.signature(target).parameters.items())[num_args:]
    return {name: p for name, p in parameters if name not in given and p.kind not in any_keys}


def _arguments(
    target: Callable[..., Any], node: dict[str, Any], name: str, parameters: dict[str, inspect.Parameter]
) -> dict[str, Any]:
    """What the node sets, checked against the target's signature and converted to the types that it names."""
    values = _values(node)
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(target).parameters.values()):
        _check_known(values, parameters, name)
    for key, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in values:
            raise LsganError(f"{name}.{key} must be given: add {name}.{key}=<value>")
    try:
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except NameError:  # of a name that only type checkers import
        hints = parameters_of(node["_target_"]) or {}
    return _typed_values(values, hints, name)


def _typed_values(values: dict[str, Any], hints: dict[str, Any], name: str) -> dict[str, Any]:
    """The values as their hints say; those of keys without one as they are."""
    fields: list[Any] = [(key, _of_yaml(hints.get(key, Any)), MISSING) for key in values]
    found = vars(typed(dataclasses.make_dataclass("Arguments", fields), OmegaConf.create(values), prefix=f"{name}."))
    for key, value in found.items():
        length = _length(hints.get(key))
        if length is not None and len(value) != length:
            raise LsganError(f"{name}.{key}={values[key]} must be a list of {length} values")
    return found


def _of_yaml(hint: Any) -> Any:
    """The part of a type that YAML can say and OmegaConf checks: `float | Tensor` is `float`; Any if there is none."""
    if hint in (int, float, bool, str, Path, type(None)):
        return hint
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        parts = [_of_yaml(arg) for arg in args]
        scalars = [part for part in parts if part is not Any and typing.get_origin(part) is None]
        is_scalar = len(scalars) > 0 and not any(typing.get_origin(part) for part in parts)
        return functools.reduce(operator.or_, scalars) if is_scalar else Any
    if origin in (list, tuple, Sequence) and args:
        return list[_of_yaml(args[0])]  # type: ignore[misc]
    return Any


def _of_union(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _length(hint: Any) -> int | None:
    """Of a tuple with a fixed number of entries."""
    args = typing.get_args(hint)
    return len(args) if typing.get_origin(hint) is tuple and Ellipsis not in args else None


def _plain(value: Any) -> Any:
    """As YAML and JSON can say it, the same in every process: a function by its name, not by its address."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def _check_known(values: Iterable[str], parameters: Iterable[str], name: str) -> None:
    for key in values:
        if key not in parameters:
            raise LsganError(f"{name}.{key} is read by nothing{did_you_mean(key, parameters)}: take it out")


def _kind(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        return " or ".join(_kind(part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is list:
        return "a list" if typing.get_args(hint) == (Any,) else f"a list, each of it {_kind(typing.get_args(hint)[0])}"
    kinds = {int: "an integer", float: "a number", bool: "true or false", str: "a text", Path: "a path"}
    return kinds.get(hint, "null" if hint is type(None) else f"a {hint}")
