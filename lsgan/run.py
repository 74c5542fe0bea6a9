"""What runs: one function that takes an experiment, for train.py, notebooks and launchers alike."""

import logging
from contextlib import nullcontext
from typing import Any

import torch

from lsgan import provenance
from lsgan.config import Experiment, check, flat, load, size, to_yaml
from lsgan.config.identity import Identity, identity
from lsgan.config.planning import call, how_else, refuse
from lsgan.errors import LsganError
from lsgan.evaluation.catalogue import direction
from lsgan.losses import describe, lacking
from lsgan.tracking.console import DETAIL, ConsoleTracker, show_log_lines
from lsgan.tracking.run_folder import RunFolder
from lsgan.tracking.run_record import RunRecord
from lsgan.tracking.tracker import RunInfo, Trackers
from lsgan.training.checkpoints import Checkpoints, Loaded, NoSoundCheckpointError
from lsgan.training.gan import Data, Gan
from lsgan.training.loop import train
from lsgan.training.memory import enough_for, peak_bytes

log = logging.getLogger(__name__)


def run(experiment: Experiment) -> float | None:
    """Trains what the experiment describes, from the beginning or from the run's last checkpoint, in its run folder.

    Returns `best_metric` where it was best: the objective of a search. None without one, and on ranks above 0.

    Raises:
        LsganError: the data are not to be had, or not those that the run was begun with, or the memory does not
            suffice; or as `train`.
    """
    with enough_for(size.deciding(experiment.settings, "batch_size", "dataset", "latent", "architecture")):
        return _run(experiment)


def _run(experiment: Experiment) -> float | None:
    plan, settings, machine, state = experiment.plan, experiment.settings, experiment.machine, experiment.state
    show_log_lines(plan.world)
    machine.apply()
    machine.meet()
    batches = experiment.dataset.open(settings.data_dir, settings.batch_size, settings.seed, settings.device_cache_gb)
    now = identity(settings, batches.identity)
    if plan.folder is not None:
        refuse(plan, now.differences(_identity_of(RunRecord(plan.folder))))
    with machine.joined(), _folder(experiment) if plan.world.is_main else nullcontext() as folder:
        checkpoints = None
        if folder is not None:
            checkpoints = Checkpoints(
                folder.checkpoints,
                settings.checkpoint_every,
                settings.keep_checkpoints,
                now.content(),
                folder.saving,
            )
            _load(checkpoints, experiment, now, folder.record)
        machine.share(state)
        data = Data(experiment.dataset, batches, experiment.conditional)
        gan = Gan(state, experiment.recipe, data, machine)
        if state.step >= settings.steps:
            _say_finished(experiment, folder)
        elif folder is None:
            train(gan, experiment.observers, Trackers(), None, settings.steps)
        else:
            _train_tracked(experiment, gan, folder, checkpoints, _facts(experiment, now))
        return None if folder is None else folder.record.best_value(settings.best_metric, settings.best_mode)


def _train_tracked(
    experiment: Experiment, gan: Gan, folder: RunFolder, checkpoints: Checkpoints | None, facts: dict[str, Any]
) -> None:
    """Trains on rank 0, all that is found written into the folder, to the console and to the service."""
    settings, machine, name = experiment.settings, experiment.machine, folder.path.name
    values = experiment.resolved(run=name)
    folder.start(gan.state.step, to_yaml(values), facts)
    info = RunInfo(
        folder.path,
        settings.study,
        name,
        flat(values),
        experiment.tags,
        experiment.recipe.loss.name,
        _directions(experiment),
        folder.record.rows,
        folder.record.labels,
    )
    log.info("run folder: %s", folder.path)
    for line in (machine.describe(), *experiment.notes, describe(experiment.recipe.loss)):
        log.log(DETAIL, "%s", line)
    if warning := lacking(experiment.recipe.loss, experiment.recipe.penalty):
        log.warning("%s", warning)
    with Trackers(folder) as trackers:
        trackers.add(experiment.service.start(info))
        trackers.add(ConsoleTracker(settings.steps, gan.state.step))
        experiment.observers.recall(folder.record.rows, experiment.recipe.loss)
        with folder.ending():
            train(gan, experiment.observers, trackers, checkpoints, settings.steps)
    log.info("finished:    %d steps", gan.state.step)
    log.log(DETAIL, "most memory: %s", _gigabytes(peak_bytes(machine.device)))
    log.log(DETAIL, "run folder:  %s", folder.path)
    log.log(DETAIL, "last sample: %s", folder.last_picture)
    log.log(DETAIL, "go on:       python train.py resume=%s steps=%d", folder.path, 2 * settings.steps)


def _directions(experiment: Experiment) -> dict[str, str]:
    """Which value is best, by column: of metrics, and of what the run chooses its best checkpoint by."""
    known = {column: best for column in experiment.observers.columns if (best := direction(column)) is not None}
    own, mode = experiment.settings.best_metric, experiment.settings.best_mode
    return known if own is None else {**known, own: mode}


def _folder(experiment: Experiment) -> RunFolder:
    """The folder of the run, held by this process: the one that goes on, or a new one."""
    plan, settings = experiment.plan, experiment.settings
    if plan.folder is not None:
        return RunFolder.open(plan.folder)
    study = settings.runs_dir / settings.study
    return RunFolder.create(study, experiment.run_name) if settings.new else RunFolder.open(study / experiment.run_name)


def _identity_of(record: RunRecord) -> Identity:
    """What the folder says that its run is."""
    return identity(check(load(record.path, trust=True)), record.data)


def _load(checkpoints: Checkpoints, experiment: Experiment, now: Identity, record: RunRecord) -> None:
    """Restores the last checkpoint, which must be of this very run: its config.yaml may have been edited since.

    After `resume_override=true` the run has had several identities; each start has written its own down.
    """
    found = _latest(checkpoints, experiment, record)
    if found is None or not found.identity:  # version 0.1 wrote none
        return
    before = Identity.from_content(found.identity)
    own = {str(entry.get("identity")) for entry in record.history}
    differences = now.differences(before)
    if now.digest in own and before.digest not in own and differences and not experiment.settings.resume_override:
        raise LsganError(
            f"{found.path} is a checkpoint of another run ({'; '.join(differences)}): put this run's own back, or "
            f"{how_else(experiment.plan)}"
        )
    if not {before.digest, now.digest} <= own:
        refuse(experiment.plan, differences)


def _latest(checkpoints: Checkpoints, experiment: Experiment, record: RunRecord) -> Loaded | None:
    """The newest sound checkpoint, restored; None if the run has had none, and begins, perhaps after a kill, at step 0.

    Raises:
        LsganError: the run has had checkpoints, and they are lost. It is never begun anew without a word.
    """
    reason = ""
    try:
        found = checkpoints.load_latest(experiment.state)
        if found is not None or not record.has_saved:
            if found is None and record.history:
                log.info("%s: it ended before its first checkpoint, and begins at step 0 again", record.path)
            return found
    except NoSoundCheckpointError as error:
        reason = f" ({error.__cause__})"
    raise LsganError(
        f"{call(experiment.plan)} has had checkpoints, but {checkpoints.folder} holds no sound checkpoint{reason}: put "
        f"one back{checkpoints.advice()}, or {how_else(experiment.plan)}"
    )


def _say_finished(experiment: Experiment, folder: RunFolder | None) -> None:
    """Of a run that has all its steps, perhaps without having said so: it was killed after the last one."""
    if folder is not None:
        folder.finish(experiment.state.step)
        log.info("the run has finished its %d steps: add steps=<more> to go further", experiment.state.step)


def _facts(experiment: Experiment, now: Identity) -> dict[str, Any]:
    """What the history remembers of a start."""
    return {
        "overrides": list(experiment.plan.overrides),
        "identity": now.digest,
        "data": now.data,
        "code": provenance.code(experiment.plan.targets),
        **provenance.surroundings(),
        "runtime": experiment.machine.describe(),
        "notes": list(experiment.notes),
        "threads": torch.get_num_threads(),
        "ranks": experiment.plan.world.size,
    }


def _gigabytes(num_bytes: int | None) -> str:
    return "not known on this system" if num_bytes is None else f"{num_bytes / 1e9:.2f} GB"
