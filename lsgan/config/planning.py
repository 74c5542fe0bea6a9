"""Which run a command means, and whether it may go on with what is there: settled before torch is imported."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lsgan import provenance, threads
from lsgan.config import identity, names, saved
from lsgan.config.checking import check
from lsgan.config.observers import check_observers
from lsgan.config.settings import Settings, parts
from lsgan.config.trees import flat
from lsgan.errors import LsganError
from lsgan.tracking import agent
from lsgan.tracking.run_record import RunRecord
from lsgan.world import ALONE, World

_NO_MEANING = ("cache", "url", "every")  # for what a metric means


@dataclass(frozen=True)
class Plan:
    """A checked config, and what the command that it came from means.

    Args:
        settings: checked.
        world: of ranks.
        typed: of the command line, what the name of a new run tells.
        overrides: the command line as it was.
        folder: of the run that goes on; None for a new one.
    """

    settings: Settings
    world: World = ALONE
    typed: dict[str, Any] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    folder: Path | None = None

    @property
    def targets(self) -> list[str]:
        """The dotted names of all components."""
        return [node["_target_"] for _, node in parts(self.settings)]

    @property
    def value(self) -> float | None:
        """Of the run that goes on: `best_metric` where it was best so far."""
        settings = self.settings
        return (
            None if self.folder is None else RunRecord(self.folder).best_value(settings.best_metric, settings.best_mode)
        )

    @property
    def done(self) -> str | None:
        """One line if the run that goes on has ended well, with all the steps that are asked for: nothing is to do."""
        if self.folder is None:
            return None
        record = RunRecord(self.folder)
        steps = max(record.checkpoints, default=0)
        if record.status.name != "finished" or steps < self.settings.steps:
            return None
        further = "add steps=<more> to go further"
        if self.settings.resume is None and self.settings.run is None:
            further = f"resume={self.folder} steps=<more> goes further, new=true begins another"
        by = provenance.differences(provenance.code(self.targets), record.code) if record.code else ""
        return f"{self.folder}: the run has finished its {steps} steps: {further}" + (by and f" (other code: {by})")


def plan(cfg: DictConfig, overrides: Iterable[str] = (), world: World = ALONE) -> Plan:
    """What a composed config and the command line behind it ask for.

    Raises:
        LsganError: the config is unsound, or it goes on with a run that was begun with another config or by other code,
            and `resume_override` does not say that this is meant.
    """
    overrides = list(overrides)
    if cfg.get("resume") is not None:
        if cfg["resume"] == "":
            raise LsganError("resume= names no run folder: resume=<runs_dir>/<study>/<run>, or leave it out")
        folder = Path(str(cfg["resume"])).expanduser()
        settings = check(saved.going_on(folder, overrides, cfg), world)
        settings.resume = folder
        found = Plan(settings, world, {}, overrides, folder)
    else:
        typed = names.typed(cfg, overrides)
        _check_told_once(typed, cfg)
        settings = check(cfg, world)
        found = Plan(settings, world, typed, overrides, _begun(settings, typed))
    if found.folder is not None:
        if RunRecord(found.folder).exported is not None:
            raise LsganError(
                f"{call(found)} is what was exported of a run, and has nothing to go on from: name the run"
            )
        before = saved.load(found.folder, trust=True)  # read, not built
        _check_config(found, before)
        _check_metrics(found, before)
        _check_length(found)
        _check_code(found)
        _keep(settings, before)
    if settings.runtime.get("threads") is None:
        settings.runtime["threads"] = threads.told()
    check_observers(settings)  # before torch is imported
    return found


def call(plan: Plan) -> str:
    """How messages call the run that goes on: by what the user typed."""
    settings = plan.settings
    if settings.resume is not None:
        return f"resume={settings.resume}"
    return f"run={settings.run}: {plan.folder}" if settings.run is not None else str(plan.folder)


def how_else(plan: Plan) -> str:
    """What to do instead of going on with a run that differs."""
    if plan.settings.resume is not None:
        return "begin another run"
    return "choose another name" if plan.settings.run is not None else "begin another run by new=true"


def _begun(settings: Settings, typed: dict[str, Any]) -> Path | None:
    """The folder of the run that the command means, if it has been begun: of several, begun by `new=true`, the last.

    W&B's agent always means its own run; a repeated command is another one to it.
    """
    found = named(settings, typed)
    if found is None or (settings.run is None and settings.new):
        return None
    if settings.run is not None and settings.new:
        raise LsganError(f"run={settings.run}: {found} is there, and new=true begins another: choose another name")
    if settings.run is None and agent.is_of_another_run(found):
        settings.new = True
        return None
    return found


def named(settings: Settings, typed: dict[str, Any]) -> Path | None:
    """The folder of the run of that name, given or made from what was typed, if it is there; of several the last."""
    study = settings.runs_dir / settings.study
    if settings.run is None:
        return names.last_begun(study, settings.seed, typed)
    folder = study / settings.run
    return folder if (folder / "config.yaml").exists() else None


def _keep(settings: Settings, before: DictConfig) -> None:
    """A run that goes on does so in the precision and with the threads that it was begun with: the same bits."""
    runtime = settings.runtime
    if runtime.get("precision") == "auto":
        runtime["precision"] = before["runtime"]["precision"]
    if runtime.get("threads") is None and before["runtime"].get("threads") is not None:
        runtime["threads"] = threads.at_most(before["runtime"]["threads"])


def _check_told_once(typed: dict[str, Any], cfg: DictConfig) -> None:
    images = cfg.get("images")
    if "steps" in typed and images is not None:
        fix = "leave one of them out" if "images" in typed else "add images=null, or leave steps out"
        raise LsganError(f"images={images} and steps={typed['steps']} both say how long to train: {fix}")


def _check_length(plan: Plan) -> None:
    """What is typed for a run that was named must not be less than it has done: nothing can be taken back."""
    assert plan.folder is not None
    settings, done = plan.settings, max(RunRecord(plan.folder).checkpoints, default=0)
    typed = names.keys(plan.overrides) & {"steps", "images"}
    if typed and settings.steps < done and (settings.resume is not None or settings.run is not None):
        wanted = (
            f"images={settings.images} ({settings.steps} steps)" if "images" in typed else f"steps={settings.steps}"
        )
        raise LsganError(f"{wanted}: {plan.folder} has done {done} steps already: ask for more, or begin another run")


def _check_config(plan: Plan, before: DictConfig) -> None:
    if plan.settings.resume_override or plan.settings.resume is not None:
        return  # of resume=, `going_on` has refused what may not change
    refuse(plan, identity.differences(identity.said(plan.settings), identity.said(check(before))))


def _check_metrics(plan: Plan, before: DictConfig) -> None:
    """Columns of metrics.jsonl keep their meaning, which follows from the extractor and the number of samples."""
    if "metrics" not in plan.settings.observe or "metrics" not in before["observe"] or plan.settings.resume_override:
        return
    told = [
        flat({"features": settings.features, "observe": {"metrics": settings.observe["metrics"]}})
        for settings in (plan.settings, check(before))
    ]
    now, then = ({key: value for key, value in one.items() if _last(key) not in _NO_MEANING} for one in told)
    differences = identity.differences(now, then)
    if differences:
        raise LsganError(
            f"{call(plan)} has metrics already, and these would mean something else ({'; '.join(differences)}): "
            f"{how_else(plan)}, or have both in the same columns by resume_override=true"
        )


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def refuse(plan: Plan, differences: Sequence[str]) -> None:
    """Raises LsganError, which names the differences between a run that goes on and what it was, if there are any."""
    if differences and not plan.settings.resume_override:
        what = "other data" if all(line.startswith("data: ") for line in differences) else "another config"
        raise LsganError(
            f"{call(plan)} was begun with {what} ({'; '.join(differences)}): {how_else(plan)}, or go on with the new "
            f"{'ones' if what == 'other data' else 'values'} by resume_override=true"
        )


def _check_code(plan: Plan) -> None:
    """A run is not continued by other code without a word; one that is done is not continued at all."""
    assert plan.folder is not None
    before = RunRecord(plan.folder).code
    differing = provenance.differences(provenance.code(plan.targets), before) if before else ""
    if differing and not plan.settings.resume_override and plan.done is None:
        raise LsganError(
            f"{call(plan)} was begun by other code ({differing}): {how_else(plan)}, or go on with this code by "
            "resume_override=true"
        )
