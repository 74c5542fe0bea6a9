"""Components that were called otherwise, or took less, when a run was begun: its config builds the same objects."""

from typing import Any

_SETS = "lsgan.data.sets"

MOVED: dict[str, str] = {  # what `_target_` was called -> where it is now
    "lsgan.data.digits.Digits": f"{_SETS}.digits.Digits",
    "lsgan.data.gaussian_ring.GaussianRing": f"{_SETS}.gaussian_ring.GaussianRing",
    "lsgan.data.hwdb.Hwdb": f"{_SETS}.hwdb.Hwdb",
    "lsgan.data.image_folder.ImageFolder": f"{_SETS}.image_folder.ImageFolder",
    "lsgan.data.lsun.Lsun": f"{_SETS}.lsun.Lsun",
    "lsgan.data.synthetic_digits.SyntheticDigits": f"{_SETS}.synthetic_digits.SyntheticDigits",
    "lsgan.data.torchvision_sets.CelebA": f"{_SETS}.torchvision_sets.CelebA",
    "lsgan.data.torchvision_sets.Cifar10": f"{_SETS}.torchvision_sets.Cifar10",
    "lsgan.data.torchvision_sets.FashionMnist": f"{_SETS}.torchvision_sets.FashionMnist",
    "lsgan.data.torchvision_sets.Mnist": f"{_SETS}.torchvision_sets.Mnist",
    "lsgan.architectures.conditional.dcgan_conditional": "lsgan.architectures.dcgan.dcgan",
}

# What a component must be given where it is now to be what it was.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "lsgan.architectures.conditional.dcgan_conditional": {"conditioning": "concatenated"},
}

# Arguments that a component has got since there are runs, each at the value at which it does what it did without.
ADDED: dict[str, dict[str, Any]] = {
    "lsgan.losses.LeastSquares": {"k": 2},
}


def moved(target: str) -> str:
    """Where what `_target_` names is now; the name itself if it has not moved."""
    return MOVED.get(target, target)


def migrated(node: Any) -> Any:
    """A config, or a part of one, as plain values: as it would be written now, the components within it too."""
    if not isinstance(node, dict):
        return node
    values = {key: migrated(value) for key, value in node.items()}
    target = values.get("_target_")
    if target in MOVED:
        values = {**_ARGUMENTS.get(target, {}), **values, "_target_": moved(target)}
    return values | {key: value for key, value in _added(target).items() if key not in values}


def without_added(config: dict[str, Any]) -> dict[str, Any]:
    """A flat config, dotted key -> value, as it was before its components got arguments that it leaves as they were."""
    added = added_to(config)
    return {key: value for key, value in config.items() if key not in added or added[key] != value}


def added_to(config: dict[str, Any]) -> dict[str, Any]:
    """Those arguments of the components of a flat config, by dotted key, at the value at which they change nothing."""
    return {
        f"{key.removesuffix('_target_')}{name}": value
        for key, target in config.items()
        if key.rpartition(".")[2] == "_target_"
        for name, value in _added(target).items()
    }


def _added(target: Any) -> dict[str, Any]:
    return ADDED.get(target, {}) if isinstance(target, str) else {}
