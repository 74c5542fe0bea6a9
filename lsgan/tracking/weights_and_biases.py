"""Weights & Biases: a view of the run that may die without harm."""

import logging
import math
import os
import secrets
from contextlib import suppress
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import wandb

from lsgan.tracking.tracker import Outcome, Record, RunInfo, Tracker

log = logging.getLogger(__name__)

_TAG_LENGTH = 64  # W&B refuses longer ones


class WeightsAndBiases:
    """Starts W&B runs: online with a key, otherwise offline; never a prompt, never a failure.

    Args:
        project: in W&B.
        entity: the user or team; W&B's default if None.
        mode: auto (online with a key, else offline; the environment variable WANDB_MODE goes before),
            online (the same, with a warning where there is no key), offline or disabled.
        init_timeout: seconds that the start may wait for the server before the run is tracked offline.
        finish_timeout: seconds that the end may wait for uploads; what is left goes up with `wandb sync`.

    Raises:
        ValueError: another mode, or a time that is not above 0.
    """

    def __init__(
        self,
        project: str,
        entity: str | None = None,
        mode: str = "auto",
        init_timeout: float = 30,
        finish_timeout: float = 120,
    ) -> None:
        modes = ("auto", "online", "offline", "disabled")
        if mode not in modes:
            raise ValueError(f"mode={mode} must be one of {', '.join(modes)}")
        for name, seconds in (("init_timeout", init_timeout), ("finish_timeout", finish_timeout)):
            if not (seconds > 0 and math.isfinite(seconds)):
                raise ValueError(f"{name}={seconds:g} must be a number of seconds above 0")
        self._project, self._entity, self._mode = project, entity, mode
        self._init_timeout, self._finish_timeout = init_timeout, finish_timeout

    def start(self, info: RunInfo) -> Tracker:
        """One W&B run inside the run folder, with the run's name, its study as group, and its config."""
        mode = self._mode if self._mode in ("offline", "disabled") else _mode_by_key(wanted=self._mode)
        try:
            run = self._init(info, mode)
        except Exception as error:  # W&B raises many kinds; none may stop a training
            log.warning("W&B did not start %s (%s): this run is tracked offline", mode, _one_line(error))
            try:
                wandb.teardown()  # its process still holds the id of the run that failed
                run = self._init(info, "offline")
            except Exception as second_error:
                log.warning("W&B did not start at all (%s): the run folder has everything", _one_line(second_error))
                run = None
        return _WandbRun(run)

    def _init(self, info: RunInfo, mode: Any) -> wandb.Run:
        return wandb.init(
            project=self._project,
            entity=self._entity,
            mode=mode,
            dir=info.folder,
            id=None if mode == "disabled" else _run_id(info),
            name=info.run,
            group=info.study,
            tags=[tag[:_TAG_LENGTH] for tag in info.tags],
            config=info.config,
            resume="allow",
            settings=wandb.Settings(
                init_timeout=self._init_timeout,
                finish_timeout=self._finish_timeout,  # W&B's own default waits for ever
                finish_timeout_raises=True,
                x_transaction_log_flush_interval=2,
                console="off",
                silent=True,
            ),
        )


class _WandbRun:
    def __init__(self, run: wandb.Run | None) -> None:
        self._run = run
        if run is not None:
            log.info("W&B: %s", _where_to_look(run))

    def log(self, record: Record) -> None:
        if self._run is None:
            return
        try:
            content: dict[str, Any] = dict(record.scalars)
            content |= {name: wandb.Image(pixels, file_type="jpg") for name, pixels in record.pictures.items()}
            for name, values in record.histograms.items():
                content[f"{name}_histogram"] = wandb.Histogram(values[np.isfinite(values)].tolist())
            if content:
                self._run.log(content, step=record.step)
            if record.warning is not None:
                self._run.alert(title="Collapse", text=f"step {record.step}: {record.warning}", level="WARN")
                self._run.summary["warning"] = record.warning
        except Exception as error:
            log.warning("W&B died (%s): training goes on, the run folder has everything", _one_line(error))
            self._run = None
            with suppress(Exception):
                wandb.teardown()  # or its own exit hook would fail loudly at the end of the process

    def close(self, outcome: Outcome) -> None:
        if self._run is None:
            return
        try:
            self._run.summary["status"] = outcome.status
            self._run.finish(exit_code=0 if outcome.status == "finished" else 1)
            log.info("W&B: %s", _where_to_look(self._run))
        except Exception as error:
            log.warning("W&B did not get everything (%s); upload with %s", _one_line(error), _sync(self._run))


def _run_id(info: RunInfo) -> str:
    """The folder's own W&B id: unique in the project, readable, and the same when the run is resumed."""
    path = info.folder / "wandb" / "run-id"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{info.run[:100]}-{secrets.token_hex(4)}")
    return path.read_text()


def _mode_by_key(wanted: str) -> str:
    """`online` if W&B finds a key, or else `offline`, without ever asking for one."""
    if wanted == "auto" and os.environ.get("WANDB_MODE") in ("offline", "disabled"):
        return os.environ["WANDB_MODE"]
    try:
        if wandb.login(prompt=False, verify=False):  # init asks the server, within its own timeout
            return "online"
        if wanted == "online":
            log.warning("tracker.mode=online, but there is no W&B key: set WANDB_API_KEY or run `wandb login`")
    except Exception as error:
        log.warning("W&B does not accept the key (%s)", _one_line(error))
    return "offline"


def _where_to_look(run: wandb.Run) -> str:
    if run.disabled:
        return "disabled"
    if not run.offline:
        return str(run.url)
    return f"offline; look with `wandb leet {Path(run.dir).parents[1]}`, upload with {_sync(run)}"


def _sync(run: wandb.Run) -> str:
    folder = Path(run.dir).parents[1]
    return f"`wandb sync {folder}/offline-run-*`" if run.offline else f"`wandb sync --no-skip-online {folder}/run-*`"


def _one_line(error: Exception) -> str:
    return shorten(str(error), 300) or type(error).__name__  # W&B may quote a whole web page
