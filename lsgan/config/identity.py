"""What a run is: its completed config and its data, and nothing else; whether two are the same is asked here."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from lsgan.config.components import completed
from lsgan.config.moved import added_to, migrated, without_added
from lsgan.config.settings import RULES, Role, Settings, parts, role
from lsgan.config.trees import flat
from lsgan.errors import LsganError

# What other components give to a component of a group, and so no YAML does: by name, and by position.
_GIVEN = {"architecture": ("shape", "z_dim", "num_classes"), "observe": ("extractor",)}
_GIVEN_BY_POSITION = {"optimizer": 1}  # the parameters


@dataclass(frozen=True)
class Identity:
    """A run's, in plain values.

    Args:
        config: dotted key -> value of every setting that makes a run another one, defaults of constructors included.
        data: what its samples are (`Batches.identity`); empty where nobody wrote it down.
    """

    config: dict[str, Any]
    data: dict[str, Any]

    @property
    def digest(self) -> str:
        """The same for the same run, on every machine and in every version: 12 hexadecimal digits."""
        return digest([sorted(without_added(self.config).items()), sorted(self.data.items())])[:12]

    def differences(self, before: "Identity") -> list[str]:
        """What another identity said otherwise, `key=this, not that` for each; nobody wrote down version 0.1's data."""
        return differences(self.config, before.config) + [
            f"data: {line}" for line in differences(self.data, before.data)
        ]

    def content(self) -> dict[str, Any]:
        """Plain values, as a checkpoint keeps them; `from_content` reads them."""
        return {"config": self.config, "data": self.data}

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> "Identity":
        config = dict(content.get("config", {}))
        return cls({**added_to(config), **config}, dict(content.get("data", {})))


def said(settings: Settings) -> dict[str, Any]:
    """What the config says of a run's identity, as it stands: needs no torch, and knows no default of a constructor."""
    values = {name: getattr(settings, name) for name, rule in RULES.items() if not rule.home}
    values |= flat({name: migrated(node) for name, node in parts(settings)})
    return _of_identity(values)


def identity(settings: Settings, data: dict[str, Any] | None = None) -> Identity:
    """The run's, its config completed: the components that make it what it is are imported for it."""
    values = {name: getattr(settings, name) for name, rule in RULES.items() if not rule.home}
    for name, node in parts(settings):
        if role(name) is Role.IDENTITY:  # an observer that a run was begun with may be gone
            values |= flat({name: complete(name, node)})
    return Identity(_of_identity(values), data or {})


def complete(name: str, node: dict[str, Any]) -> dict[str, Any]:
    """A component's node, or a part's, with the defaults of its constructor. Raises as `components.completed`."""
    group = name.partition(".")[0]
    return completed(node, name, _GIVEN.get(group, ()), _GIVEN_BY_POSITION.get(group, 0))


def takes(name: str, node: Any, key: str) -> bool:
    """Whether the constructor of a component's node, or of a part's, has an argument that the config may give it."""
    try:
        return "_target_" in node and key in complete(name, node)
    except LsganError:  # it is unsound for another reason
        return False


def differences(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """`key=this, not that` for each key that two configs (`said`, or of identities) both have.

    Where one is completed, a key that only the other has is an argument that the constructors of its time did not know.
    """
    keys = sorted(now.keys() & before.keys())
    return [f"{key}={now[key]}, not {before[key]}" for key in keys if now[key] != before[key]]


def digest(value: Any) -> str:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _of_identity(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if role(key) is Role.IDENTITY}
