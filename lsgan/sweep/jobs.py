"""What run folders tell of the jobs of a sweep: done, unfinished or failed before; how they stand; what they gave."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from hydra_plugins.hydra_local_queue._command import config_flags
from hydra_plugins.hydra_local_queue._job import FINISHED, Job, Jobs, Outcome
from hydra_plugins.hydra_local_queue._slots import Slot
from lsgan.config import Plan, plan
from lsgan.config.names import keys, told
from lsgan.config.planning import named
from lsgan.errors import CollapsedError, LsganError
from lsgan.files import is_held
from lsgan.sweep import studies
from lsgan.sweep.estimate import estimate
from lsgan.sweep.progress import Progress
from lsgan.tracking.run_record import RunRecord

_PLAN, _PROGRESS, _BESIDE, _STARTS = "plan", "progress", "beside", "starts"  # what is kept of a job


class TrainJobs(Jobs):
    """Jobs that are `python train.py <overrides>`."""

    columns = ("step", "images/s", "D", "G", "best", "left")

    def before(self, job: Job) -> Outcome | None:
        """Finished, failed or collapsed in an earlier command, or a mistake that would stop it at once."""
        try:
            planned = plan(_task(job.config), job.overrides)
        except LsganError as error:
            return Outcome("refused", str(error))
        job.memory[_PLAN] = planned
        studies.add(planned.settings.runs_dir / planned.settings.study)
        job.memory[_BESIDE] = named(planned.settings, planned.typed)  # with new=true that is another one
        if planned.folder is None:
            return None
        status = RunRecord(planned.folder).status
        if planned.done is not None:
            return Outcome(FINISHED, f"{planned.folder} has its {status.step} steps")
        if status.name in ("failed", "collapsed"):
            code = CollapsedError.exit_code if status.name == "collapsed" else LsganError.exit_code
            return Outcome(
                status.name, f"in an earlier sweep ({status.reason}); retry_failed=true tries it again", code
            )
        return None

    def note(self, job: Job) -> str:
        planned: Plan = job.memory[_PLAN]
        if planned.folder is None:
            return ""
        step = max(RunRecord(planned.folder).checkpoints, default=0)
        return f"goes on from step {step} of {planned.settings.steps}"

    def preparations(self, jobs: Sequence[Job]) -> list[list[str]]:
        """`python -m lsgan.prepare`, once for each data set of images.

        It composes what is in conf/ alone: jobs with configs from elsewhere, or of runs to resume, do that themselves.
        """
        if config_flags():
            return []
        found: dict[str, list[str]] = {}
        for job in jobs:
            planned: Plan = job.memory[_PLAN]
            dataset = {"data_dir": str(planned.settings.data_dir), **planned.settings.dataset}
            if "resolution" in dataset and "resume" not in keys(job.overrides):  # points are drawn as they are used
                found.setdefault(repr(sorted(dataset.items(), key=str)), job.overrides)
        return [["-m", "lsgan.prepare", *overrides] for overrides in found.values()]

    def begins(self, job: Job) -> None:
        job.memory[_STARTS] = _starts(self._folder(job))

    def progress(self, job: Job) -> Mapping[str, str]:
        """The last row, by column."""
        seen = self._seen(job)
        if seen is None or seen.last is None:
            return {}
        settings, row = job.memory[_PLAN].settings, seen.last
        speed, step = row.get("images_per_second"), row["step"]
        left = (settings.steps - step) * settings.batch_size / speed if speed else None
        return {
            "step": f"{step}/{settings.steps}",
            "images/s": f"{speed:,.0f}" if speed else "",
            "D": _short(row.get("loss/discriminator")),
            "G": _short(row.get("loss/generator")),
            "best": _short(seen.best),
            "left": "" if left is None else str(timedelta(seconds=math.ceil(left))),
        }

    def outcome(self, job: Job, exit_code: int, last_line: str) -> Outcome:
        """As the run folder says, if it says how the run ended that this process has begun, not an earlier one."""
        found = super().outcome(job, exit_code, last_line)
        folder = self._folder(job)
        if found.is_good or folder is None or _starts(folder) <= job.memory.get(_STARTS, 0):
            return found
        status = RunRecord(folder).status
        ended = status.name in ("failed", "collapsed", "interrupted")
        return Outcome(status.name, status.reason or found.reason, exit_code) if ended else found

    def value(self, job: Job) -> float | None:
        """`best_metric` where it was best."""
        folder = self._folder(job)
        if folder is None:
            return None
        settings = job.memory[_PLAN].settings
        return RunRecord(folder).best_value(settings.best_metric, settings.best_mode)

    def values(self, job: Job) -> Mapping[int, float]:
        seen = self._seen(job)
        return {} if seen is None else seen.values

    def place(self, job: Job) -> str | None:
        """The run folder."""
        folder = self._folder(job)
        return None if folder is None else str(folder)

    def told(self, overrides: Sequence[str]) -> list[str]:
        """What a run is named after."""
        return told(overrides)

    def is_held(self, job: Job) -> bool:
        folder = self._folder(job)
        return folder is not None and is_held(folder / ".lock") is True

    def estimate(self, jobs: Sequence[Job], slots: Sequence[Slot]) -> Iterable[str]:
        """Of a dry run, which makes no board either."""
        studies.forget()
        return estimate([(job.memory[_PLAN], job.overrides) for job in jobs], [slot.environment for slot in slots])

    def _seen(self, job: Job) -> Progress | None:
        folder = self._folder(job)
        if folder is None:
            return None
        if _PROGRESS not in job.memory:
            settings = job.memory[_PLAN].settings
            job.memory[_PROGRESS] = Progress(folder, settings.best_metric, settings.best_mode)
        seen: Progress = job.memory[_PROGRESS]
        seen.read()
        return seen

    def _folder(self, job: Job) -> Path | None:
        """Of its run; None as long as there is none."""
        planned: Plan | None = job.memory.get(_PLAN)
        if planned is None:
            return None
        if planned.folder is not None:
            return planned.folder
        folder = named(planned.settings, planned.typed)
        return None if folder == job.memory[_BESIDE] else folder


def _starts(folder: Path | None) -> int:
    """How often the run has been begun or gone on with."""
    history = [] if folder is None else RunRecord(folder).history
    return sum(entry.get("event") == "start" for entry in history)


def _task(config: DictConfig) -> DictConfig:
    """The config of a job without Hydra's own."""
    cfg = OmegaConf.create(OmegaConf.to_container(config, resolve=False))
    assert isinstance(cfg, DictConfig)
    with open_dict(cfg):
        cfg.pop("hydra")
    return cfg


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
