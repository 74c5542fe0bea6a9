"""The configs of a sweep's jobs, each composed once: for Hydra's sweeper, which checks them, and for the queue."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

_SECONDS = 5.0  # between two lines: composing takes a quarter of a second a job


class Composing:
    """Stands for Hydra's config loader before its sweeper; in all but this it is the loader.

    Args:
        loader: Hydra's.
        handed_on: picks those of a job's overrides that it gets.
    """

    def __init__(self, loader: ConfigLoader, handed_on: Callable[[Sequence[str]], list[str]]) -> None:
        self._loader, self._handed_on = loader, handed_on
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._told = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """A job's config, kept until it is taken."""
        overrides = self._handed_on(sweep_overrides)
        config = self._loader.load_sweep_config(master_config, overrides)
        self._composed[tuple(overrides)] = config
        self._tell()
        return config

    def take(self, master_config: DictConfig, overrides: Sequence[str]) -> DictConfig:
        """The config of a job that gets these overrides."""
        found = self._composed.pop(tuple(overrides), None)
        return self._loader.load_sweep_config(master_config, list(overrides)) if found is None else found

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told > _SECONDS:
            print(f"{len(self._composed)} jobs are composed so far", file=sys.stderr, flush=True)
            self._told = now
