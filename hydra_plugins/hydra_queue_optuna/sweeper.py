"""The sweeper that Hydra finds. What it needs is imported when it searches: Hydra imports this at every start."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.hydra_local_queue.launcher import LocalQueue

if TYPE_CHECKING:
    import optuna

    from hydra_plugins.hydra_local_queue._queue import Queue
    from hydra_plugins.hydra_queue_optuna._space import Space


class OptunaSearch(Sweeper):
    """Searches for the settings with the best value of a metric, as many trials at a time as the queue has workers.

    A trial whose job fails is a failed trial, and the search goes on. Trials that were begun and not ended, because the
    command was stopped or killed, are gone on with by the same command: with the same parameters, and so the same jobs.

    Args:
        journal: file for the study.
        trials: how many there shall be in all, those of earlier commands included.
        metric: what `Jobs.value` gives of a job; None: nothing, and there can be no search.
        mode: what is best: min or max.
        sampler: tpe or random.
        sampler_seed: the same one chooses the same, as long as one trial runs at a time.
        pruner: none, or median: a trial that is worse than the median of the others at the same step is stopped.
        pruner_warmup: no trial is stopped before this step.
        params: key -> values, in Hydra's grammar of sweeps; the command line wins.

    Raises:
        HydraException: an argument is none of these.
    """

    def __init__(
        self,
        journal: str,
        trials: int,
        metric: str | None,
        mode: str = "min",
        sampler: str = "tpe",
        sampler_seed: int = 0,
        pruner: str = "none",
        pruner_warmup: int = 0,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        for name, number, least in (
            ("trials", trials, 1),
            ("sampler_seed", sampler_seed, 0),
            ("pruner_warmup", pruner_warmup, 0),
        ):
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise HydraException(f"{name}={number} must be a whole number of at least {least}")
        for name, told, choices in (
            ("best_mode", mode, ("min", "max")),
            ("sampler", sampler, ("tpe", "random")),
            ("pruner", pruner, ("none", "median")),
        ):
            if told not in choices:
                raise HydraException(f"{name}={told} must be {' or '.join(choices)}")
        if metric is None:
            raise HydraException(
                "best_metric=null: a search needs a number to compare, so name a column of metrics.jsonl, "
                "best_metric=loss/generator for example"
            )
        self._journal, self._total, self._metric, self._mode = Path(journal).expanduser(), trials, metric, mode
        self._sampler, self._seed, self._pruner, self._warmup = sampler, sampler_seed, pruner, pruner_warmup
        self._params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if not isinstance(launcher, LocalQueue):
            raise HydraException("hydra/sweeper=optuna needs the queue: leave hydra/launcher=… out")
        self._loader, self._config, self._launcher = hydra_context.config_loader, config, launcher

    def sweep(self, arguments: list[str]) -> None:
        """Searches until there are `trials` trials.

        Raises:
            HydraException: Optuna is missing, there is nothing to search, a key is unknown, no job can be started, or
                the journal is of another search.
            SweepStopped: it was asked to stop.
            JobFailed: there are no `trials` trials yet, or none of them has finished.
        """
        space = self._space(arguments)
        self._check(space)
        try:
            from hydra_plugins.hydra_queue_optuna._study import opened
        except ImportError as error:
            raise HydraException(
                f'hydra/sweeper=optuna needs Optuna 4.9 or later: pip install "lsgan[optuna]" ({error})'
            ) from error
        if self._launcher.dry_run and not self._journal.exists():
            self._tell_plan(space, 0)
            return
        with opened(self._journal, self._identity(space), self._mode) as study:
            if self._launcher.dry_run:
                self._tell_plan(space, len(study.trials))
            else:
                self._search(study, space)

    def _space(self, arguments: Sequence[str]) -> "Space":
        from hydra_plugins.hydra_queue_optuna._space import space

        @lru_cache(maxsize=64)
        def compose(overrides: tuple[str, ...]) -> DictConfig:
            return self._loader.load_sweep_config(self._config, list(overrides))

        return space(self._params, self._launcher.handed_on(arguments), self._loader, compose)

    def _check(self, space: "Space") -> None:
        """Raises HydraException if there is no point in the space with which a job could be started."""
        refused: str | None = None
        for chosen in space.check():
            before = self._launcher.knowing.before(self._launcher.job(0, [*space.fixed, *chosen], ""))
            if before is None or before.is_good or before.exit_code is not None:
                return
            refused = refused or before.reason
        raise HydraException(refused or "no job of this search can be started")

    def _identity(self, space: "Space") -> dict[str, Any]:
        """What makes a search another one, so that its values do not compare."""
        fixed = " ".join(sorted(self._launcher.knowing.told(space.fixed)))
        return {**space.told, "fixed overrides": fixed, "best_metric": self._metric, "best_mode": self._mode}

    def _search(self, study: "optuna.Study", space: "Space") -> None:
        from hydra_plugins.hydra_local_queue._job import JobFailed, SweepStopped
        from hydra_plugins.hydra_queue_optuna._search import Search
        from hydra_plugins.hydra_queue_optuna._study import pruner, sampler

        queue = self._launcher.queue()
        study.pruner = pruner(self._pruner, self._warmup)
        search = Search(
            study, space, self._launcher, queue, self._total, lambda number: sampler(self._sampler, self._seed + number)
        )
        try:
            search.begin()
            if search.jobs:
                queue.run(search, stop_on_failure=self._launcher.stop_on_failure)
        except SweepStopped:
            self._tell(study, queue)
            raise
        if not self._tell(study, queue):
            raise JobFailed("the search has no result", 1)

    def _tell(self, study: "optuna.Study", queue: "Queue") -> bool:
        """How the search stands; whether all trials are done, and one has finished."""
        from hydra_plugins.hydra_queue_optuna._search import best, count

        counts = count(study)
        is_done = counts["unfinished"] == 0 and sum(counts.values()) >= self._total
        told = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "none begun"
        end = "all are done, and a larger trials= goes further" if is_done else "the same command goes on"
        queue.say(f"search: of {self._total} trials {told}; {end}")
        for line in best(study, self._metric):
            queue.say(line)
        return is_done and counts["finished"] > 0

    def _tell_plan(self, space: "Space", done: int) -> None:
        """What is searched, and what the trials that are missing will take: as much as one with nothing chosen."""
        queue = self._launcher.queue()
        for key, told in space.told.items():
            queue.say(f"{key}: {told}")
        queue.say(f"search: {done} of {self._total} trials have been begun")
        job = self._launcher.job(0, space.fixed, "")
        if self._launcher.knowing.before(job) is None:
            queue.tell_estimate([job] * max(0, self._total - done))
