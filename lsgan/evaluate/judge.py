"""The metrics of a trained generator: real and generated samples, their features, and what becomes of them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from lsgan.config import Settings
from lsgan.data.batches import Batches
from lsgan.errors import LsganError
from lsgan.evaluation.cache import cached_features, data_digest, key_of_reals
from lsgan.evaluation.distances import Estimate
from lsgan.evaluation.features import Extracted, FeatureExtractor, features_of
from lsgan.evaluation.label import Label
from lsgan.evaluation.measure import LEAST, definitions, halves, measure, mixture_of
from lsgan.evaluation.mixtures import Mixture
from lsgan.review.statistics import Interval, mean_interval
from lsgan.terminal import watched
from lsgan.tracking.run_record import RunRecord
from lsgan.trained import TrainedRun

MOST_IMAGES = 10_000  # unless more are asked for

SIDES = ("training", "held-out")


@dataclass(frozen=True)
class Measured:
    """A metric's value.

    Args:
        value: the mean over the seeds of the latent.
        error: one standard error of a single draw, as the metric itself tells it, if it does.
        interval: of that mean, 95% by Student's t; nan for one seed.
        values: of each seed.
    """

    value: float
    error: float | None
    interval: Interval
    values: Sequence[float]


@dataclass(frozen=True)
class Evaluation:
    """What came out for one checkpoint of one run against one side of the real samples.

    Args:
        run: its folder.
        checkpoint: the file.
        step: of the checkpoint.
        weights: of G: average or raw.
        seeds: of the latent.
        label: what the numbers mean.
        dim: of the features.
        results: by name of the metric.
        perfect: the same of one half of the real samples against the other; empty for too few of them.
    """

    run: Path
    checkpoint: Path
    step: int
    weights: str
    seeds: Sequence[int]
    label: Label
    dim: int
    results: Mapping[str, Measured]
    perfect: Mapping[str, Measured]

    @property
    def num(self) -> int:
        """Samples of the smaller side."""
        return min(self.label.num_real, self.label.num_generated)


@dataclass
class Judge:
    """Takes the metrics of runs; what several of them share, the real side, is computed once.

    Args:
        extractor: of the features.
        device: where it runs.
        cache: folder for the features of real samples.
        num_images: of either side; None: as many as there are real ones (of the smaller side), at most MOST_IMAGES.
        seeds: of the latent, one set of generated samples each.
    """

    extractor: FeatureExtractor
    device: torch.device
    cache: Path
    num_images: int | None
    seeds: Sequence[int]
    _batches: dict[str, Batches] = field(default_factory=dict)
    _real: dict[tuple[str, str, int], Extracted] = field(default_factory=dict)
    _perfect: dict[tuple[str, str, int], Mapping[str, Measured]] = field(default_factory=dict)
    _generator: tuple[Path, bool] | None = None
    _fake: dict[tuple[int, int], Extracted] = field(default_factory=dict)  # of that generator, by seed and number

    def evaluate(self, run: TrainedRun, settings: Settings, sides: Sequence[str]) -> Iterator[Evaluation]:
        """The metrics of a run's generator against each of these sides of its real samples, with equally many of each.

        Raises:
            LsganError: the data are not to be had, or not the run's; a side has no samples; a sample is not finite; or
                the extractor takes no such samples.
        """
        batches, mixture = self._open(run, settings), mixture_of(run.dataset)
        num = self._num(batches, sides)
        for side in sides:
            real = self._reals(batches, side, num)
            fakes = [self._fakes(run, batches, seed, self.num_images or num) for seed in self.seeds]
            label = Label(
                extractor=self.extractor.name,
                weights=self.extractor.digest,
                rule=self.extractor.rule,
                reference=side,
                data=_digest(batches),
                num_real=num,
                num_generated=len(fakes[0].features),
                definitions=definitions(mixture),
            )
            yield Evaluation(
                run=run.folder,
                checkpoint=run.checkpoint,
                step=run.step,
                weights="average" if run.ema else "raw",
                seeds=self.seeds,
                label=label,
                dim=real.features.shape[1],
                results=_combined([measure(real, fake, mixture) for fake in fakes]),
                perfect=self._perfected(label, real, mixture),
            )

    def sides(self, run: TrainedRun, settings: Settings) -> list[str]:
        """Those that have samples."""
        batches = self._open(run, settings)
        return [side for side in SIDES if batches.num_reals(side == "held-out") != 0]

    def training(self, run: TrainedRun, settings: Settings) -> tuple[Extracted, Iterator[Tensor], int]:
        """Features of training samples, these samples in the same order, in batches, and how many there are in all.

        They are all of them, unless a number was asked for.
        """
        batches = self._open(run, settings)
        there = batches.num_reals() or MOST_IMAGES
        num = min(self.num_images or there, there)
        return self._reals(batches, "training", num), self._samples(batches, "training", num), there

    def _open(self, run: TrainedRun, settings: Settings) -> Batches:
        key = str((settings.dataset, settings.data_dir))
        if key not in self._batches:
            self._batches[key] = run.dataset.open(settings.data_dir, settings.batch_size, settings.seed, 0)
        batches = self._batches[key]
        told = RunRecord(run.folder).data
        other = [
            f"{key}={batches.identity.get(key)}, not {value}"
            for key, value in told.items()
            if batches.identity.get(key) != value
        ]
        if other:
            raise LsganError(
                f"{run.folder} was trained on other samples ({'; '.join(other)}): put those back into data_dir, or "
                "name the one that has them"
            )
        return batches

    def _num(self, batches: Batches, sides: Sequence[str]) -> int:
        """Real samples of each side: metrics of few and of many do not compare."""
        there = [batches.num_reals(side == "held-out") for side in sides]
        if 0 in there:
            raise LsganError(
                "against=held-out: the run has held nothing out; dataset.held_out=0.1 does, when it begins"
            )
        return min([self.num_images or MOST_IMAGES, *(num for num in there if num is not None)])

    def _samples(self, batches: Batches, side: str, num: int) -> Iterator[Tensor]:
        reals = batches.reals(num, torch.device("cpu"), held_out=side == "held-out")
        return (batch.samples for batch in reals)

    def _reals(self, batches: Batches, side: str, num: int) -> Extracted:
        data = _digest(batches)
        if (data, side, num) not in self._real:
            self.extractor.load(self.device)
            key = key_of_reals(self.extractor, data, side, num)
            self._real[data, side, num] = cached_features(
                self.cache, key, lambda: self._extracted(self._samples(batches, side, num), f"{side} samples", num)
            )
        return self._real[data, side, num]

    def _extracted(self, batches: Iterable[Tensor], told: str, num: int) -> Extracted:
        return features_of(self.extractor, watched(batches, told, num))

    def _fakes(self, run: TrainedRun, batches: Batches, seed: int, num: int) -> Extracted:
        if self._generator != (run.checkpoint, run.ema):
            self._generator = (run.checkpoint, run.ema)
            self._fake.clear()  # of one generator at a time
        if (seed, num) not in self._fake:
            self.extractor.load(self.device)
            drawn = self._drawn(run, batches, seed, num)
            self._fake[seed, num] = self._extracted(drawn, f"generated samples, seed {seed}", num)
        return self._fake[seed, num]

    def _drawn(self, run: TrainedRun, batches: Batches, seed: int, num: int) -> Iterator[Tensor]:
        """Of a conditional run with the classes of training samples: as often as these have each."""
        if run.num_classes is None:
            return (batch for _, part in run.parts(num, seed) for batch in part)
        there = batches.num_reals() or num
        found = [batch.labels for batch in batches.reals(min(num, there), torch.device("cpu"))]
        labels = torch.cat([part for part in found if part is not None])
        return run.labelled(labels.repeat(-(-num // len(labels)))[:num], seed)

    def _perfected(self, label: Label, real: Extracted, mixture: Mixture | None) -> Mapping[str, Measured]:
        """One half of the real samples against the other; nothing where they are too few."""
        key = (label.data, label.reference, label.num_real)
        if key not in self._perfect:
            enough = label.num_real >= 2 * LEAST
            self._perfect[key] = _combined([measure(*halves(real), mixture)]) if enough else {}
        return self._perfect[key]


def _digest(batches: Batches) -> str:
    return data_digest(batches.identity, batches.num_reals(held_out=True))


def _combined(found: Sequence[Mapping[str, Estimate]]) -> dict[str, Measured]:
    combined = {}
    for name in found[0]:
        values = [estimates[name].value for estimates in found]
        errors = [error for estimates in found if (error := estimates[name].error) is not None]
        error = math.sqrt(fmean(error * error for error in errors)) if errors else None
        combined[name] = Measured(fmean(values), error, mean_interval(values), values)
    return combined
