"""Where D puts real samples and fakes over the steps, beside the targets of the run's loss."""

from collections.abc import Mapping, Sequence
from typing import Any

from lsgan.board.thinning import evenly
from lsgan.review.study import Run, Study
from lsgan.tracking.run_record import Row

POINTS = 200  # of a run at most
_EXACT = 2**53  # steps that JavaScript's numbers tell apart
_SIDES = ("real", "fake")
_QUANTILES = ("q05", "q25", "q50", "q75", "q95")
_SHARE = "outputs/fake_on_real_side"
_LONGEST = 120  # characters


def outputs(study: Study) -> dict[str, Any]:
    """D's outputs of each run.

    Returns:
        Empty if no run has logged any. Else `points` (how many a run has at most), `is_thinned`, and `runs`: `name`,
        `loss` (a text, the same for the same loss), `targets` (name -> value, of a, b and c), `kind`
        (`quantiles`; `std`, the mean and one standard deviation to each side, of runs that logged no quantiles; None),
        `steps`, `real` and `fake` (5 series, or 3, the lowest first), `share` (of fakes on the real side) or None.
    """
    found = [_run(run) for run in study.runs]
    if not any(run["steps"] for run in found):
        return {}
    is_thinned = any(len(_rows(run, str(told["kind"]))) > POINTS for run, told in zip(study.runs, found, strict=True))
    return {"points": POINTS, "is_thinned": is_thinned, "runs": found}


def _run(run: Run) -> dict[str, Any]:
    kind = next((kind for kind in ("quantiles", "std") if _rows(run, kind)), None)
    rows = evenly(_rows(run, kind), POINTS) if kind else []
    bands = {side: _bands(rows, side, kind) for side in _SIDES}
    shares = [_number(row.get(_SHARE)) for row in rows]
    loss = run.compared.record.config.get("loss")
    return {
        "name": run.name,
        "loss": _loss(loss),
        "targets": _targets(loss),
        "kind": kind,
        "steps": [row["step"] for row in rows],
        **bands,
        "share": shares if any(share is not None for share in shares) else None,
    }


def _columns(side: str, kind: str) -> list[str]:
    if kind == "quantiles":
        return [f"outputs/{side}_{name}" for name in _QUANTILES]
    return [f"logits/{side}_mean", f"logits/{side}_std"]


def _rows(run: Run, kind: str) -> list[Row]:
    """Those that have all columns of one side at least."""
    asked = [_columns(side, kind) for side in _SIDES]
    return [
        row
        for row in run.compared.record.rows
        if row["step"] < _EXACT and any(all(_number(row.get(name)) is not None for name in names) for names in asked)
    ]


def _bands(rows: Sequence[Row], side: str, kind: str | None) -> list[list[float | None]]:
    if kind is None:
        return []
    series = [[_number(row.get(name)) for row in rows] for name in _columns(side, kind)]
    if kind == "quantiles":
        return series
    pairs = list(zip(*series, strict=True))
    return [[_around(mean, std, sign) for mean, std in pairs] for sign in (-1, 0, 1)]


def _around(mean: float | None, std: float | None, sign: int) -> float | None:
    return None if mean is None or std is None else _digits(mean + sign * std)


def _loss(loss: Any) -> str:
    """Its class and its numbers."""
    if not isinstance(loss, Mapping):
        return "loss not known"
    numbers = " ".join(f"{key}={value}" for key, value in loss.items() if key != "_target_")
    name = str(loss.get("_target_", "loss not known")).rpartition(".")[2]
    return f"{name} {numbers}".strip()[:_LONGEST]


def _targets(loss: Any) -> dict[str, float]:
    """Of a least squares loss; others have none for D's output: those of a pairing are targets of differences."""
    if not isinstance(loss, Mapping) or loss.get("_target_") != "lsgan.losses.LeastSquares":
        return {}
    numbers = {name: _number(loss.get(name)) for name in "abc"}
    return {name: value for name, value in numbers.items() if value is not None}


def _number(value: object) -> float | None:
    """Finite, and with as many digits as a picture shows."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        return None
    return _digits(value)


def _digits(value: float) -> float:
    return float(f"{value:.5g}")
