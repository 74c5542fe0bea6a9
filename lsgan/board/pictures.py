"""Sample grids made small enough to travel in a page: fewer of them, coarser ones, smaller ones, until they fit.

The files are somebody's: only JPEG is decoded, what is damaged or larger than Pillow decodes without a warning is left
out and named, and nothing but pixels is taken over.
"""

import hashlib
import io
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lsgan.board.thinning import evenly

Grids = Mapping[int, Path]  # step -> file, the oldest first

_LARGEST = 64 * 2**20  # bytes of a file: sample grids have a thousandth of it
_ESTIMATED_FROM = 8  # pictures
_OVERHEAD = 24  # bytes of JSON a picture, besides its base64


class Plan(NamedTuple):
    """How pictures are made small.

    Args:
        steps: so many of a run are kept, or all of them if it has fewer.
        side: pixels of the longer edge at most.
        quality: of WebP, 0 to 100.
    """

    steps: int
    side: int
    quality: int


# Tried in this order. Grids are mostly 8 images wide: 550 pixels are 64 for each, a step less is missed less than that.
_PLANS = (
    Plan(10**9, 1100, 80),
    Plan(50, 1100, 65),
    Plan(30, 800, 60),
    Plan(16, 550, 50),
    Plan(10, 550, 35),
    Plan(6, 400, 35),
    Plan(3, 280, 30),
    Plan(2, 200, 20),
)


class Encoded(NamedTuple):
    """One picture as WebP, and its size in pixels."""

    content: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Fitted:
    """Pictures that fit into a budget.

    Args:
        plan: how they were made small, `steps` being how many a run has at most; None if no plan fits.
        images: each once, however many runs have it.
        grids: of each run, step -> place in `images`.
        reals: of each run, the place of its real samples; None if it has none.
        troubles: file -> why it is left out.
    """

    plan: Plan | None
    images: Sequence[Encoded]
    grids: Sequence[Mapping[int, int]]
    reals: Sequence[int | None]
    troubles: Mapping[Path, str]


def fitted(grids: Sequence[Grids], reals: Sequence[Path | None], budget_bytes: int) -> Fitted:
    """Makes pictures fit: the first plan under which they take, in base64, no more than the budget.

    Steps are thinned evenly over those of all runs, so that runs keep the same ones; a run that lacks one keeps its
    grid before, and each keeps its first and its last.

    Args:
        grids: of each run.
        reals: of each run, its real samples.
        budget_bytes: for all.
    """
    shelf = _Shelf()
    for plan in _PLANS:
        found = _fitted(grids, reals, plan, budget_bytes, shelf)
        if found is not None:
            return found
    nothing: list[Mapping[int, int]] = [{} for _ in grids]
    return Fitted(None, [], nothing, [None] * len(grids), shelf.troubles)


def chosen(grids: Sequence[Grids], num: int) -> list[Grids]:
    """Of each run the grids that stand for `num` steps of all runs, its first and its last among them.

    Args:
        grids: of each run.
        num: 2 or more.
    """
    steps = evenly(sorted({step for run in grids for step in run}), num)
    return [{step: run[step] for step in _standing_for(steps, list(run))} for run in grids]


def _standing_for(wanted: Iterable[int], there: Sequence[int]) -> list[int]:
    """Of sorted steps those that are the last ones up to a wanted step, the first and the last."""
    before = {there[place - 1] for one in wanted if (place := bisect_right(there, one))}
    return sorted({*before, *there[:1], *there[-1:]})


@dataclass(frozen=True)
class _Shelf:
    """What has been read and encoded: plans, and fewer steps of one, share much."""

    troubles: dict[Path, str] = field(default_factory=dict)
    _encoded: dict[tuple[str, int, int], Encoded] = field(default_factory=dict)
    _digests: dict[Path, str] = field(default_factory=dict)

    def digest(self, path: Path, plan: Plan) -> str | None:
        """Of the file's content, once it is encoded; None if it cannot be."""
        if path in self.troubles:
            return None
        digest = self._digests.get(path)
        if digest is None or (digest, plan.side, plan.quality) not in self._encoded:
            try:
                content = _content(path)
                digest = self._digests[path] = hashlib.sha256(content).hexdigest()
                key = digest, plan.side, plan.quality
                if key not in self._encoded:
                    self._encoded[key] = _encoded(content, plan)
            except Exception as error:  # Pillow raises what it will on a damaged file; one file must not end the page
                self.troubles[path] = " ".join(str(error).split()) or type(error).__name__
                return None
        return digest

    def encoded(self, digest: str, plan: Plan) -> Encoded:
        return self._encoded[digest, plan.side, plan.quality]

    def without_trouble(self, grids: Sequence[Grids]) -> list[Grids]:
        return [{step: path for step, path in run.items() if path not in self.troubles} for run in grids]


def _fitted(
    grids: Sequence[Grids], reals: Sequence[Path | None], plan: Plan, budget: int, shelf: _Shelf
) -> Fitted | None:
    """With as many steps as fit; None if that is fewer than the plan has."""
    most = max(2, len({step for run in grids for step in run}))
    steps = _estimate(grids, reals, plan, budget, shelf)
    while steps >= min(plan.steps, most):
        found = _pictured(grids, reals, plan._replace(steps=steps), shelf)
        size = sum(_size(image) for image in found.images)
        if size <= budget:
            return found
        steps = min(steps - 1, steps * budget // size)
    return None


def _estimate(grids: Sequence[Grids], reals: Sequence[Path | None], plan: Plan, budget: int, shelf: _Shelf) -> int:
    """How many steps probably fit, from a few pictures; 0 if not even two."""
    paths = [path for run in grids for path in run.values()]
    digests = [shelf.digest(path, plan) for path in evenly(paths, _ESTIMATED_FROM)]
    sizes = [_size(shelf.encoded(digest, plan)) for digest in digests if digest]
    each = sum(sizes) / len(sizes) if sizes else 0
    real = {digest for path in reals if path and (digest := shelf.digest(path, plan))}
    room = budget - sum(_size(shelf.encoded(digest, plan)) for digest in real)
    low, high = 0, max(2, len({step for run in grids for step in run}))
    while low < high:  # bisection: more steps never take less
        middle = (low + high + 1) // 2
        if each * sum(map(len, chosen(grids, max(2, middle)))) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _pictured(grids: Sequence[Grids], reals: Sequence[Path | None], plan: Plan, shelf: _Shelf) -> Fitted:
    bad = True
    while bad:  # others stand in for those that cannot be read
        kept = chosen(shelf.without_trouble(grids), plan.steps)
        bad = None in [shelf.digest(path, plan) for run in kept for path in run.values()]
    places: dict[str, int] = {}

    def place(path: Path | None) -> int | None:
        digest = shelf.digest(path, plan) if path else None
        return None if digest is None else places.setdefault(digest, len(places))

    numbered = [{step: place(path) or 0 for step, path in run.items()} for run in kept]
    real = [place(path) for path in reals]
    images = [shelf.encoded(digest, plan) for digest in places]
    return Fitted(plan, images, numbered, real, dict(shelf.troubles))


def _size(image: Encoded) -> int:
    """Bytes in the page."""
    return 4 * -(-len(image.content) // 3) + _OVERHEAD


def _content(path: Path) -> bytes:
    if not path.is_file():  # a pipe would be read for ever
        raise ValueError("is no file")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"is larger than {_LARGEST >> 20} MB")
    return path.read_bytes()


def _encoded(content: bytes, plan: Plan) -> Encoded:
    """Pixels alone: neither EXIF nor a colour profile.

    Raises:
        Exception: whatever Pillow makes of it; also where it would warn of too many pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as opened:
            opened.draft("RGB", (plan.side, plan.side))  # a large one is not decoded whole
            image = opened.convert("RGB")
    image.thumbnail((plan.side, plan.side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=plan.quality, icc_profile=b"")
    return Encoded(buffer.getvalue(), *image.size)
