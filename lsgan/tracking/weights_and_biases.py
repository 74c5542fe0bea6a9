"""Weights & Biases: a view of the run that may die without harm."""

import logging
import math
import os
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from lsgan.files import read_small, write_atomically
from lsgan.tracking import agent
from lsgan.tracking.console import DETAIL
from lsgan.tracking.tracker import Outcome, Record, RunInfo, Tracker

if TYPE_CHECKING:
    import wandb  # each function imports it itself: that it may be missing is for the constructor to say

log = logging.getLogger(__name__)

_TAG_LENGTH = 64  # W&B refuses longer ones, of job types too
_FLUSH_SECONDS = 2  # at most this much is lost when its process is killed
_RECENT = 5  # records that may pass before W&B notices that its process is dead


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
        ValueError: another mode, a time that is not above 0, or the package is missing.
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
        try:
            import wandb  # noqa: F401
        except ImportError as error:
            raise ValueError("the package wandb is missing: pip install wandb, or set tracker=none") from error
        self._project, self._entity, self._mode = project, entity, mode
        self._init_timeout, self._finish_timeout = init_timeout, finish_timeout

    def start(self, info: RunInfo) -> Tracker:
        """One W&B run inside the run folder: the run's name and config, its study as group, its loss as job type."""
        mode = self._mode if self._mode in ("offline", "disabled") else _mode_by_key(wanted=self._mode)
        try:
            run: wandb.Run | None = self._init(info, mode)
        except Exception as error:  # W&B raises many kinds; none may stop a training
            log.warning("W&B did not start %s (%s): this run is tracked offline", mode, _one_line(error))
            run = self._offline(info)
        return _WandbRun(run, info, restart=lambda: self._offline(info))

    def _offline(self, info: RunInfo) -> "wandb.Run | None":
        """The run, offline, after W&B has failed; None if it fails again."""
        import wandb

        with suppress(Exception):
            wandb.teardown()  # its process, if it lives, holds the run's id
        try:
            return self._init(info, "offline")
        except Exception as error:
            log.warning("W&B did not start at all (%s): the run folder has everything", _one_line(error))
            return None

    def _init(self, info: RunInfo, mode: Any) -> "wandb.Run":
        import wandb

        entity, project = agent.place(info.folder) or (self._entity, self._project)
        run = wandb.init(
            project=None if agent.run_id() else project,  # a sweep is in one, and W&B takes no other
            entity=None if agent.run_id() else entity,
            mode=mode,
            dir=info.folder,
            id=None if mode == "disabled" else _run_id(info),
            name=info.run,
            group=info.study,
            job_type=info.loss[:_TAG_LENGTH] or None,
            tags=[tag[:_TAG_LENGTH] for tag in info.tags if tag],
            config=info.config,
            resume="allow",
            reinit="create_new",  # never the dead run of an earlier job in this process
            settings=wandb.Settings(
                init_timeout=self._init_timeout,
                finish_timeout=self._finish_timeout,  # W&B's own default waits for ever
                finish_timeout_raises=True,
                x_transaction_log_flush_interval=_FLUSH_SECONDS,
                console="off",
                silent=True,
            ),
        )
        if agent.run_id() and not run.disabled:
            write_atomically(info.folder / "wandb" / "place", f"{run.entity}/{run.project}")
        return run


class _WandbRun:
    """Once W&B has died the run goes on offline, under its own id; if it dies again, that is the end of it."""

    def __init__(self, run: "wandb.Run | None", info: RunInfo, restart: "Callable[[], wandb.Run | None]") -> None:
        self._restart: Callable[[], wandb.Run | None] | None = restart
        self._best = _Best(info.better)
        for row in info.rows:
            self._best.see(int(row["step"] or 0), row)
        self._labels = dict(info.labels)
        self._recent: deque[tuple[float, Record]] = deque()  # what W&B may not have written yet when it dies
        self._use(run)

    def _use(self, run: "wandb.Run | None") -> None:
        self._run = run
        if run is not None:
            # W&B numbers rows anew where parts of a run overlap; this keeps our step the axis of every chart.
            run.define_metric("step", hidden=True)
            run.define_metric("*", step_metric="step")
            run.summary.update(self._best.told)  # a part of a run that is uploaded later replaces what was before
            self._tell_labels(run)
            log.log(DETAIL, "W&B: %s", _where_to_look(run))

    def log(self, record: Record) -> None:
        if self._run is None:
            return
        self._recent.append((time.monotonic(), record))
        while len(self._recent) > _RECENT and self._recent[0][0] < time.monotonic() - 3 * _FLUSH_SECONDS:
            self._recent.popleft()
        try:
            self._write(self._run, record)
        except Exception as error:
            self._revive(error)

    def _write(self, run: "wandb.Run", record: Record) -> None:
        import wandb

        content: dict[str, Any] = dict(record.scalars)
        content |= {name: wandb.Image(pixels, file_type="jpg") for name, pixels in record.pictures.items()}
        for name, values in record.histograms.items():
            content[f"{name}_histogram"] = wandb.Histogram(values[np.isfinite(values)].tolist())
        if content and record.step >= run.starting_step:  # the server of a resumed run has what was before
            run.log({"step": record.step, **content}, step=record.step)
        if self._best.see(record.step, record.scalars):
            run.summary.update(self._best.told)
        if not record.labels.items() <= self._labels.items():
            self._labels |= record.labels
            self._tell_labels(run)
        for flag, sentence in record.warnings.items():
            title = flag.replace("_", " ").capitalize()
            run.alert(title=title, text=f"step {record.step}: {sentence}", level="WARN")
            run.summary[f"warning/{flag}"] = sentence

    def _tell_labels(self, run: "wandb.Run") -> None:
        if self._labels:
            run.config.update({"labels": dict(self._labels)}, allow_val_change=True)

    def _revive(self, error: Exception) -> None:
        self._run, restart, self._restart = None, self._restart, None
        if restart is None:
            log.warning("W&B died again (%s): training goes on, the run folder has everything", _one_line(error))
            return
        log.warning("W&B died (%s): training goes on, tracked offline from here", _one_line(error))
        try:
            self._use(restart())
            for _, record in self._recent:
                if self._run is not None:
                    self._write(self._run, record)
        except Exception as second_error:
            self._revive(second_error)

    def close(self, outcome: Outcome) -> None:
        if self._run is None:
            return
        try:
            self._finish(self._run, outcome)
        except TimeoutError as error:
            log.warning("W&B did not get everything (%s); upload with %s", _one_line(error), _sync(self._run))
        except Exception as error:
            self._revive(error)
            if self._run is not None:
                with suppress(Exception):
                    self._finish(self._run, outcome)

    def _finish(self, run: "wandb.Run", outcome: Outcome) -> None:
        run.summary["status"] = outcome.status
        run.finish(exit_code=0 if outcome.status == "finished" else 1)


class _Best:
    """The best value so far of each column that has a direction, as the summary should tell it.

    Its last value W&B's summary has under the column's own name.
    """

    def __init__(self, better: Mapping[str, str]) -> None:
        self._better = better
        self.told: dict[str, float] = {}  # best/<column>, best_step/<column>

    def see(self, step: int, scalars: Mapping[str, float | None]) -> bool:
        """Whether one of the numbers is better than all before."""
        found = False
        for column, mode in self._better.items():
            value, known = scalars.get(column), self.told.get(f"best/{column}")
            if value is None or not math.isfinite(value):
                continue
            if known is None or (value < known if mode == "min" else value > known):
                self.told |= {f"best/{column}": value, f"best_step/{column}": step}
                found = True
        return found


def _run_id(info: RunInfo) -> str:
    """The folder's own W&B id: unique in the project, readable, and the same when the run is resumed.

    W&B's agent has one already, and W&B takes no other while it runs.
    """
    path = info.folder / "wandb" / "run-id"
    known = read_small(path)
    wanted = agent.run_id() or known
    if wanted is None:
        readable = re.sub(r"[^\w.-]", "-", info.run[:100], flags=re.ASCII)  # W&B refuses some characters
        wanted = f"{readable}-{secrets.token_hex(4)}"
    if wanted != known:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, wanted)
    return wanted


def _mode_by_key(wanted: str) -> str:
    """`online` if W&B finds a key, or else `offline`, without ever asking for one."""
    import wandb

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


def _where_to_look(run: "wandb.Run") -> str:
    if run.disabled:
        return "disabled"
    if not run.offline:
        return str(run.url)
    return f"offline; look with `wandb leet {Path(run.dir).parents[1]}`, upload with {_sync(run)}"


def _sync(run: "wandb.Run") -> str:
    folder = Path(run.dir).parents[1].absolute()  # of a relative path `wandb sync` uploads no pictures
    return f"`wandb sync --no-skip-online {folder}/*run-2*`"


def _one_line(error: Exception) -> str:
    return shorten(str(error), 300) or type(error).__name__  # W&B may quote a whole web page
