"""The launcher that Hydra finds, and imports at every start: what it needs is imported when jobs are launched."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from hydra_plugins.hydra_local_queue._job import Job, Jobs
    from hydra_plugins.hydra_local_queue._queue import Queue


@dataclass
class LocalQueueConf:
    """What `hydra/launcher=local_queue` chooses; an application with more to say has a YAML of its own."""

    _target_: str = "hydra_plugins.hydra_local_queue.launcher.LocalQueue"
    folder: str = "${hydra.sweep.dir}/.queue"
    workers: int | None = None
    devices: list[int] | None = None
    jobs_per_device: int = 1
    on_failure: str = "continue"
    retry_failed: bool = False
    dry_run: bool = False
    jobs: str | None = None
    leave_out: list[str] = field(default_factory=list)


ConfigStore.instance().store(
    group="hydra/launcher", name="local_queue", node=LocalQueueConf, provider="hydra_local_queue"
)


class LocalQueue(Launcher):
    """Runs each job in a fresh process of its own, as many at a time as there are workers.

    A job is `python <script> <overrides>`: the same command that somebody would type for it alone.

    Args:
        folder: for the jobs' output, a file each.
        workers: jobs at a time; None: one a device, `jobs_per_device` of them; one if there is no device.
        devices: numbers of the GPUs that jobs get, as this process counts them; none: []; None: all that it sees.
        jobs_per_device: how many share a GPU.
        on_failure: of a job: `continue` with the others, or `stop` them (they are asked to save, as by Ctrl-C).
        retry_failed: start also jobs that have failed before, where `jobs` remembers that.
        dry_run: only tell what would be done.
        jobs: dotted name of a subclass of `Jobs`, which knows more of the jobs than their exit codes.
        leave_out: keys of overrides that are about the sweep alone: jobs do not get them.

    Raises:
        HydraException: a number below 1, devices that are no list, or not there, or another on_failure.
    """

    def __init__(
        self,
        folder: str,
        workers: int | None = None,
        devices: Sequence[int] | None = None,
        jobs_per_device: int = 1,
        on_failure: str = "continue",
        retry_failed: bool = False,
        dry_run: bool = False,
        jobs: str | None = None,
        leave_out: Sequence[str] = (),
    ) -> None:
        for name, number in (("workers", workers), ("jobs_per_device", jobs_per_device)):
            if number is not None and not (_is_whole(number) and number >= 1):
                raise HydraException(f"{name}={number} must be a whole number of at least 1")
        if devices is not None and not (_is_list(devices) and all(_is_whole(one) and one >= 0 for one in devices)):
            raise HydraException(f"devices={devices} must be a list of numbers of GPUs, from 0 on: devices=[0,1]")
        if on_failure not in ("continue", "stop"):
            raise HydraException(f"on_failure={on_failure} must be continue or stop")
        self._folder, self._jobs_name = Path(folder).expanduser(), jobs
        self._workers, self._devices, self._jobs_per_device = workers, devices, jobs_per_device
        self.stop_on_failure, self.retry_failed, self.dry_run = on_failure == "stop", retry_failed, dry_run
        self._leave_out = leave_out

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra_plugins.hydra_local_queue._composing import Composing

        self._composing, self._config = Composing(hydra_context.config_loader, self.handed_on), config
        hydra_context.config_loader = self._composing  # type: ignore[assignment]  # for the sweeper, which is set up before

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """One `JobReturn` a job; that of a job that did not finish raises `JobFailed` when it is asked for its value.

        Raises:
            SweepStopped: it was asked to stop, by Ctrl-C or a signal, and has stopped.
        """
        from hydra_plugins.hydra_local_queue._job import differing, exit_code, returned
        from hydra_plugins.hydra_local_queue._queue import Listed

        job_overrides = [self.handed_on(overrides) for overrides in job_overrides]
        labels = differing(job_overrides)
        jobs = [self.job(initial_job_idx + i, *told) for i, told in enumerate(zip(job_overrides, labels, strict=True))]
        queue = self.queue()
        queue.plan(jobs, retry_failed=self.retry_failed)
        if self.dry_run:
            queue.tell_estimate(jobs)
            return []
        queue.wait_for(jobs, retry_failed=self.retry_failed)
        queue.run(Listed(jobs), stop_on_failure=self.stop_on_failure)
        code = exit_code([job.outcome for job in jobs if job.outcome is not None])
        return [returned(job, self.knowing.value(job), code) for job in jobs]

    def handed_on(self, overrides: Sequence[str]) -> list[str]:
        """Those that jobs get."""
        return [override for override in overrides if override.lstrip("+~").partition("=")[0] not in self._leave_out]

    def job(self, number: int, overrides: Sequence[str], label: str) -> "Job":
        """One job, its config composed."""
        from hydra_plugins.hydra_local_queue._job import Job

        return Job(number, list(overrides), label, self._composing.take(self._config, overrides))

    def queue(self) -> "Queue":
        """A queue with this launcher's settings: for sweepers that choose jobs as they go."""
        from hydra_plugins.hydra_local_queue._queue import Queue
        from hydra_plugins.hydra_local_queue._slots import slots

        places = slots(self._workers, self._devices, self._jobs_per_device)
        return Queue(self.knowing, places, self._folder, self._config.hydra.overrides.hydra)

    @cached_property
    def knowing(self) -> "Jobs":
        """What is known of the jobs."""
        from hydra_plugins.hydra_local_queue._job import Jobs

        if self._jobs_name is None:
            return Jobs()
        module, _, name = self._jobs_name.rpartition(".")
        knowing: Jobs = getattr(import_module(module), name)()
        return knowing


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
