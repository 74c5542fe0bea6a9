import subprocess
import sys

from lsgan.evaluation.catalogue import METRICS, better, direction, in_order, is_biased


def test_fid_comes_first_where_there_are_enough_samples_for_it():
    names = ["precision", "fid", "kid", "mind", "modes"]
    assert in_order(names, 640, 64) == ["modes", "fid", "mind", "kid", "precision"]
    assert in_order(names, 639, 64) == ["modes", "mind", "kid", "fid", "precision"]
    assert not is_biased(640, 64)
    assert is_biased(639, 64)


def test_which_value_is_best():
    assert METRICS["fid"].best([3, 1, 2]) == 1
    assert METRICS["coverage"].best([3, 1, 2]) == 3


def test_the_direction_of_a_column():
    assert [better(f"{group}/recall") for group in ("metric", "held_out", "raw")] == ["max"] * 3
    assert direction("held_out/recall") == "max"
    assert direction("divergence/triangular") == direction("divergence/jsd") == direction("metric/fid") == "min"
    for column in ("divergence/jsd_stderr", "overfit/gap", "loss/generator", "recall", ""):
        assert direction(column) is None
    assert better("metric/fid") == better("loss/generator") == better("recall") == better(None) == "min"
    assert direction("raw/recall") == "max"
    assert direction("metric/fid") == "min"
    assert [direction(column) for column in ("loss/generator", "recall", "metric/fid_stderr", "")] == [None] * 4


def test_it_needs_no_torch():
    """The columns of a run are known before that is loaded."""
    code = "import sys, lsgan.evaluation.catalogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
