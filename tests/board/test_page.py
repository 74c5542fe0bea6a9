"""The file: whole, self-contained, escaped, bounded; and the command that writes it."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from studies import row, write_run, write_study

from lsgan.board.__main__ import main
from lsgan.board.page import embedded, page
from lsgan.board.write import Written, write
from lsgan.errors import LsganError
from lsgan.review.study import read_study

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


def board(monkeypatch, *words):
    """The command, in this process."""
    monkeypatch.setattr("sys.argv", ["board", *map(str, words)])
    main()


def data(text, name):
    return json.loads(re.search(rf'<script type="application/json" id="data-{name}">(.*?)</script>', text)[1])


def write_evil(folder):
    """A study whose every text that somebody may have typed is an attack."""
    warnings = {EVIL: {"step": 1, "reason": EVIL}}
    config = {"loss": {"_target_": EVIL, "name": EVIL}, "best_metric": "metric/mind", "dataset": {EVIL: EVIL}}
    for seed in (0, 1):
        rows = [row(1.0 + seed, **{f"metric/{EVIL}": 1.0, f"loss/{EVIL}": 2.0, EVIL: 3.0})]
        name = f"<img src=x onerror=document.title='owned'>{seed}"
        typed = (f"optimizer.name={EVIL}{seed}",)
        write_run(folder, EVIL, seed, rows, warnings=warnings, name=name, config=config, typed=typed)
    write_run(folder, "nsgan", 2, [row(1.0)], status=EVIL, reason=EVIL, name="odd")
    return folder


def test_it_is_one_file_that_names_no_other(tmp_path):
    text = page(read_study(write_study(tmp_path)), 15_000_000)
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))


def test_its_policy_lists_the_hash_of_each_script_and_style(tmp_path):
    text = page(read_study(write_study(tmp_path)), 15_000_000)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; img-src data:; script-src 'sha256-")
    for kind, inside in (("script", re.findall(r"<script>(.*?)</script>", text, re.DOTALL)),
                         ("style", re.findall(r"<style>(.*?)</style>", text, re.DOTALL))):  # fmt: skip
        hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in inside]
        told = re.search(rf"{kind}-src ([^;]+)", policy)[1]
        assert told.split() == [f"'sha256-{one}'" for one in hashes]


def test_what_users_typed_is_text(tmp_path):
    text = page(read_study(write_evil(tmp_path / "a<b>study")), 15_000_000)
    assert "<img" not in text
    assert "<title>a&lt;b&gt;study · lsgan</title>" in text
    assert data(text, "study")["runs"][0]["name"].startswith("<img src=x")
    assert len(re.findall("<script>", text)) == len(re.findall("'sha256-", text.replace("&#39;", "'"))) - len(
        re.findall("<style>", text)
    )


def test_json_in_a_page_has_no_tag_and_no_nan():
    assert embedded({"</script>": "<!--"}) == '{"\\u003c/script>":"\\u003c!--"}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded({"x": float("nan")})


def test_one_run_is_one_run():
    assert Written(Path("b.html"), 1, 0, 0.52).told == "1 run, 0.5 MB"
    assert Written(Path("b.html"), 2, 0, 3.0).told == "2 runs, 3.0 MB"


def test_the_command_writes_the_page_and_tells_where(tmp_path, monkeypatch, capsys):
    study = write_study(tmp_path / "digits")
    board(monkeypatch, study)
    assert re.fullmatch(rf"{study}/board.html: 8 runs, 0\.\d MB\n", capsys.readouterr().out)
    out = tmp_path / "new" / "b.html"
    board(monkeypatch, f"study={study}", f"out={out}", "budget_mb=2")
    assert out.read_text().startswith("<!doctype html>")
    assert [path.name for path in out.parent.iterdir()] == ["b.html"]


def test_it_is_written_anew_until_no_run_is_trained(tmp_path, monkeypatch, capsys):
    study = write_study(tmp_path)
    going = iter([2, 1, 0])
    from lsgan.board import __main__ as command

    monkeypatch.setattr(command.time, "sleep", lambda seconds: print(f"slept {seconds:g}"))
    monkeypatch.setattr(command, "write", lambda *told: write(*told)._replace(going_on=next(going)))
    board(monkeypatch, study, "every=7")
    assert [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines() if "slept" in line] == ["slept"] * 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no folder: this is about one study, python -m lsgan.board <folder> [key=value …]"),
        (["a", "b"], "a b: this is about one study"),
        (["nowhere"], "nowhere is not a folder"),
        (["x", "budget_mb=0"], "budget_mb=0 must be a number of at least 1"),
        (["x", "budget_mb=inf"], "budget_mb=inf must be a number of at least 1"),
        (["x", "every=0.5"], "every=0.5 must be a number of at least 1"),
        (["x", "budget_mb=many"], "budget_mb"),
        (["x", "budjet=3"], "budjet"),
    ],
)
def test_mistakes_are_a_sentence(monkeypatch, words, message):
    with pytest.raises(LsganError, match=re.escape(message)):
        board(monkeypatch, *words)


def test_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    study = write_study(tmp_path / "digits")
    (tmp_path / "x").mkdir()
    with pytest.raises(LsganError, match=r"out=.*/x cannot be written \(Is a directory.*\): name another file"):
        board(monkeypatch, study, f"out={tmp_path / 'x'}")


def test_several_studies_are_refused(tmp_path):
    for name in ("one", "two"):
        write_study(tmp_path / name)
    with pytest.raises(LsganError, match="holds the runs of 2 studies: name one of"):
        write(tmp_path, tmp_path / "b.html")
    assert not (tmp_path / "b.html").exists()


def test_help_is_the_docstring(monkeypatch, capsys):
    board(monkeypatch, "--help")
    assert "budget_mb" in capsys.readouterr().out


def test_torch_is_not_needed(tmp_path, python):
    study = write_study(tmp_path / "digits")
    program = "import sys; from pathlib import Path; from lsgan.board.write import write; "
    program += f"write(Path({str(study)!r}), Path('b.html')); print('torch' in sys.modules)"
    assert python("-c", program, fresh=True).stdout == "False\n"
