"""What an optimizer takes from a checkpoint: what it remembers of each weight, and never its settings.

The settings are in the config, and what the config says is what trains.
"""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from lsgan.errors import LsganError

Memory = dict[str, tuple[int, ...] | None]  # what is remembered of a weight: names, and shapes of what is a tensor


def load_optimizer_state(optimizer: torch.optim.Optimizer, saved: dict[str, Any], *, has_stepped: bool) -> None:
    """Makes the optimizer go on from `saved`, an optimizer's state_dict, with its own settings of now.

    Args:
        optimizer: of the same weights in the same order.
        saved: as its kind and its settings then made it.
        has_stepped: whether it was saved after a step; before, nothing is remembered of any weight.

    Raises:
        LsganError: it was saved by another kind of optimizer, with settings that remember other things, or of other
            weights.
    """
    groups, saved_groups = optimizer.state_dict()["param_groups"], saved["param_groups"]
    if [len(group["params"]) for group in groups] != [len(group["params"]) for group in saved_groups]:
        raise LsganError("it was saved of other weights")
    for group, saved_group in zip(optimizer.param_groups, saved_groups, strict=True):
        for weight, number in zip(group["params"], saved_group["params"], strict=True):
            if number in saved["state"] or (has_stepped and not saved["state"] and weight.requires_grad):
                _check(optimizer, group, weight, _memory(saved["state"].get(number, {})))
    for group, saved_group in zip(groups, saved_groups, strict=True):
        group["params"] = saved_group["params"]
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})


def _check(optimizer: torch.optim.Optimizer, group: dict[str, Any], weight: Tensor, saved: Memory) -> None:
    kept = _memory_after_a_step(optimizer, group, weight)
    if kept is None or kept == saved:
        return
    kind = type(optimizer).__name__
    if kept.keys() == saved.keys():
        raise LsganError("it was saved of other weights")
    raise LsganError(
        f"{kind} with these settings remembers {_names(kept)} of a weight, and what was saved is {_names(saved)}: "
        "go on with the optimizer that the run was begun with, or begin another run"
    )


def _memory_after_a_step(optimizer: torch.optim.Optimizer, group: dict[str, Any], weight: Tensor) -> Memory | None:
    """What the optimizer remembers of a weight after a step, seen on a copy of both; None if that cannot be tried."""
    dummy = nn.Parameter(torch.zeros_like(weight))
    dummy.grad = torch.zeros_like(weight)
    trial = object.__new__(type(optimizer))
    trial.__dict__.update(optimizer.__dict__)
    trial.param_groups = [{**group, "params": [dummy]}]
    trial.state = defaultdict(dict)
    if weight in optimizer.state:  # Adagrad's, for example, is there from the start
        trial.state[dummy] = {k: v.clone() if isinstance(v, Tensor) else v for k, v in optimizer.state[weight].items()}
    try:
        type(optimizer).step(trial)  # an instance's own may be bound to it
    except Exception:  # whatever a stranger's optimizer raises in such surroundings: load_state_dict has its own checks
        return None
    return _memory(trial.state[dummy])


def _memory(state: dict[str, Any]) -> Memory:
    known = {name: value for name, value in sorted(state.items()) if value is not None}
    return {name: tuple(value.shape) if isinstance(value, Tensor) else None for name, value in known.items()}


def _names(memory: Memory) -> str:
    return ", ".join(memory) or "nothing"
