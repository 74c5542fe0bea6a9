"""Does each extractor order known damage as a person would? Noise, blur, repeated images, dropped classes.

    python benchmarks/damage.py [--features digits pixels lite0] [--num 400] [--cache ~/.cache/lsgan/features]

Real images are split in two at random: one half is the reference, the other one is damaged more and more; the first
strength is none. All strengths of a row have as many images, for FID grows as they become fewer: of dropped classes as
many as the smallest class has, and the distance is the mean over which classes stay. The images are scikit-learn's
digits, grey, with ten classes, and patches of its two photographs, in colour, whose quarters serve as eight classes.
"""

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits, load_sample_images
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from lsgan.evaluation.distances import fid, kid
from lsgan.evaluation.extractors.digits import Digits
from lsgan.evaluation.extractors.lite0 import Lite0
from lsgan.evaluation.extractors.pixels import Pixels
from lsgan.evaluation.features import FeatureExtractor, features_of
from lsgan.streams import stream

EXTRACTORS: dict[str, Callable[[Path], FeatureExtractor]] = {
    "digits": Digits,
    "pixels": lambda cache: Pixels(),
    "lite0": lambda cache: Lite0(),
}
PATCH, STEP = 64, 16  # pixels, of the photographs


class Labelled(NamedTuple):
    """Real images, uint8 [N, C, H, W], and their classes, int64 [N]."""

    images: Tensor
    labels: Tensor

    def at(self, indices: Tensor) -> "Labelled":
        return Labelled(self.images[indices], self.labels[indices])


class Row(NamedTuple):
    """A kind of damage: its strengths, as told, the first of them none, and for each the features of damaged images.

    Where it depends on a choice which images are left, there are several sets of features, and distances are averaged.
    """

    kind: str
    told: Sequence[str]
    features: Sequence[Sequence[Tensor]]


def main() -> None:
    """Prints one table for each set of images and extractor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", nargs="+", default=list(EXTRACTORS), choices=EXTRACTORS)
    parser.add_argument("--num", type=int, help="images a half, at most")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/lsgan/features"))
    options = parser.parse_args()
    print(f"{date.today()}, {platform.machine()}, torch {torch.__version__}, CPU")
    for title, images in (("digits, 32×32", digits()), ("patches of photographs, 64×64", patches())):
        reference, other = (half.at(torch.arange(len(half.images))[: options.num]) for half in halves(images))
        for name in options.features:
            began = time.perf_counter()
            extractor = EXTRACTORS[name](options.cache)
            extractor.load(torch.device("cpu"))
            shown = table(extractor, reference, other)
            shown.title = f"{title}: features={name}, {len(reference.images)} in the reference"
            Console(width=140).print(shown)
            print(f"{time.perf_counter() - began:.0f} s")


def digits() -> Labelled:
    """1,797 grey digits, enlarged as the data set does."""
    found = load_digits()
    small = np.round(found.images * (255 / 16)).astype(np.uint8)
    large = np.stack([np.asarray(Image.fromarray(i).resize((32, 32), Image.Resampling.BILINEAR)) for i in small])
    return Labelled(torch.from_numpy(large).unsqueeze(1), torch.from_numpy(found.target).long())


def patches() -> Labelled:
    """Squares of the two photographs; the class is the photograph and the quarter of it that the middle lies in."""
    images, labels = [], []
    for index, photo in enumerate(load_sample_images().images):
        pixels = torch.tensor(photo).permute(2, 0, 1)  # [3, 427, 640]
        height, width = pixels.shape[1:]
        for y in range(0, height - PATCH + 1, STEP):
            for x in range(0, width - PATCH + 1, STEP):
                images.append(pixels[:, y : y + PATCH, x : x + PATCH])
                labels.append(4 * index + 2 * (2 * y + PATCH > height) + (2 * x + PATCH > width))
    return Labelled(torch.stack(images), torch.tensor(labels))


def halves(images: Labelled) -> tuple[Labelled, Labelled]:
    """At random."""
    order = torch.randperm(len(images.images), generator=stream(0, "halves"))
    return images.at(order[::2]), images.at(order[1::2])


def rows(real: Labelled, features: Callable[[Tensor], Tensor]) -> Iterator[Row]:
    """Each kind of damage to the real images; `features` makes features of images."""
    images, base = real.images, features(real.images)
    stds = (13, 26, 51)  # of 255
    noise = [[features(noisy(images, std))] for std in stds]
    yield Row("noise, σ in grey levels", ["0", *map(str, stds)], [[base], *noise])
    sigmas = (0.5, 1, 2)
    blur = [[features(gaussian_blur(images, 2 * int(4 * sigma) + 1, sigma))] for sigma in sigmas]
    yield Row("blur, σ in pixels", ["0", *map(str, sigmas)], [[base], *blur])
    shares = (1, 0.1, 0.01)
    yield Row("distinct images", [f"{share:.0%}" for share in shares], [[repeated(base, share)] for share in shares])
    classes = int(real.labels.max()) + 1
    kept = (classes, round(0.8 * classes), classes // 2, 1)
    yield Row(f"classes kept of {classes}", [*map(str, kept)], [of_classes(base, real.labels, k) for k in kept])


def noisy(images: Tensor, std: float) -> Tensor:
    """With Gaussian noise, rounded."""
    noise = torch.randn(images.shape, generator=stream(0, "noise")) * std
    return (images.float() + noise).round().clamp(0, 255).byte()


def repeated(features: Tensor, share: float) -> Tensor:
    """As many, of which only this share is distinct."""
    distinct = max(round(share * len(features)), 1)
    return features[torch.arange(len(features)) % distinct]


def of_classes(features: Tensor, labels: Tensor, kept: int) -> list[Tensor]:
    """Those of `kept` classes that follow each other, for each first one; as many as the smallest class has."""
    counts = labels.bincount()
    num = len(counts)
    return [features[(labels - first) % num < kept][: int(counts.min())] for first in range(num)]


def table(extractor: FeatureExtractor, reference: Labelled, damaged: Labelled) -> Table:
    """FID and KID of each strength of each kind, and whether they grow with it."""

    def features(images: Tensor) -> Tensor:
        return features_of(extractor, [as_samples(images)]).features

    real = features(reference.images)
    shown = Table("damage", "n", "strength", "FID", "grows", "1000 KID", "grows")
    for row in rows(damaged, features):
        fids = [mean(fid(real, fake) for fake in fakes) for fakes in row.features]
        kids = [mean(1000 * kid(real, fake).value for fake in fakes) for fakes in row.features]
        numbers = [cell for values in (fids, kids) for cell in (told(values), grows(values))]
        shown.add_row(row.kind, str(len(row.features[0][0])), " → ".join(row.told), *numbers)
    return shown


def told(values: Sequence[float]) -> str:
    """In three digits."""
    return " → ".join(f"{value:.3g}" for value in values)


def as_samples(images: Tensor) -> Tensor:
    """uint8 in [-1, 1], as networks see them."""
    return images.float() / 127.5 - 1


def grows(values: Sequence[float]) -> str:
    """Whether each is above the one before."""
    return "yes" if all(a < b for a, b in pairwise(values)) else "NO"


if __name__ == "__main__":
    main()
