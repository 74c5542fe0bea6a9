"""What nobody can try without a CUDA GPU, in one go, in less than eight minutes, told in one Markdown report.

    python benchmarks/on_gpu.py
    python benchmarks/on_gpu.py --device cpu --quick        does this file itself work?

It needs nothing but the checkout and the packages of pyproject.toml, of which wandb, lmdb and pyarrow may be missing.
Each part runs commands of its own and has a time limit; one that fails or hangs is told in the report, and the others
go on. Exits with 1 if one has failed, or if there is no GPU.
"""

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch
from chaos import last_checkpoint, rows, same

ROOT = Path(__file__).resolve().parents[1]
TOLD = 40  # last lines of a part that has failed
RESUMED = {  # run by name: what is typed
    "digits": (),
    "labels-penalty-fp32": ("architecture=dcgan_small_conditional", "penalty=lsgan_gp", "runtime.precision=fp32"),
}
CASES = ("DCGAN 64×64, batch 64", "DCGAN 64×64, batch 256", "digits 32×32, batch 64")  # of train_step.py
BUSY = "utilization.gpu,memory.used"  # what nvidia-smi is asked
QUICK_CASE = "digits 32×32, batch 32"


class PartFailedError(Exception):
    """Why, in Markdown."""


@dataclass(frozen=True)
class Bench:
    """Where the parts work, and how much."""

    folder: Path  # for everything that they write
    device: str  # cuda or cpu
    quick: bool
    deadline: float = 0.0  # time.monotonic() at which the part ends

    @property
    def seconds_left(self) -> float:
        """At least 1, so that each command can say something."""
        return max(1.0, self.deadline - time.monotonic())

    def run(self, name: str, *command: str) -> str:
        """What `python <command>` prints; it stays in <name>.log.

        Raises:
            PartFailedError: it ended badly, or not in time.
        """
        with self.started(name, *command) as process:
            self.wait(name, process)
        return self.log(name).read_text()

    @contextmanager
    def started(self, name: str, *command: str) -> "Iterator[subprocess.Popen[bytes]]":
        """`python <command>` runs in the body, and is killed at its end with all that it has started."""
        places = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "PYTHONUNBUFFERED": "1"}
        with open(self.log(name), "wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, to be killed as one
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait(self, name: str, process: "subprocess.Popen[bytes]", code: int = 0) -> None:
        """Until it ends; raises PartFailedError if not with this exit code, or not in time."""
        try:
            found: object = process.wait(self.seconds_left)
        except subprocess.TimeoutExpired:
            found = "none yet: out of time"
        if found != code:
            lines = self.log(name).read_text(errors="replace").splitlines()[-TOLD:]
            raise PartFailedError(f"{name}: exit code {found}\n\n{fenced(lines)}")

    def train(self, run: str, *overrides: str) -> tuple[str, ...]:
        """The command that trains in <folder>/on_gpu/<run>."""
        place = (f"runs_dir={self.folder}", "study=on_gpu", f"run={run}", f"data_dir={self.folder / 'data'}")
        return (str(ROOT / "train.py"), *place, "tracker=none", f"runtime={self.device}", *overrides)

    def run_folder(self, run: str) -> Path:
        return self.folder / "on_gpu" / run

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


class Part(NamedTuple):
    """A chapter of the report."""

    title: str
    seconds: float  # that it may take
    work: Callable[[Bench], str]  # returns Markdown; raises anything, PartFailedError best


def main() -> None:
    """Runs all parts, writes the report, prints where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="a few steps of each: only whether it works")
    now = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    parser.add_argument("--folder", type=Path, default=Path("runs") / f"on_gpu-{now}", help="for all that is written")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch sees no CUDA GPU here: this is to be run where there is one, or with --device cpu")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it, and its children would
    bench = Bench(options.folder.absolute(), options.device, options.quick)
    patience = 1 if options.device == "cuda" else 3  # a CPU takes what it takes
    parts = [part._replace(seconds=patience * part.seconds) for part in PARTS]
    sys.exit(0 if report(bench, parts) else 1)


def report(bench: Bench, parts: Sequence[Part]) -> bool:
    """Runs the parts and writes report.md after each of them; returns whether all went well."""
    bench.folder.mkdir(parents=True, exist_ok=True)
    path, start = bench.folder / "report.md", time.monotonic()
    lines, chapters, well = [], [], True
    for part in parts:
        began = time.monotonic()
        try:
            outcome, text = "ok", part.work(replace(bench, deadline=began + part.seconds))
        except Exception as error:
            outcome, text, well = "**failed**", str(error) or type(error).__name__, False
            if not isinstance(error, PartFailedError):
                text = f"{type(error).__name__}: {text}"
        lines.append(f"| {part.title} | {outcome} | {time.monotonic() - began:.0f} |")
        chapters.append(f"## {part.title}\n\n{text}\n")
        total = f"| all | | {time.monotonic() - start:.0f} |"
        overview = "\n".join(["| | | seconds |", "|---|---|---|", *lines, total])
        path.write_text(f"# lsgan on {bench.device}\n\n{machine(bench)}\n\n{overview}\n\n" + "\n".join(chapters))
        print(f"{part.title}: {outcome}", flush=True)
    print(f"report: {path}")
    return well


def machine(bench: Bench) -> str:
    """What this was measured on."""
    facts = [f"{datetime.now():%Y-%m-%d %H:%M}", platform.platform(), f"Python {platform.python_version()}"]
    facts += [f"torch {torch.__version__}", f"{os.cpu_count()} cores"]
    if bench.device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        driver = (nvidia_smi("driver_version") or ["not known"])[0]
        facts += [f"{properties.name}, {properties.total_memory / 1e9:.0f} GB", f"driver {driver}"]
        facts += [f"CUDA {torch.version.cuda}", f"cuDNN {torch.backends.cudnn.version()}"]
    return ", ".join(facts)


# The parts


def cuda_tests(bench: Bench) -> str:
    """The tests that are skipped without a GPU."""
    files = [str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.cuda" in path.read_text()]
    plain = ("-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider")  # in one process
    bench.run("tests", "-m", "pytest", *plain, "-m", "cuda", "-q", "-rs", *files)
    return fenced(bench.log("tests").read_text().splitlines()[-5:])


def digits(bench: Bench) -> str:
    """The default, trained for a minute and stopped by Ctrl-C; how busy it keeps the GPU."""
    seconds, every, run = (5, 20, bench.run_folder("digits")) if bench.quick else (60, 500, bench.run_folder("digits"))
    command = bench.train("digits", "steps=10000000", f"sample_every={every}", "checkpoint_every=1000")
    with bench.started("digits", *command) as process:
        while process.poll() is None and not (run / "metrics.jsonl").exists() and bench.seconds_left > 1:
            time.sleep(0.1)
        busy, until = [], time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < min(until, bench.deadline - 1):
            time.sleep(1)
            with suppress(ValueError):  # [N/A], of a part of a GPU for example
                busy += [[float(word) for word in line.split(",")] for line in nvidia_smi(BUSY)]
        process.send_signal(signal.SIGINT)
        bench.wait("digits", process, code=130)
    found, unknown = rows_of(run), "not known: nvidia-smi is not there, or does not tell"
    facts = {
        "status": json.loads((run / "status.json").read_text())["status"],
        "steps": last_checkpoint(run),
        "images a second, median": f"{statistics.median(row['images_per_second'] for row in found):,.0f}",
        "loss of D, G at the end": f"{found[-1]['loss/discriminator']:.3f}, {found[-1]['loss/generator']:.3f}",
        "diversity of fakes, real": f"{found[-1]['diversity/fake']:.3f}, {found[-1]['diversity/real']:.3f}",
        "GPU busy, mean": f"{statistics.mean(b for b, _ in busy):.0f}%" if busy else unknown,
        "GPU memory in use, MiB": f"{max(m for _, m in busy):,.0f}" if busy else unknown,
    }
    pictures = sorted((run / "samples").glob("[0-9]*.jpg"))
    shown = f"![samples]({pictures[-1].relative_to(bench.folder)})" if pictures else "no samples yet"
    return f"{runtime_line(bench, 'digits')}\n\n{table(('', ''), facts.items())}\n\n{shown}"


def resume(bench: Bench) -> str:
    """Under `runtime.deterministic=true` a run that was cut has the bits of one that was not."""
    steps = 4 if bench.quick else 200
    told = []
    for name, overrides in RESUMED.items():
        fixed = (*overrides, "runtime.deterministic=true", "log_every=1", "checkpoint_every=1000000")
        whole, cut = f"{name}-whole", f"{name}-cut"
        bench.run(whole, *bench.train(whole, *fixed, f"steps={2 * steps}"))
        bench.run(cut, *bench.train(cut, *fixed, f"steps={steps}"))
        bench.run(cut, str(ROOT / "train.py"), f"resume={bench.run_folder(cut)}", f"steps={2 * steps}")
        runs = bench.run_folder(whole), bench.run_folder(cut)
        weights = [torch.load(checkpoint(run, 2 * steps), map_location="cpu", weights_only=True) for run in runs]
        parts = [f"{part} differs" for part in weights[0]["parts"] if not same(*(w["parts"][part] for w in weights))]
        first = next((row["step"] for row, other in zip(*map(rows, runs), strict=True) if row != other), None)
        logged = "equal" if first is None else f"differ from step {first} on"
        told.append((name, "; ".join(parts) or "equal", logged, most_memory(bench, whole)))
    text = table((f"{steps} + {steps} steps", "checkpoints", "rows", "most memory"), told)
    if any(row[1:3] != ("equal", "equal") for row in told):
        raise PartFailedError(text)
    return text


def eager_steps(bench: Bench) -> str:
    """train_step.py's table."""
    return steps_table(bench, "eager", *CASES)


def compiled_steps(bench: Bench) -> str:
    """The same with compiled networks, of one case: compiling takes its time."""
    return steps_table(bench, "compiled", "--compile", CASES[0])


def steps_table(bench: Bench, name: str, *arguments: str) -> str:
    """Of train_step.py, with these arguments; PartFailedError if a loop failed."""
    if bench.quick:
        arguments = ("--quick", *(argument for argument in arguments if argument not in CASES), QUICK_CASE)
    pace = ("--rounds", "3", "--seconds", "1", "--device", bench.device)
    text = bench.run(name, str(ROOT / "benchmarks" / "train_step.py"), *pace, *arguments)
    shown = [line for line in text.splitlines() if line.startswith("|") or "peak of" in line]
    shown.insert(1, "")
    if any("failed" in line for line in shown):
        raise PartFailedError("\n".join(shown) + "\n\n" + fenced(text.splitlines()[-TOLD:]))
    return "\n".join(shown)


PARTS = (  # less than eight minutes together
    Part("Tests that need a GPU", 95, cuda_tests),
    Part("Digits for a minute", 95, digits),
    Part("Resumed bit for bit", 90, resume),
    Part("A step, eager", 80, eager_steps),
    Part("A step, compiled", 110, compiled_steps),
)


# What they read


def nvidia_smi(query: str) -> list[str]:
    """What it answers of the GPU that PyTorch uses, a line; nothing where it is not there."""
    if not torch.cuda.is_available():
        return []
    identity = f"--id=GPU-{torch.cuda.get_device_properties(0).uuid}"
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits", identity]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.split("\n")[:1]
    return []


def rows_of(run: Path) -> list[dict[str, Any]]:
    """Of metrics.jsonl, those with numbers of a training."""
    parsed = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row for row in parsed if "images_per_second" in row]


def checkpoint(run: Path, step: int) -> Path:
    """That of a step."""
    return run / "checkpoints" / f"step-{step:06d}.pt"


def runtime_line(bench: Bench, name: str) -> str:
    """What the run says of its machine."""
    found = re.search(r"^runtime: .*", bench.log(name).read_text(), re.MULTILINE)
    return found[0] if found else "runtime: not told"


def most_memory(bench: Bench, name: str) -> str:
    """What the run says of it: on a GPU, what PyTorch has allocated there."""
    found = re.search(r"^most memory: (.*)", bench.log(name).read_text(), re.MULTILINE)
    return found[1] if found else "not told"


def table(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """In Markdown."""
    cells = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in cells)


def fenced(lines: Sequence[str]) -> str:
    """As they are."""
    return "\n".join(["```", *lines, "```"])


if __name__ == "__main__":
    main()
