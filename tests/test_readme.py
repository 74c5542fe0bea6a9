"""What the README tells a newcomer to type is what CI runs."""

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_ci_runs_the_readmes_commands_in_their_order_the_first_one_shortened():
    told = re.findall(r"^    (python -m pip install .*)$", (ROOT / "README.md").read_text(), re.M)
    done = re.findall(r"^python -m pip install .*", (ROOT / ".ci" / "run").read_text(), re.M)
    assert len(told) == 2
    assert [re.sub(r" steps=\d+.*", "", line) for line in done] == told


@pytest.mark.parametrize("page", ["README.md", "docs/sampling.md"])
def test_the_lines_of_python_run(short_run, tmp_path, monkeypatch, page):
    short_run(name="<run>")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"^    import lsgan\n(?:    .+\n)+", (ROOT / page).read_text(), re.M)
    made = {}
    exec(textwrap.dedent(block), made)
    assert made["images"].shape == (64, 1, 32, 32)
