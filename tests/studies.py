"""Studies on disk, written by hand: run folders whose every number is known."""

import json

LOSSES = {
    "nsgan": {"_target_": "lsgan.losses.NonSaturating"},
    "lsgan_b1c0a-1": {"_target_": "lsgan.losses.LeastSquares", "a": -1, "b": 1, "c": 0},
    "lsgan_b1c1a0": {"_target_": "lsgan.losses.LeastSquares", "a": 0, "b": 1, "c": 1},
}


def write_run(
    study, loss, seed, rows, *, status="finished", reason=None, warnings=None, typed=(), name=None, config=None
):
    """A run folder; `rows` are dicts without their step, which counts from 1, or with it."""
    folder = study / (name or f"{loss}-s{seed}")
    folder.mkdir(parents=True)
    rows = [{"step": step, **row} for step, row in enumerate(rows, start=1)]
    told = {
        "steps": 3, "seed": seed, "loss": LOSSES.get(loss, {"_target_": "lsgan.losses.LeastSquares"}),
        "best_metric": "metric/mind", "best_mode": "min", "optimizer": {"lr": 0.0002},
        "features": {"_target_": "lsgan.evaluation.extractors.digits.Digits"},
        "observe": {"metrics": {"_target_": "lsgan.observe.metrics.Metrics", "num_samples": 2048}}, **(config or {}),
    }  # fmt: skip
    (folder / "config.yaml").write_text(json.dumps(told))
    end = {"status": status, "step": len(rows), "reason": reason, "warnings": warnings or {}}
    (folder / "status.json").write_text(json.dumps(end))
    overrides = [f"loss={loss}", f"seed={seed}", *typed]
    history = [
        {"event": "start", "time": "2026-11-26T10:00:00+00:00", "step": 0, "overrides": overrides, "host": "desk"},
        {"event": "end", "time": "2026-11-26T10:01:30+00:00", "step": len(rows), "status": status, "reason": reason},
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in history))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def row(mind, d_loss=0.25, g_loss=0.5, **others):
    """Of metrics.jsonl."""
    return {
        "metric/mind": mind,
        "loss/discriminator": d_loss,
        "loss/generator": g_loss,
        "theory/d_loss_at_equilibrium": 1.0,
        "images_per_second": 100.0,
        **others,
    }


def write_study(study):
    """nsgan is better than lsgan_b1c0a-1 by 2, 3 and 4; of lsgan_b1c1a0 one has failed, and in one D had won."""
    for seed, (first, second) in enumerate([(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]):
        write_run(study, "nsgan", seed, [row(9.0), row(0.5), row(first)])
        write_run(study, "lsgan_b1c0a-1", seed, [row(9.0), row(8.0), row(second)])
    won = {"discriminator_won": {"step": 2, "reason": "D has won: look at the samples"}}
    write_run(study, "lsgan_b1c1a0", 0, [row(9.0), row(8.5)], warnings=won)
    write_run(study, "lsgan_b1c1a0", 1, [row(9.0)], status="failed", reason="step 2: loss/discriminator is nan")
    return study


def write_plane(study):
    """Two values of a, two of c and two seeds: a = -1, c = 0 is best."""
    for a, c, mind in ((-1, 0, 1.0), (-1, 1, 2.0), (0, 0, 3.0), (0, 1, 4.0)):
        for seed in (0, 1):
            loss = {"_target_": "lsgan.losses.LeastSquares", "a": a, "b": 1, "c": c}
            typed = (f"loss.a={a}", f"loss.c={c}")
            rows = [row(9.0), row(mind + 0.25 * seed)]
            write_run(study, "lsgan", seed, rows, typed=typed, name=f"a{a}c{c}s{seed}", config={"loss": loss})
    return study
