"""Tables and files, of made-up numbers."""

import json
import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from lsgan.errors import LsganError
from lsgan.evaluate import table
from lsgan.evaluate.judge import Evaluation, Measured
from lsgan.evaluation.label import Label
from lsgan.review.statistics import Interval

NAN = Interval(math.nan, math.nan)
LABEL = Label("digits", "ab" * 32, "bilinear to 32×32", "training", "cd" * 32, 1797, 1797, "k=3, 5")


@pytest.fixture
def evaluation(tmp_path):
    return Evaluation(
        run=tmp_path / "lsgan-s0",
        checkpoint=tmp_path / "step-000060.pt",
        step=60,
        weights="average",
        seeds=range(2),
        label=LABEL,
        dim=64,
        results={
            "fid": Measured(12.5, None, Interval(12.0, 13.0), [12.4, 12.6]),
            "kid": Measured(0.25, 0.01, Interval(0.2, 0.3), [0.24, 0.26]),
        },
        perfect={"fid": Measured(1.5, None, NAN, [1.5]), "kid": Measured(0.001, 0.002, NAN, [0.001])},
    )


def shown(*evaluations):
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    table.show(console, evaluations)
    return console.export_text().splitlines()


def test_a_table_has_its_label_its_runs_and_what_perfection_scores(evaluation):
    lines = shown(evaluation, replace(evaluation, weights="raw"))
    assert lines[0] == (
        "features digits abababab (bilinear to 32×32), 1,797 generated against 1,797 training samples "
        "(data cdcdcdcd); k=3, 5"
    )
    assert lines[1].split() == ["run", "checkpoint", "weights", "FID", "KID"]
    assert " ".join(lines[2].split()) == "lsgan-s0 step-000060 (step 60) average 12.5 ±0.5 0.25 ±0.05 (s.e. 0.01)"
    assert lines[3].split()[4] == "raw"
    assert " ".join(lines[4].split()) == "real, half against half 898 and 899 1.5 0.001 (s.e. 0.002)"
    assert lines[6].startswith("s.e.: a metric's own standard error, of one draw")
    assert lines[5].startswith("±: half of a 95% interval of the mean over 2 draws of z")
    assert not [line for line in lines if line.startswith("*")]


def test_numbers_with_different_labels_never_stand_in_one_table(evaluation):
    others = [replace(LABEL, extractor="pixels"), replace(LABEL, reference="held-out"), replace(LABEL, num_generated=9)]
    lines = shown(evaluation, *(replace(evaluation, label=label) for label in others))
    assert len([line for line in lines if line.startswith("run ")]) == 4
    assert len([line for line in lines if line.startswith("features ")]) == 4


def test_the_smaller_side_decides_whether_fid_is_marked(evaluation):
    lines = shown(replace(evaluation, label=replace(LABEL, num_real=639)))
    assert lines[1].split()[-1] == "FID*"


def test_too_few_samples_for_fid_mark_it_and_put_it_behind(evaluation):
    lines = shown(replace(evaluation, dim=1280))
    assert lines[1].split() == ["run", "checkpoint", "weights", "KID", "FID*"]
    assert [line for line in lines if line.startswith("* FID of 1,797 samples in 1,280 dimensions is biased")]


def test_a_file_says_all_that_a_table_does(evaluation):
    evaluation.run.mkdir()
    path = table.write(evaluation)
    assert re.fullmatch(r"digits-step-000060-average-training-[0-9a-f]{8}\.json", path.name)
    content = json.loads(path.read_text())
    assert content["label"]["weights"] == "ab" * 32
    assert (content["checkpoint"], content["step"], content["weights"]) == ("step-000060.pt", 60, "average")
    assert content["results"][0] == {
        "metric": "fid",
        "value": 12.5,
        "error": None,
        "interval": [12.0, 13.0],
        "values": [12.4, 12.6],
        "against": "training",
    }
    assert content["real_half_against_half"][1]["interval"] is None
    assert table.write(evaluation) == path
    others = (replace(evaluation, seeds=[5]), replace(evaluation, label=replace(LABEL, weights="ef" * 32)))
    assert len({path, *(table.write(other) for other in others)}) == 3  # another meaning is another file


def test_a_folder_that_takes_nothing_is_told(evaluation):
    evaluation.run.write_text("a file")
    with pytest.raises(LsganError, match=r"^.*\.json cannot be written \(Not a directory\)$"):
        table.write(evaluation)
