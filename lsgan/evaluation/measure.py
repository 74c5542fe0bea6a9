"""All metrics of generated samples against real ones."""

import torch
from torch import Tensor

from lsgan.errors import LsganError
from lsgan.evaluation.distances import SPLITS, Estimate, fid, inception_score, kid, mind
from lsgan.evaluation.features import Extracted
from lsgan.evaluation.mixtures import DEFINITION, Mixture, coverage, energy_distance, sliced_w2
from lsgan.evaluation.neighbours import precision_recall_density_coverage
from lsgan.streams import stream

LEAST = 8  # samples a side: more than the neighbours that a metric looks at

NEIGHBOURS = "k=3 (precision, recall), 5 (density, coverage)"


def definitions(mixture: Mixture | None) -> str:
    """What the metrics leave open, for the label."""
    return NEIGHBOURS if mixture is None else f"{NEIGHBOURS}; {DEFINITION}"


def measure(real: Extracted, fake: Extracted, mixture: Mixture | None = None) -> dict[str, Estimate]:
    """Every metric that these allow, by name.

    Args:
        real: features [N, d].
        fake: features [M, d]; the Inception Score is there where they know classes.
        mixture: what the real samples come from, if that is known; the features are the points themselves, then.

    Raises:
        LsganError: there are too few of them, or they do not fit together.
    """
    manifold = precision_recall_density_coverage(real.features, fake.features)
    found = {
        "mind": _exactly(mind(real.features, fake.features)),
        "kid": kid(real.features, fake.features),
        "fid": _exactly(fid(real.features, fake.features)),
        **{name: _exactly(value) for name, value in manifold._asdict().items()},
    }
    if fake.probabilities is not None and len(fake.probabilities) >= SPLITS:
        found["inception_score"] = inception_score(fake.probabilities)
    return found if mixture is None else {**_of_mixture(real.features, fake.features, mixture), **found}


def mixture_of(dataset: object) -> Mixture | None:
    """The data set, if its samples come from a mixture that is known."""
    return dataset if isinstance(dataset, Mixture) else None


def _of_mixture(real: Tensor, fake: Tensor, mixture: Mixture) -> dict[str, Estimate]:
    found = coverage(fake, mixture)
    return {
        "modes": _exactly(found.modes),
        "quality": _exactly(found.quality),
        "mode_kl": _exactly(found.kl),
        "energy_distance": energy_distance(real, fake),
        "sliced_w2": _exactly(sliced_w2(real, fake)),
    }


def _exactly(value: float) -> Estimate:
    """A value that knows no error of its own."""
    return Estimate(float(value), None)


def halves(real: Extracted, seed: int = 0) -> tuple[Extracted, Extracted]:
    """Real samples dealt into two halves: what they score against each other is what perfection would score.

    Raises:
        LsganError: there is but one sample.
    """
    num = len(real.features)
    if num < 2:
        raise LsganError("one real sample has no halves: more are needed to tell what perfection would score")
    order = torch.randperm(num, generator=stream(seed, "halves"))
    return taken(real, order[: num // 2]), taken(real, order[num // 2 :])


def taken(extracted: Extracted, indices: torch.Tensor) -> Extracted:
    """Those of `indices` [K], in that order."""
    probabilities = extracted.probabilities
    return Extracted(extracted.features[indices], None if probabilities is None else probabilities[indices])
