"""Fixtures for what is tracked by W&B."""

from contextlib import suppress

import pytest
import wandb
from wandb_stub import serve_wandb


@pytest.fixture
def server(monkeypatch):
    """A W&B server on loopback, which this process's W&B and that of its children find."""
    with serve_wandb() as stub:
        for name, value in stub.environment.items():
            monkeypatch.setenv(name, value)
        wandb.teardown()  # it reads the environment once
        yield stub
    with suppress(Exception):  # its process may have been killed
        wandb.teardown()
