"""What jobs will take: a few steps of each kind are trained for real, in a folder that is thrown away."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from hydra_plugins.hydra_local_queue._command import command
from hydra_plugins.hydra_local_queue._process import Process
from lsgan.config import Plan, build
from lsgan.config.names import keys
from lsgan.errors import LsganError
from lsgan.tracking.run_record import RunRecord

_STEPS = 40  # of a trial
_KINDS = 4  # that are tried; further ones are taken for the mean of these
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
    """Of one kind of job."""

    images_per_second: float
    checkpoint_bytes: int
    picture_bytes: int


def estimate(
    plans: Sequence[tuple[Plan, Sequence[str]]], workers: int, environment: Mapping[str, str]
) -> Iterator[str]:
    """Time and room for jobs, a line each, and one before each trial. Nothing is downloaded or packed for it.

    Args:
        plans: of each job, and its overrides.
        workers: how many run at a time.
        environment: of each of them.
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
        cost = _tried(kind, environment)
        if cost is None:
            yield f"no estimate: a trial of {name} did not end well"
            return
        kinds[kind] = cost
    mean = Cost(*(int(sum(column) / len(kinds)) for column in zip(*kinds.values(), strict=True)))
    costs = [kinds.get(_kind(overrides), mean) for _, overrides in plans]
    seconds = [_seconds(plan, cost) for (plan, _), cost in zip(plans, costs, strict=True)]
    room = sum(_bytes(plan, cost) for (plan, _), cost in zip(plans, costs, strict=True))
    total = timedelta(seconds=round(max(sum(seconds) / workers, max(seconds))))
    yield (
        f"measured over {_STEPS} steps of {len(kinds)} kinds of jobs, one at a time: "
        f"{', '.join(f'{cost.images_per_second:,.0f}' for cost in kinds.values())} images/s"
    )
    yield f"time: about {total} with {workers} at a time, if they do not slow each other down"
    yield f"disk: about {room / 1e9:.2g} GB in the run folders"


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


def _tried(kind: Sequence[str], environment: Mapping[str, str]) -> Cost | None:
    with tempfile.TemporaryDirectory() as folder:
        place = (f"runs_dir={folder}", "study=trial", "run=trial")
        process = Process(command([*kind, *_TRIAL, *place]), environment, Path(folder) / "log")
        if process.wait() != 0:
            return None
        record = RunRecord(Path(folder) / "trial" / "trial")
        speeds = [row["images_per_second"] for row in record.rows if "images_per_second" in row]
        settled = speeds[int(len(speeds) * _SETTLED) :]
        pictures = [path.stat().st_size for path in record.pictures.values()]
        checkpoints = [path.stat().st_size for path in record.checkpoints.values()]
        if not (settled and pictures and checkpoints):
            return None
        return Cost(sum(settled) / len(settled), max(checkpoints), max(pictures))


def _seconds(plan: Plan, cost: Cost) -> float:
    settings = plan.settings
    done = 0 if plan.folder is None else max(RunRecord(plan.folder).checkpoints, default=0)
    return (settings.steps - done) * settings.batch_size / cost.images_per_second


def _bytes(plan: Plan, cost: Cost) -> int:
    settings = plan.settings
    checkpoints = settings.keep_checkpoints + 1 + (settings.best_metric is not None)  # one more while it is written
    return checkpoints * cost.checkpoint_bytes + settings.steps // settings.sample_every * cost.picture_bytes
