"""The one place that turns a config node into an object: the signature that `_target_` names is the schema."""

import copy
import dataclasses
import difflib
import inspect
import types
import typing
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException, ValidationError

from lsgan.errors import LsganError
from lsgan.signatures import parameters_of


def instantiate(node: Any, name: str, *args: Any, **given: Any) -> Any:
    """What `_target_` makes of the other keys of `node`; `args` and `given` come from other components.

    Args:
        node: a plain dict, all interpolations resolved.
        name: of the node in the config, for messages.

    Raises:
        LsganError: an argument is unknown, missing, of a wrong type, or refused by the constructor.
    """
    target = _target(node, name)
    values = {k: v for k, v in node.items() if k != "_target_"}
    parameters = _parameters(target, given)
    if not _takes_any_key(target):
        _check_known(values, parameters, name)
    if target.__module__.startswith("lsgan."):
        values = _typed_arguments(target, parameters, values, name)
    try:
        return target(*args, **values, **given)
    except (ValueError, TypeError, IndexError) as error:
        raise LsganError(f"{name}: {error}") from error


def check_arguments(node: Any, name: str) -> None:
    """Names and types of a component's arguments, without importing it; `instantiate` finds what is wrong beyond that.

    Raises:
        LsganError: an argument is unknown or of a wrong type.
    """
    parameters = parameters_of(str(node.get("_target_"))) if isinstance(node, dict) else None
    if parameters is None:
        return
    values = {key: value for key, value in node.items() if key != "_target_"}
    _check_known(values, parameters, name)
    fields: list[Any] = [(key, parameters[key]) for key in values]
    typed(dataclasses.make_dataclass("Arguments", fields), OmegaConf.create(values), prefix=f"{name}.")


def takes(node: Any, name: str, parameter: str) -> bool:
    """Whether what `_target_` names has a parameter of that name. Raises LsganError if it cannot be imported."""
    return parameter in inspect.signature(_target(node, name)).parameters


def typed(schema: type, cfg: DictConfig, prefix: str = "") -> Any:
    """`cfg` as an instance of the dataclass `schema`, converted to its types; `prefix` goes before keys in messages.

    Raises:
        LsganError: a key is unknown or missing, or a value is of a wrong type.
    """
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
        raise LsganError(str(error).splitlines()[0]) from error


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


def _parameters(target: Callable[..., Any], given: Iterable[str]) -> dict[str, inspect.Parameter]:
    """What YAML may set: the target's parameters but those that other components give."""
    any_keys = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(target).parameters.items()
    return {name: p for name, p in parameters if name not in given and p.kind not in any_keys}


def _check_known(values: Iterable[str], parameters: Iterable[str], name: str) -> None:
    for key in values:
        if key not in parameters:
            raise LsganError(f"{name}.{key} is read by nothing{did_you_mean(key, parameters)}: take it out")


def _takes_any_key(target: Callable[..., Any]) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(target).parameters.values())


def _typed_arguments(
    target: Callable[..., Any], parameters: dict[str, inspect.Parameter], values: dict[str, Any], name: str
) -> dict[str, Any]:
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    fields: list[Any] = []
    for name_, p in parameters.items():
        hint = hints.get(name_, Any)
        if typing.get_origin(hint) is typing.Literal:  # OmegaConf knows none; the constructor has to check it
            hint = Any
        default = MISSING if p.default is inspect.Parameter.empty else p.default
        fields.append((name_, hint, dataclasses.field(default_factory=partial(copy.copy, default))))
    extra = {key: value for key, value in values.items() if key not in parameters}  # for a target with **kwargs
    known = OmegaConf.create({key: value for key, value in values.items() if key in parameters})
    schema = dataclasses.make_dataclass("Arguments", fields)
    return vars(typed(schema, known, prefix=f"{name}.")) | extra


def _kind(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        return " or ".join(_kind(part) for part in typing.get_args(hint))
    kinds = {int: "an integer", float: "a number", bool: "true or false", str: "a text", Path: "a path"}
    return kinds.get(hint, "null" if hint is type(None) else f"a {hint}")
