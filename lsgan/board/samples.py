"""The sample grids of a study, as the viewer takes them."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsgan.board.pictures import Fitted, fitted
from lsgan.review.study import Study

_EXACT = 2**53  # steps that JavaScript's numbers tell apart
_TOLD = 20  # files that are left out and named
_LONGEST = 300  # characters of a sentence about one


def samples(study: Study, budget_bytes: int) -> dict[str, Any]:
    """All grids that fit.

    Args:
        study: its runs may still be trained.
        budget_bytes: for the pictures, as they stand in the page.

    Returns:
        Empty if no run has a picture. Else `images` (WebP in base64), `sizes` ([width, height] of each), `runs`
        (`name`, `steps`, `images`: the place of each step's grid, `real`: that of the real samples or None), `told`
        (what was done to the pictures) and `left_out` (a sentence for each file that cannot be shown).
    """
    records = [run.compared.record for run in study.runs]
    grids = [{step: path for step, path in record.pictures.items() if step < _EXACT} for record in records]
    reals = [record.real_picture for record in records]
    if not any(grids) and not any(reals):
        return {}
    found = fitted(grids, reals, budget_bytes)
    return {
        "images": [base64.b64encode(image.content).decode() for image in found.images],
        "sizes": [[image.width, image.height] for image in found.images],
        "runs": [
            {"name": run.name, "steps": list(kept), "images": list(kept.values()), "real": real}
            for run, kept, real in zip(study.runs, found.grids, found.reals, strict=True)
        ],
        "told": _told(found, sum(map(len, grids)), budget_bytes),
        "left_out": _left_out(found.troubles, study.path),
    }


def _told(found: Fitted, num: int, budget_bytes: int) -> str:
    budget = f"{budget_bytes / 1e6:.1f} MB" if budget_bytes >= 1e6 else f"{max(0, budget_bytes) / 1e3:.0f} kB"
    if found.plan is None:
        return f"No picture is shown: the page has {budget} left for them, which is too little. Raise budget_mb."
    kept = sum(map(len, found.grids))
    whole = kept + sum(path.stem != "real" for path in found.troubles)
    which = f"All {kept} grids" if whole == num else f"{kept} of {num} grids, first and last of each run among them"
    largest = max((max(image.width, image.height) for image in found.images), default=0)
    scaled = f", scaled to {found.plan.side} pixels a side at most" if largest == found.plan.side else ""
    return f"{which}: recompressed (WebP, quality {found.plan.quality}{scaled}) to fit into {budget}."


def _left_out(troubles: Mapping[Path, str], folder: Path) -> list[str]:
    named = [f"{path.relative_to(folder)} is left out: {why}"[:_LONGEST] for path, why in sorted(troubles.items())]
    more = len(named) - _TOLD
    return [*named[:_TOLD], *([f"and {more} more files"] if more > 0 else [])]
