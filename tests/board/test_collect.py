"""What a page is told of a study: runs, choices, curves, each value by hand."""

import json

import pytest
from studies import row, write_plane, write_run, write_study

from lsgan.board.collect import Collected, number, thinned, title
from lsgan.review.study import read_study


def collected(folder):
    return Collected(read_study(folder))


def test_a_run_is_told_whole(tmp_path):
    write_study(tmp_path)
    run = next(run for run in collected(tmp_path).runs if run.name == "nsgan-s1")
    assert (run.setting, run.seed, run.status, run.step, run.steps) == ("loss=nsgan", 1, "finished", 3, 3)
    assert run.choices == {"loss": "nsgan", "seed": "1"}
    assert (run.last["metric/mind"], run.best["metric/mind"]) == (2.0, (0.5, 2))
    assert "loss/generator" not in run.best  # the least loss of a GAN is not its best
    assert (run.seconds, run.images_per_second) == (90.0, 100.0)
    assert run.command == "python train.py loss=nsgan seed=1"
    assert run.label == "features Digits, up to 2048 samples of each side"
    assert [event.told for event in run.history] == ["started from step 0, desk", "finished at step 3"]


def test_best_is_the_largest_where_that_is_better(tmp_path):
    own = {"best_metric": "own", "best_mode": "max"}
    write_run(tmp_path, "nsgan", 0, [{"metric/recall": v, "own": v, "metric/fid": v} for v in (1, 3, 2)], config=own)
    best = collected(tmp_path).runs[0].best
    assert best == {"metric/recall": (3.0, 2), "own": (3.0, 2), "metric/fid": (1.0, 1)}


def test_choices_are_the_overrides_that_differ(tmp_path):
    write_run(tmp_path, "nsgan", 0, [row(1)], typed=("steps=9", "workers=2", "optimizer.lr=1e-3"),
              config={"optimizer": {"lr": 0.001}})  # fmt: skip
    write_run(tmp_path, "nsgan", 1, [row(1)], typed=("steps=9", "workers=1"))
    found = {choice.key: (choice.values, choice.is_numeric) for choice in collected(tmp_path).choices}
    assert found == {"optimizer.lr": (["0.001", "0.0002"], True), "seed": (["0", "1"], False)}


def test_a_component_has_the_name_by_which_it_was_typed_also_where_it_was_not(tmp_path):
    folder = write_run(tmp_path, "nsgan", 0, [row(1)])
    write_run(tmp_path, "nsgan", 1, [row(1)])
    write_run(tmp_path, "lsgan_b1c1a0", 0, [row(1)])
    start = {"event": "start", "overrides": ["seed=0"]}
    (folder / "history.jsonl").write_text(json.dumps(start) + "\n")  # nsgan was the default then
    found = {choice.key: list(choice.values) for choice in collected(tmp_path).choices}
    assert found["loss"] == ["lsgan_b1c1a0", "nsgan", "nsgan"]


def test_without_command_lines_the_configs_tell(tmp_path):
    for loss in ("nsgan", "lsgan_b1c1a0"):
        (write_run(tmp_path, loss, 0, [row(1)]) / "history.jsonl").unlink()
    assert {choice.key: list(choice.values) for choice in collected(tmp_path).choices}["loss"] == [
        "LeastSquares",
        "NonSaturating",
    ]


def test_numbers_of_a_plane_are_axes_and_the_seed_is_none(tmp_path):
    choices = collected(write_plane(tmp_path)).choices
    assert [(choice.key, choice.is_numeric) for choice in choices] == [
        ("loss.a", True),
        ("loss.c", True),
        ("seed", False),
    ]


def test_damaged_runs_are_told_and_break_nothing(tmp_path):
    write_study(tmp_path)
    torn = tmp_path / "nsgan-s0"
    (torn / "metrics.jsonl").write_text('{"step": 1, "metric/mind": 2.0}\n{"step": 2, "metr')
    (torn / "history.jsonl").write_bytes(b"\0\0\0\n[1]\n")
    (tmp_path / "nsgan-s1" / "status.json").write_text("{")
    (tmp_path / "nsgan-s2" / "config.yaml").write_text("[")
    runs = {run.name: run for run in collected(tmp_path).runs}
    assert runs["nsgan-s0"].last == {"metric/mind": 2.0}
    assert len(runs["nsgan-s0"].troubles) == 2
    assert (runs["nsgan-s0"].command, runs["nsgan-s0"].seconds) == ("", None)
    assert (runs["nsgan-s1"].status, runs["nsgan-s2"].status) == ("damaged", "damaged")


def test_numbers_that_json_does_not_have_are_left_out(tmp_path):
    write_run(tmp_path, "nsgan", 0, [{"x": 1.0}, {"x": float("nan")}, {"x": float("-inf")}, {"x": 10**400}, {"x": 2}])
    found = collected(tmp_path)
    (places,) = found.curves.columns["x"].values()
    assert (found.curves.steps[places[0]], places[1]) == ((1, 5), [1.0, 2.0])
    assert [number(value) for value in (True, None, "1", 10**400, float("inf"), 3)] == [None] * 5 + [3.0]


@pytest.mark.parametrize(
    ("num", "points", "steps", "values"),
    [
        (4, 4, [1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0]),
        (5, 3, [2, 4, 5], [1.5, 3.5, 5.0]),
        (9, 3, [3, 6, 9], [2.0, 5.0, 8.0]),
    ],
)
def test_thinned_curves_are_means_of_neighbours(num, points, steps, values):
    where, means = thinned([(step, float(step)) for step in range(1, num + 1)], points)
    assert where == steps
    assert means == pytest.approx(values)


def test_curves_have_400_points_at_most_and_share_their_steps(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, "nsgan", seed, [{"x": float(k), "same": 1.5} for k in range(801)])
    curves = collected(tmp_path).curves
    assert curves.is_thinned
    assert [len(steps) for steps in curves.steps] == [267]  # 801 rows, three for a point
    assert curves.columns["x"][1][1][:2] == [1.0, 4.0]
    assert curves.columns["same"] == {0: (0, 1.5), 1: (0, 1.5)}


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("metric/mind", "MIND"),
        ("held_out/fid", "FID (held out)"),
        ("raw/kid", "KID (raw weights)"),
        ("loss/generator", "loss/generator"),
        ("metric/none", "metric/none"),
    ],
)
def test_titles(column, told):
    assert title(column) == told
