"""How fast a training step is: the loop as everybody writes it against ours, in one run on one machine.

    python benchmarks/train_step.py [case …] [--device cpu|cuda] [--rounds 7] [--seconds 3] [--compile] [--profile]
    python benchmarks/train_step.py --quick        two small cases in a minute: does it run?
    python benchmarks/train_step.py --whole        the whole of train.py against its bare step

Each loop has a process of its own, and they take turns (A B C A B C …), so that a disturbance of the machine meets all
alike; a ratio is that of one round. Real batches lie ready in memory for all, noise is drawn by each. Sharing the
machine with anything else spoils the figures. The rows of a case are printed as soon as it is measured, in Markdown.
"""

import argparse
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from lsgan import config
from lsgan.data.batches import WHOLE, Batch
from lsgan.training.gan import Data, Gan
from lsgan.training.memory import peak_bytes
from lsgan.training.prefetch import prefetched
from lsgan.training.runtime import Runtime

ROOT = Path(__file__).resolve().parents[1]
NUM_BATCHES = 8  # that lie ready
_SIZE_64 = ("dataset=celeba", "dataset.resolution=64", "architecture=dcgan", "architecture.kernel_size=4")
CASES = {
    "DCGAN 64×64, batch 64": (*_SIZE_64, "batch_size=64"),
    "DCGAN 64×64, batch 256": (*_SIZE_64, "batch_size=256"),
    "paper 112×112, batch 64": ("dataset=lsun_church",),
    "DCGAN 32×32, batch 64": ("dataset=cifar10", "architecture=dcgan", "architecture.kernel_size=4", "batch_size=64"),
    "digits 32×32, batch 64": ("dataset=digits", "batch_size=64"),
    "digits 32×32, batch 32": ("dataset=digits",),
    "mixture MLP, batch 512": ("experiment=paper_gaussian_mixture", "batch_size=512"),
}
QUICK = ("digits 32×32, batch 32", "mixture MLP, batch 512")  # cases that any machine has soon
USUAL = "usual"
OURS = {"ours, fp32": ("runtime.precision=fp32",), "ours, auto": ()}
COMPILED = {"ours, compiled": ("runtime.compile=true",)}
HEADER = ("", "loop", "steps/s", "images/s", "× usual", "% of the peak", "memory, GB")

Step = Callable[[], object]


class Measured(NamedTuple):
    """What a loop's process tells when it ends."""

    flops: float  # of a step
    precision: str
    peak_bytes: int | None
    costs: list[tuple[str, float]]  # operation, share of a step's time


class Pace(NamedTuple):
    """How long is measured."""

    rounds: int
    seconds: float  # of each loop in each round


def main() -> None:
    """Measures, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="case", help=" | ".join(CASES))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each loop in each round")
    parser.add_argument("--quick", action="store_true", help="one round of half a second; small cases if none is named")
    parser.add_argument("--compile", action="store_true", help="a loop of compiled networks besides")
    parser.add_argument("--profile", action="store_true", help="the largest costs of each loop")
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    unknown = [case for case in options.cases if case not in CASES]
    if unknown:
        parser.error(f"no such case: {unknown[0]}; choose from {' | '.join(CASES)}")
    device = torch.device(options.device)
    pace = Pace(1, 0.5) if options.quick else Pace(options.rounds, options.seconds)
    print(
        f"{date.today()}, {processor(device)}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads; medians (quartiles) of {pace.rounds} rounds of {pace.seconds:g} s",
        flush=True,
    )
    if options.whole:
        whole(pace.rounds)
        return
    peaks = gemm_peaks(device)
    told = ", ".join(f"{peak / 1e9:,.0f} GFLOP/s {name}" for name, peak in peaks.items())
    print(f"peak of matrix products: {told}\n\n{markdown(HEADER)}\n{markdown(['---'] * len(HEADER))}", flush=True)
    names = {USUAL: (), **OURS, **(COMPILED if options.compile else {})}
    for case in options.cases or (QUICK if options.quick else CASES):
        loops = {
            name: Loop(name, (*CASES[case], f"runtime.device={options.device}", *settings), options.profile)
            for name, settings in names.items()
        }
        for row in compare(case, loops, pace, peaks):
            print(row, flush=True)


def compare(case: str, loops: dict[str, "Loop"], pace: Pace, peaks: dict[str, float]) -> Iterator[str]:
    """The rows of one case, in Markdown; a loop that fails has one too."""
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(pace.rounds):
        for name, loop in loops.items():
            speeds[name].append(loop.steps_per_second(pace.seconds))
    batch_size = experiment_of(CASES[case]).settings.batch_size
    for name, loop in loops.items():
        shown, measured, median = case if name == USUAL else "", loop.end(), statistics.median(speeds[name])
        if measured is None:
            yield markdown([shown, name, "failed"])
            continue
        ratios = [speed / usual for speed, usual in zip(speeds[name], speeds[USUAL], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if pace.rounds > 1 else ratios * 3
        peak = peaks.get(measured.precision)
        yield markdown(
            [
                shown,
                name if name == USUAL else f"{name} ({measured.precision})".replace("fp32 (fp32)", "fp32"),
                f"{median:.2f}",
                f"{median * batch_size:,.0f}",
                "" if name == USUAL else f"{middle:.2f} ({low:.2f} to {high:.2f})",
                "?" if peak is None else f"{100 * measured.flops * median / peak:.0f}",
                "?" if measured.peak_bytes is None else f"{measured.peak_bytes / 1e9:.2f}",
            ]
        )
        if measured.costs:
            costs = ", ".join(f"{cost} {share:.0%}" for cost, share in measured.costs[:6])
            print(f"{case}, {name}: {costs}", file=sys.stderr, flush=True)


def markdown(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


class Loop:
    """A training loop in a process of its own, which runs when it is told to."""

    def __init__(self, name: str, overrides: Sequence[str], profiled: bool = False) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, name, tuple(overrides), profiled), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is noticed

    def steps_per_second(self, seconds: float) -> float:
        """Over about so many seconds; NaN if the process has failed."""
        try:
            self._pipe.send(seconds)
            return self._pipe.recv()
        except (EOFError, OSError):
            return math.nan

    def end(self) -> Measured | None:
        """Ends the process; None if it has failed."""
        try:
            self._pipe.send(None)
            return self._pipe.recv()
        except (EOFError, OSError):
            return None
        finally:
            self._process.join()


def serve(pipe: Connection, name: str, overrides: tuple[str, ...], profiled: bool) -> None:
    """What a loop's process does."""
    experiment = experiment_of(overrides)
    device = experiment.machine.device
    with usual_step(experiment, device) if name == USUAL else our_step(experiment) as step:
        with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
            step()
        for _ in range(3):
            step()
        while (seconds := pipe.recv()) is not None:
            pipe.send(rate(step, seconds, device))
        precision = "fp32" if name == USUAL else experiment.machine.precision.name
        peak = peak_bytes(device)
        pipe.send(Measured(counter.get_total_flops(), precision, peak, costs(step) if profiled else []))


def rate(step: Step, seconds: float, device: torch.device) -> float:
    """Steps per second, measured over about so many seconds; two steps go before."""
    for _ in range(2):
        step()
    wait(device)
    start, num = time.perf_counter(), 0
    while time.perf_counter() < start + seconds:
        step()
        num += 1
    wait(device)
    return num / (time.perf_counter() - start)


@contextmanager
def usual_step(experiment: config.Experiment, device: torch.device) -> Iterator[Step]:
    """The loop of tutorials and papers' code, with the same networks and loss."""
    settings, latent = experiment.settings, experiment.recipe.latent
    netG, netD = (net.to(device) for net in config.build_networks(settings, experiment.dataset, latent))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-4, betas=(0.5, 0.999))
    batches = Ready(experiment, device, torch.contiguous_format)
    real_label, fake_label, generator_label = 1.0, -1.0, 0.0
    num = 0

    def step() -> None:
        nonlocal num
        data, num = batches.batch(num, device).samples, num + 1
        # D: a real batch, then a fake one
        netD.zero_grad()
        output = netD(data)
        errD_real = 0.5 * ((output - real_label) ** 2).mean()
        errD_real.backward()
        noise = torch.randn(data.size(0), latent.dim, device=device)
        fake = netG(noise)
        output = netD(fake.detach())
        errD_fake = 0.5 * ((output - fake_label) ** 2).mean()
        errD_fake.backward()
        errD = errD_real + errD_fake
        optimizerD.step()
        # G
        netG.zero_grad()
        output = netD(fake)
        errG = 0.5 * ((output - generator_label) ** 2).mean()
        errG.backward()
        optimizerG.step()
        errD.item(), errG.item()

    yield step


@contextmanager
def our_step(experiment: config.Experiment) -> Iterator[Step]:
    """What train.py does in a step that is not logged."""
    machine = experiment.machine
    machine.apply()
    batches = Ready(experiment, machine.device, torch.channels_last)
    gan = Gan(experiment.state, experiment.recipe, Data(experiment.dataset, batches), machine)
    with prefetched(gan.inputs, machine) as feed:
        yield partial(gan.step, feed)


class Ready:
    """Random real batches that lie ready on the device, in a memory layout."""

    def __init__(self, experiment: config.Experiment, device: torch.device, layout: torch.memory_format) -> None:
        size = (experiment.settings.batch_size, *experiment.dataset.shape)
        torch.manual_seed(0)
        batches = [torch.rand(size, device=device) * 2 - 1 for _ in range(NUM_BATCHES)]
        if len(size) == 4:
            batches = [batch.contiguous(memory_format=layout) for batch in batches]
        self._batches = batches

    @property
    def identity(self) -> dict[str, Any]:
        """Nobody asks."""
        return {}

    def batch(self, index: int, device: torch.device, part: slice = WHOLE) -> Batch:
        """Without labels."""
        return Batch(self._batches[index % NUM_BATCHES], None)


def experiment_of(overrides: Sequence[str]) -> config.Experiment:
    """As `python train.py <overrides>` assembles it."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return config.assemble(compose("train", [*overrides, "tracker=none"]))


def costs(step: Step) -> list[tuple[str, float]]:
    """The operations of a step and their share of its time, the largest first."""
    with profile() as profiled:
        for _ in range(5):
            step()
    events = profiled.key_averages()
    total = sum(event.self_cpu_time_total + event.self_device_time_total for event in events)
    shares = [(event.key, (event.self_cpu_time_total + event.self_device_time_total) / total) for event in events]
    return sorted(shares, key=lambda share: -share[1])


def gemm_peaks(device: torch.device) -> dict[str, float]:
    """FLOP/s by precision: of fp32, and of what train.py picks there. Others may take for ever, bf16 on many CPUs."""
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
    wanted = {"fp32", Runtime(device.type).chosen_precision.name}
    return {name: gemm_peak(dtype, device) for name, dtype in kinds.items() if name in wanted}


def gemm_peak(dtype: torch.dtype, device: torch.device, size: int = 2048) -> float:
    """FLOP/s of the fastest way to multiply two large matrices: as such, or as a 1×1 convolution."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    images = a.view(size // 256, 16, 16, size).permute(0, 3, 1, 2)  # channels last
    kernel = b[:, :, None, None].contiguous(memory_format=torch.channels_last)
    ways: list[Callable[[], Tensor]] = [lambda: a @ b, lambda: F.conv2d(images, kernel)]
    seconds = []
    for multiply in ways:
        for _ in range(30):
            wait(device)
            start = time.perf_counter()
            multiply()
            wait(device)
            seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def whole(rounds: int) -> None:
    """train.py with data, log lines, sample grids, checkpoints and W&B offline, and its bare step, in turns."""
    shown = Table("", "bare step, images/s", "train.py, images/s", "%")
    for case, overrides, steps in (
        ("digits 32×32, batch 32", CASES["digits 32×32, batch 32"], 1200),
        ("mixture MLP, batch 512", CASES["mixture MLP, batch 512"], 6000),
    ):
        loop, batch_size = Loop("ours, auto", overrides), experiment_of(overrides).settings.batch_size
        pairs = []
        for _ in range(rounds):
            bare = loop.steps_per_second(8) * batch_size
            pairs.append((bare, images_per_second(overrides, steps, batch_size)))
        loop.end()
        bare, real = (statistics.median(column) for column in zip(*pairs, strict=True))
        share = statistics.median(real / bare for bare, real in pairs)
        shown.add_row(case, f"{bare:,.0f}", f"{real:,.0f}", f"{100 * share:.0f}")
    Console(width=100).print(shown)


def images_per_second(overrides: Sequence[str], steps: int, batch_size: int) -> float:
    """Of a run of train.py, observers and checkpoints included: from the start of W&B to the last checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "train.py"), *overrides, f"steps={steps}", f"runs_dir={folder}"]
        environment = {**os.environ, "WANDB_MODE": "offline"}
        subprocess.run([*command, "study=s", "run=r"], check=True, stdout=subprocess.DEVNULL, env=environment)
        run = Path(folder) / "s" / "r"
        line = next(line for line in (run / "train.log").read_text().splitlines() if " INFO W&B: " in line)
        ended = max(path.stat().st_mtime for path in (run / "checkpoints").glob("*.pt"))
    return steps * batch_size / (ended - datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp())


def wait(device: torch.device) -> None:
    """For a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def processor(device: torch.device) -> str:
    """What computes."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    for line in Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else ():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
