"""Each program is what a command does first, and then prints; a process of its own, without PyTorch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsgan import terminal

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "import os, sys; from lsgan import terminal; terminal.make_undemanding()\n"
PRINT = "print('a' * 9, flush=True); print('b' * 99999); print('c', file=sys.stderr); open('done', 'w').close()"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and devices of Unix")


def run(program, tmp_path, *options, shell="{}", **env):
    """The program in a process, its command line completed by `shell`."""
    (tmp_path / "program.py").write_text(BEGIN + program, encoding="utf-8")
    command = f"{sys.executable} {' '.join(options)} program.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(
        ["bash", "-c", shell.format(command)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("option", [(), ("-u",)], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "shell",
    [
        "{} | true; exit ${{PIPESTATUS[0]}}",
        "{} 2>&1 | true; exit ${{PIPESTATUS[0]}}",
        "{} 2> >(true)",
        "{} >/dev/full",
        "{} >/dev/full 2>/dev/full",
        "{} >&-",
        "{} 2>&-",
        "{} <&- >&- 2>&-",
    ],
)
def test_a_console_that_is_gone_full_or_closed_costs_what_is_printed_and_nothing_else(shell, option, tmp_path):
    result = run(f"import time; time.sleep(0.1)\n{PRINT}\nsys.exit(7)", tmp_path, *option, shell=shell)
    assert result.returncode == 7  # and not 120, Python's own when it cannot flush
    assert (tmp_path / "done").exists()
    assert result.stderr in (b"c\n", b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_what_the_console_does_not_know_is_escaped(encoding, tmp_path):
    told = "χ × ‖ \udcff"
    result = run(f"print({told!r}); print({told!r}, file=sys.stderr)", tmp_path, PYTHONIOENCODING=encoding)
    assert result.returncode == 0, result.stderr
    assert result.stdout == result.stderr == told.encode(encoding, errors="backslashreplace") + b"\n"


def test_a_locale_without_unicode(tmp_path):
    poor = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert run("print('χ²')", tmp_path, **poor).stdout == b"\\u03c7\\xb2\n"


def test_what_is_printed_to_a_closed_stdout_gets_into_no_file(tmp_path):
    program = "file = open('rows', 'w'); print('x', flush=True); os.system('echo y'); file.write('z')"
    run(program, tmp_path, shell="{} >&-")
    assert (tmp_path / "rows").read_text() == "z"


def test_a_terminal_that_closes(tmp_path):
    """Writing to it is an I/O error."""
    begin = f"{BEGIN}import signal, time; signal.signal(signal.SIGHUP, signal.SIG_IGN); print('ready', flush=True)"
    parent, child = os.openpty()
    options = {"stdin": child, "stdout": child, "stderr": child, "cwd": tmp_path, "start_new_session": True}
    program = f"{begin}; time.sleep(0.5)\n{PRINT}"
    process = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)}, **options)
    os.close(child)
    assert os.read(parent, 100).startswith(b"ready")
    os.close(parent)
    assert process.wait(60) == 0
    assert (tmp_path / "done").exists()


def test_lines_come_at_once_where_they_did_before(tmp_path):
    program = "print('early'); os.write(1, b'late\\n')"
    assert run(program, tmp_path, "-u").stdout == b"early\nlate\n"


def test_what_others_have_put_in_its_place_stays(tmp_path):
    program = (
        "import io; sys.stdout = other = io.StringIO(); terminal.make_undemanding(); sys.exit(sys.stdout is not other)"
    )
    assert run(program, tmp_path).returncode == 0


def test_batches_pass_a_progress_bar_that_only_a_terminal_shows(capsys, monkeypatch):
    batches = [[1, 2], [3]]
    assert list(terminal.watched(batches, "samples", 3)) == batches
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(terminal.watched(batches, "samples", 3)) == batches
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "samples" in shown.err
