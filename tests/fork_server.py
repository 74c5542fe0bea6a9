"""A process that has imported PyTorch and its company once, and forks for each `python …` that a test starts.

Importing takes five seconds, forking a few hundredths. Such a fork is a process as any other: its own number, session,
folder, arguments, environment, output, signals and exit code; lsgan and the script are read from their files each time.
Two things it shares with its siblings, unlike processes that Python itself has started: the seed of hashes, and that
PyTorch is there already, so what happens before or without that import needs a process of its own (`fresh=True`).

    with ForkServer() as server:
        process = server.start(["train.py", "steps=1"], cwd=folder, env=os.environ)
        output, errors = process.communicate(timeout=60)
"""

import atexit
import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

IMPORTS = (
    "torch",
    "torch._dynamo",  # optimizers load it when they are made
    "torch.distributed.run",
    "torchvision",
    "hydra.main",
    "hydra._internal.core_plugins.basic_launcher",
    "hydra._internal.core_plugins.basic_sweeper",
    "wandb",
    "wandb.apis.public",
    "sklearn.datasets",
    "sklearn.isotonic",
    "scipy.stats",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "PIL.Image",
    "lmdb",
    "requests",
    "rich.progress",
)  # not pyarrow, which starts a thread

MOST_BYTES = 1 << 20  # of a message: arguments and environment


# The tests' side


class Process:
    """A running fork; what it offers is named and behaves as in subprocess.Popen."""

    def __init__(self, args: list[str], connection: socket.socket, outputs: Iterable[int]):
        self.args = args
        self.returncode: int | None = None
        self._connection = connection
        self._outputs = [_Reader(descriptor) for descriptor in outputs]
        self.pid = int(self._told())

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(self._told())
            self._connection.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has written to stdout and stderr, once it has ended."""
        self.wait(timeout)
        for output in self._outputs:
            output.join(timeout)
            if output.is_alive():  # a child of it still holds the pipe
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        stdout, stderr = self._outputs
        return stdout.text, stderr.text

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _told(self) -> bytes:
        message = self._connection.recv(100)
        assert message, "the fork server has ended"
        return message


class _Reader(threading.Thread):
    """Empties a pipe, so that nobody waits for a test to read."""

    def __init__(self, descriptor: int):
        super().__init__(daemon=True)
        self._descriptor, self.text = descriptor, ""
        self.start()

    def run(self) -> None:
        with open(self._descriptor, encoding="utf-8") as pipe:
            self.text = pipe.read()


class ForkServer:
    def __init__(self) -> None:
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # pandas, if it is there, brings pyarrow, whose allocator would start a thread
        no_threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        env = {**os.environ, **no_threads, "JE_ARROW_MALLOC_CONF": "background_thread:false"}
        with other:
            command = [sys.executable, __file__]
            self._server = subprocess.Popen(command, stdin=other.fileno(), env=env, start_new_session=True)

    def start(self, args: Iterable[str], cwd: Path, env: Mapping[str, str]) -> Process:
        """Starts `python <args>`: a script or `-m` and a module, with what is for it."""
        args = list(args)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pipes = [os.pipe(), os.pipe()]
        job = json.dumps({"args": args, "cwd": str(cwd), "env": dict(env)}).encode()
        with theirs:
            socket.send_fds(self._control, [job], [theirs.fileno(), *(write for _, write in pipes)])
        for _, write in pipes:
            os.close(write)
        return Process(args, ours, [read for read, _ in pipes])

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *exception: object) -> None:
        self._control.close()
        self._server.wait()


# The server's side


def serve(control: socket.socket) -> dict[str, Any]:
    """Forks for each job that arrives until the tests have ended; returns in the forks alone, each with its job."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended keepers leave nothing behind
    while True:
        message, descriptors, *_ = socket.recv_fds(control, MOST_BYTES, 3, socket.MSG_CMSG_CLOEXEC)
        if not message:
            sys.exit()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if _fork_and_keep(*descriptors):
                return json.loads(message)
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_and_keep(status: int, stdout: int, stderr: int) -> bool:
    """True in a new process of that output. Its keeper tells `status` its number and how it ends, and then has False.

    Should the tests end first, or lose interest, it is killed, with the processes of its group.
    """
    pid = os.fork()
    if pid == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((nothing, stdout, stderr)):
            os.dup2(descriptor, number)
        for descriptor in (nothing, status, stdout, stderr):
            os.close(descriptor)
        return True
    for descriptor in (0, stdout, stderr):
        os.close(descriptor)
    connection, ended = socket.socket(fileno=status), os.pidfd_open(pid)
    connection.send(str(pid).encode())
    if ended not in select.select([ended, connection.fileno()], [], [])[0]:
        with suppress(ProcessLookupError):  # it has made no group yet
            os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(BrokenPipeError):
        connection.send(str(code).encode())
    return False


def prepare(job: dict[str, Any], installed: list[str]) -> list[str]:
    """Makes this process one that Python has just started for the job; returns its arguments."""
    args: list[str] = job["args"]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(job["env"])
    os.chdir(job["cwd"])
    first = job["cwd"] if args[0] == "-m" else str(Path(args[0]).resolve().parent)
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [first, *given, *installed]
    _own_state()
    return args


def _own_state() -> None:
    """What a module made for its process when it was imported."""
    random.seed()
    from wandb.sdk.data_types._private import MEDIA_TMP

    MEDIA_TMP._finalizer.detach()
    MEDIA_TMP.__init__("wandb-media")  # type: ignore[misc]


def run(args: list[str]) -> None:
    """What comes of it, tracebacks and exit codes too, is left to the interpreter."""
    try:
        if args[0] == "-m":
            sys.argv = args[1:]
            runpy.run_module(args[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = args
            runpy.run_path(args[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            exit_code.append(end.code or 0)
        raise
    exit_code.append(0)


exit_code: list[int] = []  # once it is known


def leave() -> None:
    """The last thing at exit, as it is registered first: spares taking down all that was imported, 0.4 s each time."""
    if exit_code:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code[0])


if __name__ == "__main__":
    atexit.register(leave)
    for module in IMPORTS:
        importlib.import_module(module)
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"a fork takes one thread along; here are {threads}"
    own = {str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    others = [path for path in sys.path if path not in own]
    gc.freeze()  # else each fork would copy every page by looking for garbage
    with socket.socket(fileno=os.dup(0)) as control:
        job = serve(control)
    run(prepare(job, others))
