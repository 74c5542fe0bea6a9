"""Metrics of nearest neighbours, a block of distances at a time: precision, recall, density, coverage, and who is near.

Distances are squared, float64, and come from matrix products. Two of them count as equal where they differ by less than
TIES of the squared lengths of the two samples (from the mean of the real ones): some twenty times what rounding can do
to 2048 features. So a sample on a sphere is inside it, copies are at distance 0, and neither the size of the blocks
nor the number of threads changes a result.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lsgan.errors import LsganError
from lsgan.evaluation import arrays
from lsgan.evaluation.arrays import spans

BLOCK = 2048  # samples a side of a block of distances: 32 MB
ELEMENTS = 2**24  # in a block of `nearest`: 128 MB
TIES = 1e-11


class Manifold(NamedTuple):
    """How two sets lie among each other's neighbours.

    A ball of a sample reaches to its k-th nearest other sample of its own set; who is on its surface is in it.

    Args:
        precision: share of the generated samples that are in the ball of a real one (quality), in [0, 1].
        recall: share of the real samples that are in the ball of a generated one (variety), in [0, 1].
        density: in how many balls of real samples a generated one is, divided by k; 1 on average where both sets come
            from one distribution, more where samples crowd.
        coverage: share of the real samples whose ball has a generated sample in it, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall_density_coverage(
    real: Tensor, fake: Tensor, k: int = 3, density_k: int = 5, block: int = BLOCK
) -> Manifold:
    """Of features [N, d] and [M, d].

    Beside the features it takes some 200 MB, whatever N and M. A set against itself has precision, recall and
    coverage 1, and density (k + 1) / k, for each sample is on k surfaces and at one centre.

    Args:
        real: [N, d].
        fake: [M, d].
        k: neighbours for precision and recall (Kynkäänniemi et al. 2019, equations 1 and 2).
        density_k: neighbours for density and coverage (Naeem et al. 2020, equations 3 and 4).
        block: samples a side of what is computed at a time.

    Raises:
        LsganError: as many neighbours as samples or more, and see `arrays.check`.
    """
    arrays.check(real, fake)
    _enough("real", real, max(k, density_k))
    _enough("generated", fake, k)
    centre = arrays.mean(real)
    radii = _radii(real, centre, max(k, density_k), block)
    balls = _Balls(radii[:, k - 1], radii[:, density_k - 1], _radii(fake, centre, k, block)[:, k - 1])
    precise, recalled, covered, inside = _membership(real, fake, centre, balls, block)
    return Manifold(_share(precise), _share(recalled), inside / (density_k * len(fake)), _share(covered))


def nearest(queries: Tensor, references: Tensor, num: int) -> tuple[Tensor, Tensor]:
    """The `num` nearest references [R, d] of each query [Q, d]: distances, float64, and indices, both [Q, num].

    Ascending; of equal ones the lower index first. The distances are those of the differences, so a copy is at 0.

    Raises:
        LsganError: fewer references than `num`, and see `arrays.check`.
    """
    arrays.check(references, queries, at_least=1)
    if not 1 <= num <= len(references):
        raise LsganError(f"{num} nearest samples of {len(references)}: ask for 1 to {len(references)}")
    centre = arrays.mean(references)
    squares = torch.cat([(block - centre).square().sum(dim=1) for block in arrays.blocks(references)])
    found = [
        _nearest(queries[span], references, centre, squares, num)
        for span in spans(len(queries), max(1, ELEMENTS // len(references)))
    ]
    distances, indices = (torch.cat(parts) for parts in zip(*found, strict=True))
    return distances, indices


def _enough(side: str, features: Tensor, k: int) -> None:
    if k < 1:
        raise LsganError(f"k={k} neighbours: it takes 1 or more")
    if len(features) <= k:
        raise LsganError(
            f"precision, recall, density and coverage look at the {k} nearest neighbours of each sample: they need "
            f"{k + 1} {side} samples or more, and there {'is' if len(features) == 1 else 'are'} {len(features)}"
        )


def _share(flags: Tensor) -> float:
    return int(flags.sum()) / len(flags)


# Blocks of distances


def _distances(one: Tensor, other: Tensor, ties: float = 0.0) -> Tensor:
    """Squared, [n, m], of centred float64 [n, d] and [m, d]; smaller by `ties` of the squared lengths."""
    lengths = one.square().sum(dim=1)[:, None] + other.square().sum(dim=1)
    return lengths.mul_(1 - ties).addmm_(one, other.T, alpha=-2)


def _radii(features: Tensor, centre: Tensor, k: int, block: int) -> Tensor:
    """Squared distances to the k nearest others in ascending order, [N, k]; each pair of blocks is computed once."""
    best = centre.new_full((len(features), k), torch.inf)
    parts = spans(len(features), block)
    for index, one in enumerate(parts):
        left = features[one].double() - centre
        best[one] = _smallest(best[one], _distances(left, left).fill_diagonal_(torch.inf))
        for other in parts[index + 1 :]:
            distances = _distances(left, features[other].double() - centre)
            best[one] = _smallest(best[one], distances)
            best[other] = _smallest(best[other], distances.T)
    return best


def _smallest(best: Tensor, distances: Tensor) -> Tensor:
    """The k smallest of each row of both, [n, k], ascending."""
    k = best.shape[1]
    these = distances.topk(min(k, distances.shape[1]), dim=1, largest=False).values
    return torch.cat([best, these], dim=1).topk(k, dim=1, largest=False).values


class _Balls(NamedTuple):
    """Squared radii."""

    real: Tensor  # [N], for precision
    dense: Tensor  # [N], for density and coverage
    fake: Tensor  # [M], for recall


def _membership(
    real: Tensor, fake: Tensor, centre: Tensor, balls: _Balls, block: int
) -> tuple[Tensor, Tensor, Tensor, int]:
    """Fakes in a ball of a real [M], reals in one of a fake [N], reals with a fake in theirs [N]; how many pairs."""
    precise = torch.zeros(len(fake), dtype=torch.bool)
    recalled, covered = torch.zeros(2, len(real), dtype=torch.bool)
    inside = 0
    for one in spans(len(real), block):
        left = real[one].double() - centre
        for other in spans(len(fake), block):
            distances = _distances(left, fake[other].double() - centre, TIES)
            precise[other] |= (distances <= balls.real[one, None]).any(dim=0)
            recalled[one] |= (distances <= balls.fake[other]).any(dim=1)
            close = distances <= balls.dense[one, None]
            covered[one] |= close.any(dim=1)
            inside += int(close.sum())
    return precise, recalled, covered, inside


def _nearest(queries: Tensor, references: Tensor, centre: Tensor, squares: Tensor, num: int) -> tuple[Tensor, Tensor]:
    """`nearest` of queries whose distances to all references fit into memory at once."""
    centred = queries.double() - centre
    parts = [_distances(centred, block - centre) for block in arrays.blocks(references)]
    distances = torch.cat(parts, dim=1)  # [q, R]
    furthest = distances.topk(num, dim=1, largest=False).values[:, -1:]
    slack = 2 * TIES * (centred.square().sum(dim=1)[:, None] + squares)
    query, reference = (distances <= furthest + slack).nonzero(as_tuple=True)  # all that may be among them, by index
    exact = _between(queries, references, query, reference)
    order = exact.argsort(stable=True)
    order = order[query[order].argsort(stable=True)]  # by query, then by distance, then by index
    counts = query.bincount(minlength=len(queries))
    picked = order[(counts.cumsum(dim=0) - counts)[:, None] + torch.arange(num)]  # [q, num]
    return exact[picked].sqrt(), reference[picked]


def _between(queries: Tensor, references: Tensor, query: Tensor, reference: Tensor) -> Tensor:
    """Squared lengths of the differences of pairs, [P]."""
    pairs = spans(len(query), max(1, ELEMENTS // queries.shape[1]))
    parts = (queries[query[span]].double() - references[reference[span]].double() for span in pairs)
    return torch.cat([part.square_().sum(dim=1) for part in parts])
