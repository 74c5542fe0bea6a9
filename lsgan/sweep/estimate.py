"""What jobs will take: a few steps of each kind are trained for real, in a folder that is thrown away."""

import heapq
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from hydra_plugins.hydra_local_queue._command import command
from hydra_plugins.hydra_local_queue._process import Process
from lsgan.config import Plan, build
from lsgan.config.names import keys
from lsgan.errors import LsganError, counted
from lsgan.tracking.run_record import RunRecord

_STEPS = 40  # of a trial
_KINDS = 4  # that are tried; further ones are taken for the mean of these
_BESIDE = 8  # trials side by side, at most: as many as jobs will run, for they slow each other down
_SETTLED = 0.25  # of a trial's rows are left out at its beginning, when everything is done for the first time
_TRIAL = (
    f"steps={_STEPS}",
    "images=null",
    "log_every=5",
    f"sample_every={_STEPS}",
    f"checkpoint_every={_STEPS}",
    "tracker=none",
)
_OTHER_WORDS = (  # of a command: they do not decide what a step costs
    *("seed", "steps", "images", "run", "new", "resume", "resume_override", "log_every", "sample_every"),
    *("checkpoint_every", "tracker", "runs_dir", "study", "sweep"),
)


class Cost(NamedTuple):
    """Of one kind of job: while it trains, before and after that, and on the disk."""

    images_per_second: float
    start_seconds: float
    checkpoint_bytes: float
    picture_bytes: float


def estimate(plans: Sequence[tuple[Plan, Sequence[str]]], environments: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Time and room for jobs, a line each, and one before each trial. Nothing is downloaded or packed for it.

    Args:
        plans: of each job, and its overrides.
        environments: one of each worker; as many jobs run at a time.
    """
    if not plans:
        yield "nothing is to be done"
        return
    if any("resume" in keys(overrides) for _, overrides in plans):
        yield "no estimate: resume= is among the jobs, and what such a run costs its command does not tell"
        return
    kinds: dict[tuple[str, ...], Cost] = {}
    for planned, overrides in plans:
        kind = _kind(overrides)
        if kind in kinds or len(kinds) == _KINDS:
            continue
        try:
            is_packed = _is_packed(planned)
        except LsganError as error:
            yield f"no estimate: {error}"
            return
        if not is_packed:
            yield (
                f"no estimate: {planned.settings.dataset['name']} is not packed yet; "
                f"python -m lsgan.prepare {' '.join(overrides)} does it"
            )
            return
        name = " ".join(kind) or "the default"
        yield f"trying {name}: {_STEPS} steps"
        cost = _tried(kind, environments[: min(len(plans), _BESIDE)])
        if cost is None:
            yield f"no estimate: a trial of {name} did not end well"
            return
        kinds[kind] = cost
    mean = _mean(kinds.values())
    costs = [kinds.get(_kind(overrides), mean) for _, overrides in plans]
    seconds = [_seconds(plan, cost) for (plan, _), cost in zip(plans, costs, strict=True)]
    room = sum(_bytes(plan, cost) for (plan, _), cost in zip(plans, costs, strict=True))
    workers = len(environments)
    yield (
        f"measured over {_STEPS} steps of {counted(len(kinds), 'kind')} of jobs, "
        f"{min(workers, len(plans), _BESIDE)} at a time: "
        f"{', '.join(f'{cost.images_per_second:,.0f}' for cost in kinds.values())} images/s each, "
        f"{mean.start_seconds:.0f} s to start and end"
    )
    yield f"time: about {timedelta(seconds=round(_until_all_are_done(seconds, workers)))} with {workers} at a time"
    yield f"disk: about {room / 1e9:.2g} GB in the run folders"


def _mean(costs: Iterable[Cost]) -> Cost:
    return Cost(*map(fmean, zip(*costs, strict=True)))


def _until_all_are_done(seconds: Sequence[float], workers: int) -> float:
    """Of jobs that are begun in their order, each by the first worker that is free."""
    free_at = [0.0] * workers
    for duration in seconds:
        heapq.heapreplace(free_at, free_at[0] + duration)
    return max(free_at)


def _is_packed(planned: Plan) -> bool:
    """Whether a trial would find its images; points are drawn as they are used."""
    if "resolution" not in planned.settings.dataset:
        return True

    from lsgan.data.sets.images import ImageDataset

    dataset = build(planned.settings, "dataset")
    return not isinstance(dataset, ImageDataset) or dataset.is_packed(planned.settings.data_dir)


def _kind(overrides: Sequence[str]) -> tuple[str, ...]:
    """What of a command decides what a step costs."""
    return tuple(word for word in overrides if word.lstrip("+~").partition("=")[0] not in _OTHER_WORDS)


def _tried(kind: Sequence[str], environments: Sequence[Mapping[str, str]]) -> Cost | None:
    """The mean of trials side by side, one in each environment; None if one of them did not end well."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / str(number) for number in range(len(environments))]
        processes = []
        try:
            for place, environment in zip(places, environments, strict=True):
                words = (f"runs_dir={place}", "study=trial", "run=trial")
                processes.append(Process(command([*kind, *_TRIAL, *words]), environment, Path(folder) / "log"))
            ended = [(process.wait(), process.seconds) for process in processes]
        finally:
            for process in processes:
                process.kill()
        costs = [
            _cost(RunRecord(place / "trial" / "trial"), seconds) if exit_code == 0 else None
            for place, (exit_code, seconds) in zip(places, ended, strict=True)
        ]
        found = [cost for cost in costs if cost is not None]
        return _mean(found) if len(found) == len(costs) else None


def _cost(record: RunRecord, seconds: float) -> Cost | None:
    """Of a trial that took so long from its command to its end."""
    speeds = [row["images_per_second"] for row in record.rows if "images_per_second" in row]
    settled = speeds[int(len(speeds) * _SETTLED) :]
    pictures = [path.stat().st_size for path in record.pictures.values()]
    checkpoints = [path.stat().st_size for path in record.checkpoints.values()]
    if not (settled and pictures and checkpoints):
        return None
    speed = fmean(settled)
    training = _STEPS * int(record.config["batch_size"]) / speed
    return Cost(speed, max(0.0, seconds - training), max(checkpoints), max(pictures))


def _seconds(plan: Plan, cost: Cost) -> float:
    settings = plan.settings
    done = 0 if plan.folder is None else max(RunRecord(plan.folder).checkpoints, default=0)
    return cost.start_seconds + (settings.steps - done) * settings.batch_size / cost.images_per_second


def _bytes(plan: Plan, cost: Cost) -> float:
    settings = plan.settings
    checkpoints = settings.keep_checkpoints + 1 + (settings.best_metric is not None)  # one more while it is written
    return checkpoints * cost.checkpoint_bytes + settings.steps // settings.sample_every * cost.picture_bytes
