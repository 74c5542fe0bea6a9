"""How fast a training step is: the loop as everybody writes it against ours, in one run on one machine.

    python benchmarks/train_step.py [case …] [--device cpu|cuda] [--rounds 7] [--seconds 3] [--profile]
    python benchmarks/train_step.py --whole        the whole of train.py against its bare step

Each loop has a process of its own, and they take turns (A B C A B C …), so that a disturbance of the machine meets all
alike; a ratio is that of one round. Real batches lie ready in memory for all, noise is drawn by each. Sharing the
machine with anything else spoils the figures.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

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
from lsgan.training.loop import train_step
from lsgan.training.memory import peak_bytes
from lsgan.training.problem import Prefetched, Problem, inputs

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
USUAL = "usual"
OURS = {"ours, fp32": ("runtime.precision=fp32",), "ours, auto": ()}

Step = Callable[[], object]


class Measured(NamedTuple):
    """What a loop's process tells when it ends."""

    flops: float  # of a step
    precision: str
    peak_bytes: int | None
    costs: list[tuple[str, float]]  # operation, share of a step's time


def main() -> None:
    """Measures, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case", help=" | ".join(CASES))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each loop in each round")
    parser.add_argument("--profile", action="store_true", help="the largest costs of each loop")
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device)
    print(
        f"{date.today()}, {processor(device)}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads; medians (quartiles) of {options.rounds} rounds of {options.seconds:g} s"
    )
    if options.whole:
        whole(options.rounds)
        return
    peaks = {name: gemm_peak(dtype, device) for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    print("peak of matrix products: " + ", ".join(f"{peak / 1e9:,.0f} GFLOP/s {name}" for name, peak in peaks.items()))
    shown = Table("", "loop", "steps/s", "images/s", "× usual", "% of the peak", "memory, GB")
    for case in options.cases:
        compare(case, options.device, options.rounds, options.seconds, peaks, shown, options.profile)
    Console(width=130).print(shown)


def compare(
    case: str, device: str, rounds: int, seconds: float, peaks: dict[str, float], shown: Table, profiled: bool
) -> None:
    """Adds the rows of one case to the table."""
    loops = {name: Loop(name, (*CASES[case], f"runtime.device={device}"), profiled) for name in (USUAL, *OURS)}
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            speeds[name].append(loop.steps_per_second(seconds))
    batch_size = experiment_of(CASES[case]).settings.batch_size
    for name, loop in loops.items():
        measured, median = loop.end(), statistics.median(speeds[name])
        ratios = [speed / usual for speed, usual in zip(speeds[name], speeds[USUAL], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if rounds > 1 else ratios * 3
        shown.add_row(
            case if name == USUAL else "",
            f"{name} ({measured.precision})" if name == "ours, auto" else name,
            f"{median:.2f}",
            f"{median * batch_size:,.0f}",
            "" if name == USUAL else f"{middle:.2f} ({low:.2f} to {high:.2f})",
            f"{100 * measured.flops * median / peaks[measured.precision]:.0f}",
            "?" if measured.peak_bytes is None else f"{measured.peak_bytes / 1e9:.2f}",
        )
        if profiled:
            print(f"{case}, {name}: " + ", ".join(f"{cost} {share:.0%}" for cost, share in measured.costs[:6]))


class Loop:
    """A training loop in a process of its own, which runs when it is told to."""

    def __init__(self, name: str, overrides: Sequence[str], profiled: bool = False) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, name, tuple(overrides), profiled))
        self._process.start()

    def steps_per_second(self, seconds: float) -> float:
        """Over about so many seconds."""
        self._pipe.send(seconds)
        return self._pipe.recv()

    def end(self) -> Measured:
        """Ends the process."""
        self._pipe.send(None)
        measured = self._pipe.recv()
        self._process.join()
        return measured


def serve(pipe: Connection, name: str, overrides: tuple[str, ...], profiled: bool) -> None:
    """What a loop's process does."""
    experiment = experiment_of((*overrides, *OURS.get(name, ())))
    device = experiment.runtime.torch_device
    with ThreadPoolExecutor(1) as thread:
        step = usual_step(experiment, device) if name == USUAL else our_step(experiment, thread)
        with FlopCounterMode(display=False) as counter:
            step()
        for _ in range(3):
            step()
        while (seconds := pipe.recv()) is not None:
            pipe.send(rate(step, seconds, device))
        precision = "fp32" if name == USUAL else experiment.runtime.chosen_precision.name
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


def usual_step(experiment: config.Experiment, device: torch.device) -> Step:
    """The loop of tutorials and papers' code, with the same networks and loss."""
    settings = experiment.settings
    netG, netD = (net.to(device) for net in config.build_networks(settings, experiment.dataset, experiment.latent))
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
        noise = torch.randn(data.size(0), experiment.latent.dim, device=device)
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

    return step


def our_step(experiment: config.Experiment, thread: ThreadPoolExecutor) -> Step:
    """What train.py does in a step that is not logged."""
    runtime, schedule = experiment.runtime, experiment.schedule
    runtime.apply()
    device = runtime.torch_device
    batches = Ready(experiment, device, torch.channels_last)
    problem = Problem(experiment.loss, experiment.penalty, experiment.latent, experiment.dataset, batches)
    prepare = partial(inputs, problem=problem, schedule=schedule, device=device)
    feed = Prefetched(prepare, thread) if runtime.has_idle_core else prepare
    return partial(train_step, experiment.state, problem, schedule, runtime, feed)


class Ready:
    """Random real batches that lie ready on the device, in a memory layout."""

    def __init__(self, experiment: config.Experiment, device: torch.device, layout: torch.memory_format) -> None:
        size = (experiment.settings.batch_size, *experiment.dataset.shape)
        torch.manual_seed(0)
        batches = [torch.rand(size, device=device) * 2 - 1 for _ in range(NUM_BATCHES)]
        if len(size) == 4:
            batches = [batch.contiguous(memory_format=layout) for batch in batches]
        self._batches = batches

    def batch(self, index: int, device: torch.device, part: slice = WHOLE) -> Batch:
        """Without labels."""
        return Batch(self._batches[index % NUM_BATCHES], None)


def experiment_of(overrides: Sequence[str]) -> config.Experiment:
    """As `python train.py <overrides>` assembles it."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return config.assemble(compose("train", list(overrides)))


def costs(step: Step) -> list[tuple[str, float]]:
    """The operations of a step and their share of its time, the largest first."""
    with profile() as profiled:
        for _ in range(5):
            step()
    events = profiled.key_averages()
    total = sum(event.self_cpu_time_total + event.self_device_time_total for event in events)
    shares = [(event.key, (event.self_cpu_time_total + event.self_device_time_total) / total) for event in events]
    return sorted(shares, key=lambda share: -share[1])


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
    """Of a run of train.py, from its first log line to its last."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "train.py"), *overrides, f"steps={steps}", f"runs_dir={folder}"]
        environment = {**os.environ, "WANDB_MODE": "offline"}
        subprocess.run([*command, "study=s", "run=r"], check=True, stdout=subprocess.DEVNULL, env=environment)
        lines = (Path(folder) / "s" / "r" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    images = [(later["step"] - row["step"]) * batch_size for row, later in pairwise(rows)]
    return sum(images) / sum(num / row["images_per_second"] for num, row in zip(images, rows[1:], strict=True))


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
