"""What the README tells a newcomer to type is what CI runs."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_ci_runs_the_readmes_commands_in_their_order_the_first_one_shortened():
    told = re.findall(r"^    (python -m pip install .*)$", (ROOT / "README.md").read_text(), re.M)
    done = re.findall(r"^python -m pip install .*", (ROOT / ".ci" / "run").read_text(), re.M)
    assert len(told) == 2
    assert [re.sub(r" steps=\d+.*", "", line) for line in done] == told
