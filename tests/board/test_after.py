"""A sweep ends with its board; what goes wrong with that is one warning."""

from contextlib import nullcontext

import pytest
from studies import write_study

from lsgan import command
from lsgan.board import after
from lsgan.errors import LsganError
from lsgan.sweep import studies
from lsgan.sweep.jobs import TrainJobs

SMALL = ("steps=2", "architecture.width=4", "batch_size=8", "tracker=none", "runtime=cpu", "features=pixels")


@pytest.fixture(autouse=True)
def _none_before():
    studies.forget()
    yield
    studies.forget()


def test_each_study_of_the_sweep_gets_one(tmp_path, capsys):
    for name in ("one", "two"):
        studies.add(write_study(tmp_path / name))
        studies.add(tmp_path / name)
    after.write_boards()
    out = capsys.readouterr().out
    for name in ("one", "two"):
        assert (tmp_path / name / "board.html").stat().st_size > 10_000
        assert out.count(f"{tmp_path / name / 'board.html'}: the sweep on one page (8 runs, ") == 1


def test_no_sweep_no_board(capsys):
    after.write_boards()
    assert capsys.readouterr().out == ""


def test_what_goes_wrong_is_one_warning(tmp_path, capsys, monkeypatch):
    import lsgan.board.write

    def broken(*_):
        raise RuntimeError("two\nlines")

    studies.add(write_study(tmp_path / "one"))
    studies.add(tmp_path / "not there")
    monkeypatch.setattr(lsgan.board.write, "write", broken)
    after.write_boards()
    told = capsys.readouterr()
    one = tmp_path / "one"
    assert told.err == f"warning: no board of {one} (two lines); python -m lsgan.board {one} writes it later\n"
    assert told.out == ""


class StoppedError(LsganError):
    exit_code = 130


@pytest.mark.parametrize(
    ("error", "is_written"),
    [(None, True), (LsganError("a job failed"), True), (KeyboardInterrupt(), False), (StoppedError("stopped"), False)],
    ids=["well", "failed", "ctrl-c", "stopped"],
)
def test_it_comes_after_failures_and_not_after_a_stop(error, is_written, monkeypatch):
    called = []
    monkeypatch.setattr("sys.argv", ["train.py"])

    def main():
        if error is not None:
            raise error

    with nullcontext() if error is None else pytest.raises(SystemExit):
        command.run(main, after=lambda: called.append(1))
    assert bool(called) == is_written


@pytest.mark.parametrize("launcher", ["queue", "basic"])
def test_a_sweep_leaves_its_board(train, tmp_path, launcher):
    output = train("-m", f"hydra/launcher={launcher}", "seed=0,1", *SMALL).stdout
    assert "runs/digits/board.html: the sweep on one page (2 runs, " in output
    assert (tmp_path / "runs" / "digits" / "board.html").exists()


def test_a_dry_run_leaves_none(tmp_path):
    studies.add(tmp_path)
    TrainJobs().estimate([], [])
    assert studies.told() == []
