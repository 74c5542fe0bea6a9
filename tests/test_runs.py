import pytest
import rich
from rich.console import Console
from test_comparison import spoil, write

from lsgan import runs
from lsgan.errors import LsganError


@pytest.fixture
def listed(monkeypatch, tmp_path, capsys):
    """What `python -m lsgan.runs …` prints in tmp_path, by stream."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["runs", *words])
        runs.main()
        return capsys.readouterr()

    return run


def test_plain_lines_in_a_pipe(listed, tmp_path):
    write(tmp_path / "runs" / "digits" / "a", losses=(1, 0.25), seed=1)
    other = write(tmp_path / "runs" / "digits" / "b", "failed", 4, loss={"_target_": "lsgan.losses.Hinge"})
    (other / "status.json").write_text('{"status": "failed", "step": 4, "reason": "no\\nroom\\tleft"}')
    (other / "samples").mkdir()
    (other / "samples" / "000004.jpg").touch()
    lines = [
        "run\tstatus\tstep\tlosses\tdiffers in\tlast grid",
        "digits/a\tfinished\t9/9\tgenerator 0.250\tseed=1 loss=LeastSquares\t",
        "digits/b\tfailed: no room left\t4/9\t\tseed=0 loss=Hinge\truns/digits/b/samples/000004.jpg",
    ]
    assert listed().out.splitlines() == lines
    assert listed("runs").out == listed("runs_dir=runs").out == listed().out
    assert listed("runs/digits/b").out.splitlines()[1].startswith("runs/digits/b\tfailed: no room left\t4/9\t\t\t")


def test_a_table_on_a_terminal(listed, tmp_path, monkeypatch):
    write(tmp_path / "runs" / "digits" / "[b]a")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr(rich, "_console", Console(width=60))
    text = listed().out
    assert "\t" not in text
    assert "digits/[b]a" in text


def test_damaged_runs_cost_a_warning(listed, tmp_path):
    spoil(tmp_path / "runs")
    told = listed()
    assert all(line.count("\t") == 5 for line in told.out.splitlines())
    assert "\ndigits/" not in told.out
    assert "warning: runs/rows/metrics.jsonl: 3 lines left out that cannot be read" in told.err
    assert all(line.startswith("warning: ") for line in told.err.splitlines())


def test_mistakes(listed, tmp_path):
    for words, message in {
        (): "runs is not a folder: name that of a study, or of all",
        ("a", "b"): "a b: one folder is listed, python -m lsgan.runs <folder>",
        ("--all",): "--all: one folder is listed",
    }.items():
        with pytest.raises(LsganError, match=message):
            listed(*words)
    assert "List runs" in listed("--help").out


def test_as_a_command(python, tmp_path):
    write(tmp_path / "runs" / "digits" / "a")
    assert python("-m", "lsgan.runs").stdout.splitlines()[1].startswith("digits/a\tfinished\t9/9")
    assert python("-m", "lsgan.runs", "nowhere", expect=1).stderr.startswith("error: nowhere is not a folder")
