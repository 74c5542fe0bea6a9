import json
import os

import pytest

from lsgan.evaluation.label import Label
from lsgan.exporting.evaluations import Evaluated, Result, results

LABEL = {
    "extractor": "lite0", "weights": "57934424" + "0" * 56, "rule": "resized", "reference": "training",
    "data": "412ee8e6" + "0" * 56, "num_real": 1797, "num_generated": 5000, "definitions": "k=3",
}  # fmt: skip
GOOD = {
    "label": LABEL,
    "results": [
        {"metric": "mind", "value": 0.12, "error": 0.003, "interval": [0.11, 0.13], "against": "training"},
        {"metric": "fid", "value": 41, "error": None, "interval": None, "newer": 1},
    ],
    "checkpoint": "step-000060.pt",
    "step": 60,
    "weights": "average",
    "seeds": [0, 1, 2],
}  # fmt: skip


@pytest.fixture
def evaluation(tmp_path):
    (tmp_path / "evaluation").mkdir()

    def write(name, content, seconds=0):
        path = tmp_path / "evaluation" / f"{name}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        os.utime(path, (1e9 + seconds, 1e9 + seconds))

    return write


def of_mind(value, **changed):
    return {**GOOD, "label": {**LABEL, **changed}, "results": [{"metric": "mind", "value": value}]}


def test_those_of_the_weights(evaluation, tmp_path):
    evaluation("a", GOOD)
    evaluation("b", {**GOOD, "step": 40})
    evaluation("c", {**GOOD, "weights": "raw"})
    found = [Result("mind", 0.12, 0.003, (0.11, 0.13)), Result("fid", 41.0, None, None)]
    assert results(tmp_path, 60, "average") == [Evaluated(Label(**LABEL), 3, found)]
    assert results(tmp_path, 61, "average") == []


def test_what_lsgan_evaluate_writes_today(tmp_path):
    from lsgan.evaluate.judge import Evaluation, Measured
    from lsgan.evaluate.table import write
    from lsgan.review.statistics import Interval

    measured = Measured(value=0.5, error=0.1, interval=Interval(0.4, 0.6), values=(0.45, 0.55))
    evaluation = Evaluation(
        run=tmp_path, checkpoint=tmp_path / "best.pt", step=60, weights="raw", seeds=(0, 1), label=Label(**LABEL),
        dim=9, results={"kid": measured}, perfect={},
    )  # fmt: skip
    write(evaluation)
    found = [Result("kid", 0.5, 0.1, (0.4, 0.6))]
    assert results(tmp_path, 60, "raw") == [Evaluated(Label(**LABEL), 2, found)]


@pytest.mark.parametrize("newest", ["a", "b", "c"])
def test_of_files_with_the_same_label_the_newest_counts(evaluation, tmp_path, newest):
    for value, name in enumerate(("a", "b", "c")):
        evaluation(name, of_mind(value), seconds=name == newest)
    evaluation("d", of_mind(7, num_generated=100), seconds=2)
    evaluation("e", {**of_mind(8), "weights": "raw"}, seconds=2)
    values = {each.label.num_generated: each.results[0].value for each in results(tmp_path, 60, "average")}
    assert values == {5000: "abc".index(newest), 100: 7}
    assert len(results(tmp_path, 60, "average")) == 2


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", {**GOOD, "results": None}, {**GOOD, "results": [{"metric": "fid"}]}, {"step": 60},
     {**GOOD, "label": 3}, {**GOOD, "results": [{"metric": "fid", "value": "low"}]}, {**GOOD, "results": [7]},
     {**GOOD, "label": {"extractor": "lite0"}}, of_mind(1, num_real="all"), of_mind(1, k=3), {**GOOD, "seeds": 3},
     {**GOOD, "results": [{"metric": "fid", "value": 1, "interval": [1]}]}],
)  # fmt: skip
def test_what_has_another_shape_is_left_out_with_a_warning(evaluation, tmp_path, caplog, content):
    evaluation("a", content, seconds=1)
    evaluation("b", GOOD)
    (found,) = results(tmp_path, 60, "average")
    assert [result.metric for result in found.results] == ["mind", "fid"]
    assert "a.json is not what lsgan.evaluate writes" in caplog.text
    assert "b.json" not in caplog.text


def test_a_run_that_was_never_evaluated(tmp_path):
    assert results(tmp_path, 60, "average") == []
