"""How good a run's samples are.

    python -m lsgan.evaluate run=<run folder> [key=value …]
    python -m lsgan.evaluate <run or study folder> … [key=value …]

    checkpoint   last, best, all, a step or a file; several with commas                (last)
    weights      of G: average, raw or both                                            (average)
    against      which real samples: training, held-out, or all that there are         (all)
    num_images   of either side; as many as there are real ones, at most 10,000, if not given
    repeats      how often samples are drawn, each time with other noise               (3)
    seed         of the first of these draws                                           (0)
    features     the extractor, a choice of conf/features/, and its keys (features.weights=<file>);
                 the run's own if not given
    neighbours   draw as many samples beside the training images that are nearest to them  (0)
    data_dir     where the data are, if not where the run found them
    device       auto, cpu or cuda                                                     (auto)
    trust        let a run's config build what is neither lsgan's nor PyTorch's        (false)

Prints a table for each label, and writes <run>/evaluation/*.json. A label says what its numbers mean: numbers with
different labels do not compare. Each table ends with the real samples, one half against the other: what perfection
would score.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from lsgan import command, config, trained
from lsgan.comparison import compared
from lsgan.config.components import instantiate, typed
from lsgan.errors import LsganError
from lsgan.tracking.run_record import RunRecord

if TYPE_CHECKING:
    from lsgan.config import Settings
    from lsgan.evaluate.judge import Evaluation, Judge
    from lsgan.evaluation.features import FeatureExtractor

_OF_A_MACHINE = ("cache", "url")  # keys of an extractor that a stranger's run does not choose here
_CHOICES = {"weights": ("average", "raw", "both"), "against": ("training", "held-out", "all")}


@dataclass
class EvaluateSettings:
    """What the command line may say, the features left out."""

    folders: list[str] = field(default_factory=list)
    checkpoint: str = "last"
    weights: str = "average"
    against: str = "all"
    num_images: int | None = None
    repeats: int = 3
    seed: int = 0
    neighbours: int = 0
    data_dir: Path | None = None
    device: str = "auto"
    trust: bool = False


def main() -> None:
    """Reads the command line, evaluates and tells."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    wanted, of_features = _wanted(sys.argv[1:])
    runs = [run for folder in wanted.folders for run in _runs(Path(folder).expanduser())]

    from lsgan.evaluate import table
    from lsgan.tracking.console import show_log_lines

    show_log_lines()
    evaluations: list[Evaluation] = []
    failed: list[LsganError] = []
    judges: dict[str, Judge] = {}
    for record in runs:
        try:
            for evaluation in _evaluated(record, wanted, of_features, judges):
                table.write(evaluation)
                evaluations.append(evaluation)
        except LsganError as error:
            failed.append(error)
            if len(runs) > 1:
                print(f"error: {record.path}: {error}", file=sys.stderr)
    if evaluations:
        table.show(table.output(), evaluations)
    if failed:
        raise failed[0] if len(runs) == 1 else LsganError(f"{len(failed)} of {len(runs)} runs were not evaluated")


def _wanted(words: Sequence[str]) -> tuple[EvaluateSettings, list[str]]:
    """What was typed, and the words that choose features."""
    of_features = [word for word in words if re.match(r"features[.=]", word)]
    values: dict[str, Any] = {"folders": []}
    for word in words:
        key, equals, value = word.partition("=")
        if word in of_features or (equals and not value):
            continue
        if not equals or key == "run" or not re.fullmatch(r"[\w.]+", key):
            values["folders"].append(value if key == "run" else word)
        else:
            values[key] = None if value == "null" else value
    flags = [word for word in values["folders"] if word.startswith("-")]
    if flags:
        raise LsganError(f"{flags[0]}: evaluate knows no flag but --help; write key=value")
    wanted: EvaluateSettings = typed(EvaluateSettings, OmegaConf.create(values))
    if not wanted.folders:
        raise LsganError("run=<run folder> must be given: python -m lsgan.evaluate run=<run folder>")
    for key, choices in _CHOICES.items():
        if getattr(wanted, key) not in choices:
            raise LsganError(f"{key}={getattr(wanted, key)} must be {', '.join(choices[:-1])} or {choices[-1]}")
    for key, least in (("num_images", 2), ("repeats", 1), ("seed", 0), ("neighbours", 0)):
        number = getattr(wanted, key)
        if number is not None and number < least:
            raise LsganError(f"{key}={number} must be at least {least}")
    return wanted, of_features


def _runs(folder: Path) -> list[RunRecord]:
    return [run.record for run in compared(folder)]


def _evaluated(
    record: RunRecord, wanted: EvaluateSettings, of_features: Sequence[str], judges: dict[str, "Judge"]
) -> Iterator["Evaluation"]:
    """`judges`: by extractor and place of the data; those of earlier runs are used, and a new one is added."""
    paths = _checkpoints(record, wanted.checkpoint)
    settings = _settings(record, wanted)
    node = _features(settings, of_features)
    key = str((node, settings.data_dir))
    if key not in judges:
        judges[key] = _judge(node, settings, wanted)
    for path in paths:
        for ema in _weights(settings, wanted.weights):
            run = trained.load(record.path, path, ema=ema, device=wanted.device, trust=wanted.trust)
            sides = judges[key].sides(run, settings) if wanted.against == "all" else [wanted.against]
            yield from judges[key].evaluate(run, settings, sides)
            if wanted.neighbours:
                from lsgan.evaluate.neighbours import write_sheet

                print(write_sheet(judges[key], run, settings, wanted.neighbours))


def _weights(settings: "Settings", asked: str) -> list[bool]:
    """Whether G's average, for each that is asked for; without `ema_halflife_images` there is none."""
    if settings.ema_halflife_images == 0:
        return [False]
    return {"average": [True], "raw": [False], "both": [True, False]}[asked]


def _checkpoints(record: RunRecord, asked: str) -> list[Path]:
    """The run's own that are meant, each once. Raises LsganError if it has none of them."""
    if record.exported is not None:
        raise LsganError(f"{record.path} is what was exported of a run: evaluate the run")
    newest = [record.checkpoints[max(record.checkpoints)]] if record.checkpoints else []
    there = {"last": newest, "all": [*record.checkpoints.values()], "best": [record.best] if record.best else []}
    named = [there.get(word) or [trained.find_checkpoint(record, _name(word))] for word in asked.split(",")]
    found = dict.fromkeys(path for paths in named for path in paths)
    for path in found:
        if not path.resolve().is_relative_to(record.path.resolve()):
            raise LsganError(f"checkpoint={path} is none of {record.path}, whose numbers these would be: name its run")
    return [*found]


def _name(word: str) -> str | None:
    """As `find_checkpoint` takes it, which knows why there is none."""
    return None if word in ("last", "all") else word


def _settings(record: RunRecord, wanted: EvaluateSettings) -> "Settings":
    """The run's; its data are looked for where it had them, or where this machine has its own."""
    cfg = config.load(record.path, trust=wanted.trust)
    settings = config.check(cfg)
    if wanted.data_dir is not None:
        settings.data_dir = wanted.data_dir.expanduser()
    elif not settings.data_dir.is_dir():
        settings.data_dir = config.check(config.composed()).data_dir
    return settings


def _features(settings: "Settings", words: Sequence[str]) -> dict[str, Any]:
    """The node of the extractor: the run's own, or what was typed; what it keeps lies with the data of this machine."""
    if any(word.startswith("features=") for word in words):
        return config.check(config.composed([*words, f"data_dir={_quoted(str(settings.data_dir))}"])).features
    is_another = any(word.startswith("features._target_=") for word in words)
    own = {} if is_another else {key: value for key, value in settings.features.items() if key not in _OF_A_MACHINE}
    if "cache" in settings.features and not is_another:
        own["cache"] = str(settings.data_dir / "features")
    node = OmegaConf.create({"features": own})
    for word in words:
        key, _, value = word.partition("=")
        OmegaConf.update(node, key, None if value == "null" else value, force_add=True)
    return OmegaConf.to_container(node)["features"]  # type: ignore[index,call-overload,return-value]


def _quoted(text: str) -> str:
    """As Hydra reads it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _judge(node: dict[str, Any], settings: "Settings", wanted: EvaluateSettings) -> "Judge":
    from lsgan.evaluate.judge import Judge
    from lsgan.trained import machine_for

    extractor: FeatureExtractor = instantiate(node, "features")
    seeds = range(wanted.seed, wanted.seed + wanted.repeats)
    cache, device = settings.data_dir / "features", machine_for(wanted.device).device
    return Judge(extractor, device, cache, wanted.num_images, seeds)


if __name__ == "__main__":
    command.run(main)
