"""A fork must be as good as a process that Python itself has started."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there are no forks elsewhere, see conftest.py")

PROGRAM = """
import atexit, os, signal, sys
atexit.register(print, "bye")
print(__name__, sys.argv[1:], os.getcwd(), os.environ["NAME"], repr(sys.stdin.read()), os.getpid() == os.getsid(0))
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
exec(sys.argv[1])
"""


@pytest.mark.parametrize("fresh", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("last", "code", "says_bye", "error"),
    [
        ("pass", 0, True, ""),
        ("sys.exit(7)", 7, True, ""),
        ("sys.exit('too hot')", 1, True, "too hot\n"),
        ("1 / 0", 1, True, "ZeroDivisionError: division by zero\n"),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, True, "KeyboardInterrupt\n"),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, False, ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, False, ""),
    ],
)
def test_how_it_ends(python, tmp_path, last, code, says_bye, error, fresh):
    if fresh and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        pytest.skip("these tests run in the background, and Python's own processes inherit that")
    (tmp_path / "program.py").write_text(PROGRAM.replace("os.getpid() == os.getsid(0)", "1") if fresh else PROGRAM)
    result = python("program.py", last, NAME="value", expect=code, fresh=fresh)
    told = f"__main__ [{last!r}] {tmp_path} value '' {1 if fresh else True}\n" + "bye\n"
    assert result.stdout == told if says_bye else told.startswith(result.stdout)
    assert result.stderr.endswith(error)
    assert error or not result.stderr


def test_modules_of_the_project_are_read_anew(python, tmp_path):
    """From where the script is, before those that PYTHONPATH names."""
    (tmp_path / "program.py").write_text("import lsgan; print(lsgan.number)")
    (tmp_path / "lsgan.py").write_text("number = 1")
    assert python("program.py").stdout == "1\n"
    (tmp_path / "lsgan.py").write_text("number = 1 + 22")
    assert python("program.py").stdout == "23\n"


def test_what_nobody_waits_for_is_killed(fork_server, tmp_path):
    (tmp_path / "program.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(1000)")
    process = fork_server.start(["program.py"], tmp_path, os.environ)
    folder = Path("/proc") / str(process.pid)
    assert folder.exists()
    process._connection.close()
    for _ in range(100):
        if not folder.exists():
            return
        time.sleep(0.1)
    pytest.fail("it still runs")
