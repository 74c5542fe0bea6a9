"""The report of benchmarks/on_gpu.py is there whatever its parts do."""

import re
import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import on_gpu

    return on_gpu


@pytest.fixture
def bench(on_gpu, tmp_path):
    return on_gpu.Bench(tmp_path / "report", device="cpu", quick=True)


def good(bench):
    return "| a | table |"


def bad(bench):
    return bench.run("bad", "-c", "print('the last words'); raise SystemExit(3)")


def worse(bench):
    raise KeyError("nothing there")


def hanging(bench):
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    return bench.run("hanging", "-c", code + "print('begun'); time.sleep(60)")


def test_a_part_that_fails_or_hangs_is_told_and_the_others_go_on(on_gpu, bench, capsys):
    parts = [on_gpu.Part(work.__name__, 2, work) for work in (bad, worse, hanging, good)]
    start = time.monotonic()
    assert not on_gpu.report(bench, parts)
    assert time.monotonic() - start < 20
    text = (bench.folder / "report.md").read_text()
    overview = re.findall(r"^\| (\w+) \| (\S+) \| \d+ \|$", text, re.MULTILINE)
    assert overview == [("bad", "**failed**"), ("worse", "**failed**"), ("hanging", "**failed**"), ("good", "ok")]
    assert "## bad\n\nbad: exit code 3\n\n```\nthe last words\n```" in text
    assert "## worse\n\nKeyError: 'nothing there'" in text
    assert "## hanging\n\nhanging: exit code none yet: out of time\n\n```\nbegun\n```" in text
    assert "## good\n\n| a | table |" in text
    assert f"report: {bench.folder / 'report.md'}" in capsys.readouterr().out


def test_it_goes_well_if_all_parts_do(on_gpu, bench):
    assert on_gpu.report(bench, [on_gpu.Part("good", 2, good)])


def test_all_parts_together_take_less_than_eight_minutes(on_gpu):
    assert sum(part.seconds for part in on_gpu.PARTS) < 480


def test_without_a_gpu_it_is_one_sentence(on_gpu, monkeypatch, tmp_path):
    monkeypatch.setattr(on_gpu.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["on_gpu.py", "--folder", str(tmp_path / "report")])
    with pytest.raises(SystemExit, match="PyTorch sees no CUDA GPU here: ") as stopped:
        on_gpu.main()
    assert isinstance(stopped.value.code, str)  # printed by Python, which then exits with 1
    assert not (tmp_path / "report").exists()
