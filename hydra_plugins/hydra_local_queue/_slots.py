"""Where jobs run: each slot is a GPU, or a part of one, or of the CPU's cores."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.errors import HydraException

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_THREADS = "OMP_NUM_THREADS"
_NVIDIA = Path("/proc/driver/nvidia/gpus")  # of the driver for Linux; WSL, AMD and others have none


@dataclass(frozen=True)
class Slot:
    """Room for one job at a time; `environment` keeps it there."""

    number: int
    environment: Mapping[str, str]
    device: str | None = None


def slots(workers: int | None, devices: Sequence[int] | None, jobs_per_device: int) -> list[Slot]:
    """As many as jobs may run at a time, GPUs dealt out evenly and the CPU's threads divided.

    Threads are not divided where OMP_NUM_THREADS is set already.

    Raises:
        HydraException: a device is not there, or more workers are wanted than the devices have room for.
    """
    visible = _visible()
    chosen = list(range(len(visible or ()))) if devices is None else list(devices)
    names = [str(device) if visible is None else _name(device, visible, chosen) for device in chosen]
    room = names * jobs_per_device  # one job each before a second one
    if workers is not None and room and workers > len(room):
        raise HydraException(
            f"workers={workers} are more than the {len(room)} places (devices × jobs_per_device): "
            f"set jobs_per_device={-(-workers // len(chosen))}"
        )
    num = workers or len(room) or 1
    threads = {} if _THREADS in os.environ or num == 1 else {_THREADS: str(max(1, _cores() // num))}
    if room:
        return [Slot(i, {**threads, _VISIBLE: room[i]}, room[i]) for i in range(num)]
    hidden = {} if devices is None else {_VISIBLE: ""}  # devices=[]
    return [Slot(i, {**threads, **hidden}) for i in range(num)]


def _name(device: int, visible: Sequence[str], chosen: Sequence[int]) -> str:
    if not 0 <= device < len(visible):
        there = f"numbers from 0 to {len(visible) - 1}" if visible else "no GPU is visible here"
        raise HydraException(f"devices={list(chosen)}: there is no device {device} ({there})")
    return visible[device]


def _visible() -> list[str] | None:
    """The names by which this process may hand on GPUs; no library for GPUs is loaded to tell. None: nobody knows."""
    told = os.environ.get(_VISIBLE)
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip() not in ("", "-1")]
    return [str(i) for i, _ in enumerate(_NVIDIA.glob("*"))] if _NVIDIA.is_dir() else None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
