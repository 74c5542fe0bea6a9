"""The folder: whole, its own, and the same each time."""

import os
import subprocess
import sys

import pytest

from lsgan.errors import LsganError
from lsgan.explain import writing
from lsgan.explain.choices import Choices


def test_the_folder_holds_figures_and_the_page_and_is_replaced(tmp_path):
    out = tmp_path / "theory"
    writing.write(Choices(out=out, figures=("lemma", "losses")))
    assert sorted(path.name for path in out.iterdir()) == [
        "index.html", "lemma.png", "lemma.svg", "losses.png", "losses.svg",
    ]  # fmt: skip
    assert (out / "lemma.png").read_bytes().startswith(b"\x89PNG")
    before = (out / "lemma.svg").read_bytes()
    writing.write(Choices(out=out, figures=("lemma",), lang="en"))
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "lemma.png", "lemma.svg"]
    assert (out / "lemma.svg").read_bytes() == before  # nothing in it tells the time
    assert len((out / "index.html").read_bytes()) < 3_000_000


def test_nobody_else_s_folder_is_replaced(tmp_path):
    (tmp_path / "index.html").write_text("<p>mine</p>")
    with pytest.raises(LsganError, match=r"holds index\.html, which lsgan\.theory has not written and would delete"):
        writing.write(Choices(out=tmp_path, figures=("lemma",)))
    assert (tmp_path / "index.html").read_text() == "<p>mine</p>"
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(LsganError, match="is a file: name a folder"):
        writing.write(Choices(out=file, figures=("lemma",)))


def test_what_fails_half_way_leaves_what_was_there(tmp_path, monkeypatch):
    out = tmp_path / "theory"
    writing.write(Choices(out=out, figures=("lemma",)))
    monkeypatch.setattr(writing, "page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        writing.write(Choices(out=out, figures=("lemma", "losses")))
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "lemma.png", "lemma.svg"]
    assert [path.name for path in tmp_path.iterdir()] == ["theory"]


def command(*words, cwd):
    return subprocess.run(
        [sys.executable, "-m", "lsgan.theory", *words], cwd=cwd, capture_output=True, text=True, env=os.environ
    )


def test_the_command_says_what_it_has_written_and_where(tmp_path):
    done = command("figures=lemma", "lang=vi", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 figure and theory/index.html, in ")
    assert '<html lang="vi">' in (tmp_path / "theory" / "index.html").read_text(encoding="utf-8")


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
    done = command("a=[1,2", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: a=[1,2 must be a number: write a=0.5, for example\n"
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_key(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["theory", "--help"])
    writing.main()
    told = capsys.readouterr().out
    for key in Choices.__dataclass_fields__:
        assert f"\n    {key} " in told
