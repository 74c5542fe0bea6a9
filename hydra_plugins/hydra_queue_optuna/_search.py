"""A search as a feed of the queue: it chooses a job when there is room for one, and learns what became of it."""

import math
from collections import deque
from collections.abc import Callable

import optuna
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.pruners import NopPruner
from optuna.trial import FrozenTrial, Trial, TrialState

from hydra_plugins.hydra_local_queue._job import Job, Outcome
from hydra_plugins.hydra_local_queue._queue import Queue
from hydra_plugins.hydra_local_queue.launcher import LocalQueue
from hydra_plugins.hydra_queue_optuna._space import Space

_GO_ON = ("interrupted", "killed")  # such a trial is taken up again by the next command
_OUTCOME, _REASON, _CHOSEN, _PLACE = "outcome", "reason", "chosen", "place"  # attributes of a trial


class Search:
    """Chooses jobs for as many trials as are wanted in all.

    Args:
        study: Optuna's.
        space: what is searched.
        launcher: makes the jobs, and knows them.
        queue: runs them.
        total: trials in all, those of earlier commands included.
        sampler: makes the one that chooses a trial, from the trial's number.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        launcher: LocalQueue,
        queue: Queue,
        total: int,
        sampler: Callable[[int], optuna.samplers.BaseSampler],
    ) -> None:
        self.jobs: list[Job] = []
        self._study, self._space, self._launcher, self._queue = study, space, launcher, queue
        self._knowing, self._total, self._sampler = launcher.knowing, total, sampler
        self._waiting: deque[Job] = deque()
        self._trials: dict[int, Trial] = {}  # of jobs that wait or run, by number
        self._twins: dict[int, list[Job]] = {}  # jobs that are the same as one that waits or runs, by its number
        self._reported: dict[int, int] = {}  # number of a job -> last step that the study knows

    def begin(self) -> None:
        """Takes up what an earlier command has left unfinished; chooses a first job if that is nothing."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.number < self._total:
                self._study.sampler = self._sampler(trial.number)
                self._admit(Trial(self._study, trial._trial_id))
                self._reported[trial.number] = max(trial.intermediate_values, default=0)
        for job in self._waiting:
            self._queue.say(f"job {job.number} {job.label}: {self._knowing.note(job) or 'to be begun'}")
        self._queue.wait_for(self._waiting, retry_failed=self._launcher.retry_failed)
        done = [job for job in self._waiting if job.outcome is not None]
        self._waiting = deque(job for job in self._waiting if job.outcome is None)
        for job in done:
            self.ended(job)
        self._choose()

    def next(self) -> Job | None:
        self._choose()
        return self._waiting.popleft() if self._waiting else None

    def ended(self, job: Job) -> None:
        self._report(job)
        for one in (job, *self._twins.pop(job.number, ())):
            one.outcome = job.outcome
            self._tell(one, job)

    def unwanted(self, job: Job) -> bool:
        if isinstance(self._study.pruner, NopPruner):
            return False
        self._report(job)
        return self._trials[job.number].should_prune()

    def _choose(self) -> None:
        """Asks for trials until one is to be run, or there are as many as are wanted."""
        while not self._waiting and (number := len(self._study.get_trials(deepcopy=False))) < self._total:
            self._study.sampler = self._sampler(number)  # a search that goes on does not draw the same again
            self._admit(self._study.ask())

    def _admit(self, trial: Trial) -> None:
        """Makes the job of a trial. It waits; or it needs no run, and the study is told."""
        self._trials[trial.number] = trial
        job = self._job(trial)
        twin = next((one for one in self.jobs if one.outcome is None and one.overrides == job.overrides), None)
        self.jobs.append(job)
        if twin is not None:
            self._twins.setdefault(twin.number, []).append(job)
            return
        job.outcome = job.outcome or self._knowing.settled(job, retry_failed=self._launcher.retry_failed)
        if job.outcome is None:
            self._waiting.append(job)
        else:
            self._queue.tell_outcome(job)
            self.ended(job)

    def _job(self, trial: Trial) -> Job:
        try:
            chosen = self._space.suggest(trial)
            trial.set_user_attr(_CHOSEN, chosen)
            return self._launcher.job(trial.number, [*self._space.fixed, *chosen], " ".join(chosen))
        except (HydraException, OmegaConfBaseException) as error:
            label = " ".join(f"{key}={value}" for key, value in trial.params.items())
            told = (str(error) or str(error.__cause__)).splitlines()
            return Job(trial.number, [label], label, DictConfig({}), Outcome("refused", told[0] if told else None))

    def _report(self, job: Job) -> None:
        """The rows that have come since, if anybody prunes by them."""
        if isinstance(self._study.pruner, NopPruner):
            return
        for step, value in self._knowing.values(job).items():
            if step > self._reported.get(job.number, 0):
                self._reported[job.number] = step
                self._trials[job.number].report(value, step)

    def _tell(self, job: Job, run: Job) -> None:
        """The study of a job that has ended, by the run that was its own or its twin's."""
        trial, outcome = self._trials.pop(job.number), job.outcome
        assert outcome is not None
        if outcome.status in _GO_ON:
            return
        value = self._knowing.value(run) if outcome.is_good else None
        if outcome.is_good and (value is None or not math.isfinite(value)):
            outcome = job.outcome = Outcome("failed", "it has no value to compare", outcome.exit_code)
            self._queue.tell_outcome(job)
        place = self._knowing.place(run)
        for name, told in ((_OUTCOME, outcome.status), (_REASON, outcome.reason), (_PLACE, place)):
            trial.set_user_attr(name, told)
        if outcome.is_good:
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=TrialState.PRUNED if outcome.status == "pruned" else TrialState.FAIL)


def count(study: optuna.Study) -> dict[str, int]:
    """Trials by what became of them: finished, pruned, failed, unfinished."""
    names = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    counts = dict.fromkeys((*names.values(), "unfinished"), 0)
    for trial in study.get_trials(deepcopy=False):
        counts[names.get(trial.state, "unfinished")] += 1
    return counts


def best(study: optuna.Study, metric: str) -> list[str]:
    """The best trial so far, a line each for its value, what was chosen for it, and where it lies; none so far: []."""
    if not count(study)["finished"]:
        return []
    trial: FrozenTrial = study.best_trial
    lines = [f"best: trial {trial.number}, {metric} {trial.value:.6g}", f"  {' '.join(trial.user_attrs[_CHOSEN])}"]
    return lines + ([f"  {trial.user_attrs[_PLACE]}"] if trial.user_attrs.get(_PLACE) else [])
