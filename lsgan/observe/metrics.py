"""How good samples are while G is trained: FID, KID, MIND, precision and recall, coverage, at a bounded cost."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lsgan.evaluation.catalogue import GROUPS, METRICS, is_biased
from lsgan.observe.observer import Finding, Observer, Row, View
from lsgan.terminal import watched

if TYPE_CHECKING:
    from torch import Tensor, device

    from lsgan.evaluation.features import Extracted, FeatureExtractor
    from lsgan.losses import Loss

log = logging.getLogger(__name__)

_LEAST = 16  # samples, as many as the neighbours' metrics need in either half
_SUMMARY = ("modes", "mind", "fid")  # told in the log's lines


class Metrics(Observer):
    """Metrics of G's average against real samples; at the last look those of its raw weights, too.

    Columns: metric/<name> against training samples, held_out/<name> against those of `dataset.held_out`, raw/<name> of
    G's raw weights against training samples. Which names there are depends on the extractor and on the data.

    Args:
        every: steps.
        num_samples: of each side; fewer if there are fewer real ones, on either side, rounded down to a multiple of the
            ranks.
        extractor: the config's `features`.
        cache: folder in which the real side's features are kept; None keeps none.

    Raises:
        ValueError: fewer than 16 samples.
    """

    columns = tuple(
        f"{group}/{name}"
        for group in GROUPS
        for name in METRICS
        if (group, name) != ("held_out", "inception_score")  # which knows no real samples
    )
    on_all_ranks = True

    def __init__(self, every: int, num_samples: int, extractor: "FeatureExtractor", cache: Path | None = None) -> None:
        if num_samples < _LEAST:
            raise ValueError(f"num_samples={num_samples} must be at least {_LEAST}: fewer tell nothing")
        self.every = every
        self._num, self._extractor, self._cache = num_samples, extractor, cache
        self._real: Mapping[bool, Extracted] | None = None
        self._labels: dict[bool, str] = {}  # by whether the real samples are held out
        self._past: list[Row] = []

    def begin(self, view: View) -> None:
        """Weights and real features are had before the first step, or it is told that they cannot be."""
        self._reals(view)

    def recall(self, rows: Iterable[Row], loss: "Loss") -> None:
        self._past = [row for row in rows if not row.keys().isdisjoint(self.columns)]

    def see(self, view: View) -> Finding:
        """Raises LsganError if a sample is not finite, or the extractor takes no such samples."""
        scalars: dict[str, float] = {}
        labels: dict[str, str] = {}
        for group, average, held_out in _asked(view):
            real = self._reals(view).get(held_out)
            if real is not None:
                found = self._measured(view, real, average=average)
                found.pop("inception_score" if held_out else "", None)
                scalars |= {f"{group}/{name}": value for name, value in found.items()}
                whose = "G's average" if average else "G's raw weights"
                labels |= {f"{group}/{name}": f"of {whose}: {self._labels[held_out]}" for name in found}
        self._past.append({"step": view.step, **scalars})
        if view.is_last:
            self._tell(scalars)
        return Finding(scalars, summary=self._summary(scalars), labels=labels)

    def _reals(self, view: View) -> "Mapping[bool, Extracted]":
        """Features of real samples, by whether they are held out, taken once: equally many of each side.

        Metrics of few samples and of many do not compare. A side that is too small to tell anything is left out.
        """
        if self._real is None:
            there = {held_out: view.num_reals(held_out) for held_out in (False, True)}
            nums = {held_out: self._num if num is None else min(self._num, num) for held_out, num in there.items()}
            for num in nums.values():
                if 0 < num < _LEAST:
                    log.warning("metrics need %d real samples, and there are %d: they are left out", _LEAST, num)
            sides = [held_out for held_out, num in nums.items() if num >= _LEAST]
            num = min((nums[held_out] for held_out in sides), default=0)
            num -= num % view.num_ranks
            self._real = {held_out: self._extracted_reals(view, num, held_out) for held_out in sides}
        return self._real

    def _extracted_reals(self, view: View, num: int, held_out: bool) -> "Extracted":
        from lsgan.evaluation.cache import cached_features, data_digest, key_of_reals
        from lsgan.evaluation.label import Label
        from lsgan.evaluation.measure import definitions, mixture_of

        def compute() -> "Extracted":
            return self._extracted(view, view.reals(num, held_out=held_out), f"{side} samples", num)

        self._extractor.load(_device(view))
        data = data_digest(view.data, view.num_reals(held_out=True))
        side = "held-out" if held_out else "training"
        label = Label(
            extractor=self._extractor.name,
            weights=self._extractor.digest,
            rule=self._extractor.rule,
            reference=side,
            data=data,
            num_real=num,
            num_generated=num,
            definitions=definitions(mixture_of(view.dataset)),
        )
        self._labels[held_out] = label.told()
        log.info("%s/…: %s", "held_out" if held_out else "metric", self._labels[held_out])
        if self._cache is None or view.num_ranks > 1:  # all ranks must take part, or none
            return compute()
        return cached_features(self._cache, key_of_reals(self._extractor, data, side, num), compute)

    def _measured(self, view: View, real: "Extracted", *, average: bool) -> dict[str, float]:
        from lsgan.evaluation.measure import measure, mixture_of

        num = len(real.features)
        fake = self._extracted(view, view.fakes(num, average=average), "generated samples", num)
        found = measure(real, fake, mixture_of(view.dataset))
        return {name: estimate.value for name, estimate in found.items()}

    def _extracted(self, view: View, batches: "Iterable[Tensor]", told: str, num: int) -> "Extracted":
        """Features of this rank's samples and of those of all others."""
        from lsgan.evaluation.features import Extracted, features_of

        place = _device(view)
        self._extractor.load(place)
        features, probabilities = features_of(self._extractor, watched(batches, told, num // view.num_ranks))
        gathered = view.gather(features.to(place)).cpu()
        return Extracted(gathered, None if probabilities is None else view.gather(probabilities.to(place)).cpu())

    def _tell(self, last: Mapping[str, float]) -> None:
        """One line a metric: the last look, with G's average and its raw weights, and the best of all looks."""
        for name, metric in METRICS.items():
            column = f"metric/{name}"
            if column not in last:
                continue
            values = [(value, row["step"]) for row in self._past if (value := row.get(column)) is not None]
            best = metric.best(value for value, _ in values)
            step = next(step for value, step in values if value == best)
            log.info(
                "%-16s last %.4g (raw weights %.4g%s), best %.4g at step %d",
                self._title(name),
                last[column],
                last[f"raw/{name}"],
                f"; held-out side {last[f'held_out/{name}']:.4g}" if f"held_out/{name}" in last else "",
                best,
                step,
            )
        if "metric/fid" in last and self._is_biased:
            log.info("* FID of so few samples is biased, differently for each model: go by MIND and KID")

    def _summary(self, scalars: Mapping[str, float]) -> str:
        found = ((self._title(name), scalars.get(f"metric/{name}")) for name in _SUMMARY)
        return "  ".join(f"{title} {value:.4g}" for title, value in found if value is not None)

    def _title(self, name: str) -> str:
        return METRICS[name].title + ("*" if name == "fid" and self._is_biased else "")

    @property
    def _is_biased(self) -> bool:
        real = next(iter((self._real or {}).values()), None)
        return real is not None and is_biased(*real.features.shape)


def _asked(view: View) -> list[tuple[str, bool, bool]]:
    """Group of columns, whether of G's average, whether against held-out samples."""
    sides = [("metric", True, False), ("held_out", True, True)]
    return [*sides, ("raw", False, False)] if view.is_last else sides


def _device(view: View) -> "device":
    return next(view.generator.parameters()).device
