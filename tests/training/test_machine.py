import shutil

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lsgan.architectures.dcgan import dcgan
from lsgan.data.sets.digits import Digits
from lsgan.errors import LsganError
from lsgan.latents import Normal
from lsgan.losses import LeastSquares
from lsgan.penalties import R1, NoPenalty
from lsgan.streams import stream
from lsgan.training.ema import Ema
from lsgan.training.gan import Data, Gan, Recipe
from lsgan.training.machine import Machine
from lsgan.training.runtime import Runtime
from lsgan.training.state import TrainState
from lsgan.training.wide_convolutions import WideConv2d
from lsgan.world import World

REFERENCE = Machine(Runtime("cpu", "fp32", channels_last=False, deterministic=True))


@pytest.fixture
def process_settings(monkeypatch):
    """Puts back what `apply` changes."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    threads, tf32 = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.benchmark = True
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = tf32


def test_auto_takes_the_device_that_is_there():
    assert Machine(Runtime("auto")).device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert Machine(Runtime("cpu")).device.type == "cpu"


@pytest.mark.parametrize(
    ("amx", "avx512", "expected", "reason"),
    [
        (True, True, "bf16", "the CPU has it: AMX"),
        (False, True, "bf16", "the CPU has it: AVX512-BF16"),
        (False, False, "fp32", "no AMX or AVX512-BF16 here"),
    ],
)
def test_auto_takes_bf16_where_the_cpu_has_it(monkeypatch, amx, avx512, expected, reason):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    assert Runtime("cpu").chosen_precision == (expected, reason)
    assert Runtime("cpu", "fp32").chosen_precision == ("fp32", "as set")


@pytest.fixture
def gpu(monkeypatch):
    """What PyTorch would say of a GPU; returns a function that sets how new it is."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    return lambda major: monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *device: (major, 0))


@pytest.mark.parametrize(("major", "expected"), [(7, "fp32"), (8, "bf16"), (9, "bf16")])
def test_auto_takes_bf16_from_ampere_on(gpu, major, expected):
    gpu(major)
    assert Runtime().chosen_precision.name == expected
    assert Machine(Runtime()).device == torch.device("cuda", 0)
    assert f"cuda (a GPU), {expected} (the GPU has" in Machine(Runtime()).describe()


def test_every_rank_has_its_own_gpu(gpu, monkeypatch):
    gpu(8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Machine(Runtime(), World(5, 8, 1)).device == torch.device("cuda", 1)
    told = "every rank needs a GPU, and there are 2 here, none for LOCAL_RANK=2: set --nproc-per-node=2"
    with pytest.raises(LsganError, match=told):
        Machine(Runtime(), World(2, 3, 2))


def test_what_was_picked_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert Machine(Runtime("cpu", threads=3)).describe() == (
        "runtime: cpu (as set; 3 threads), bf16 (the CPU has it: AMX), channels last, eager"
    )
    assert Machine(Runtime("cpu", "fp32", channels_last=False, deterministic=True, threads=1)).describe() == (
        "runtime: cpu (as set; 1 thread), fp32 (as set), channels first, eager, deterministic"
    )


def test_memory_layout():
    convolution = nn.Conv2d(4, 8, 3)
    assert Machine(Runtime("cpu")).place(convolution).weight.is_contiguous(memory_format=torch.channels_last)
    assert Machine(Runtime("cpu", channels_last=False)).place(convolution).weight.is_contiguous()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"device": "tpu"}, "device=tpu must be auto, cpu or cuda"),
        ({"device": "cuda"}, "PyTorch sees no CUDA GPU here: use runtime=cpu or runtime=auto"),
        ({"precision": "fp16"}, "precision=fp16 must be one of auto, fp32, tf32, bf16"),
        ({"precision": "tf32"}, "precision=tf32 needs a GPU from Ampere on: set runtime.precision=fp32 or auto"),
        ({"threads": 0}, "threads=0 must be at least 1, or null for PyTorch's choice"),
        ({"rank_timeout_seconds": 0}, "rank_timeout_seconds=0 must be above 0"),
    ],
)
def test_what_cannot_be_is_refused(monkeypatch, settings, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=sentence):
        Runtime(**settings)


def test_a_gpu_from_ampere_on_has_tf32(gpu):
    gpu(8)
    assert Runtime("cuda", "tf32").chosen_precision.name == "tf32"
    gpu(7)
    with pytest.raises(ValueError, match="precision=tf32 needs a GPU from Ampere on"):
        Runtime("cuda", "tf32")


def test_wide_layers_change_in_bf16_only():
    for precision, layer in (("bf16", WideConv2d), ("fp32", nn.Conv2d)):
        assert type(Machine(Runtime("cpu", precision)).place(nn.Conv2d(256, 512, 4, stride=2))) is layer


def test_compiling_needs_a_compiler_and_one_process(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match=r"compile=true needs a C\+\+ compiler on the CPU: install g\+\+, or set"):
        Runtime("cpu", compile=True)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/" + name)
    assert Runtime("cpu", compile=True).compile
    with pytest.raises(LsganError, match=r"compile=true is for one process, and there are 2: set"):
        Machine(Runtime("cpu", compile=True), World(0, 2))


def test_settings_of_the_process(process_settings):
    Machine(Runtime("cpu", threads=1, deterministic=True)).apply()
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    Machine(Runtime("cpu")).apply()
    assert torch.get_num_threads() == 1  # null leaves it as it is
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark


def test_a_core_is_idle_if_the_threads_of_all_ranks_leave_one(monkeypatch, process_settings):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    for threads, ranks, idle in ((3, 1, True), (4, 1, False), (1, 2, True), (2, 2, False)):
        torch.set_num_threads(threads)
        assert Machine(Runtime("cpu"), World(0, ranks)).has_idle_core == idle


def losses(machine, penalty, data_dir, num_steps):
    """Both losses of each step on digits, and the last fakes. (Some biases stand before a batch norm: their gradients
    are nothing but rounding, which Adam magnifies, so weights compare badly.)
    """
    torch.manual_seed(0)
    generator, discriminator = (machine.place(net) for net in dcgan((1, 16, 16), 8, width=8))
    state = TrainState(
        generator,
        discriminator,
        Ema(generator, 100),
        torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999)),
        torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999)),
    )
    for net in (generator, discriminator):
        machine.compiled(net)
    digits = Digits(name="digits", resolution=16, channels=1)
    recipe = Recipe(LeastSquares(-1, 1, 0), penalty, Normal(8), 16, 1, 0)
    gan, seen = Gan(state, recipe, Data(digits, digits.open(data_dir, 16, 0)), machine), []
    for _ in range(num_steps):
        last = gan.step()
        seen.append((last.discriminator_loss.item(), last.generator_loss.item()))
    assert "0.weight" in generator.state_dict()  # compiled or not: names are those of checkpoints
    return torch.tensor(seen), last.fake


@pytest.mark.parametrize("penalty", [NoPenalty(), R1(1.0)], ids=["no penalty", "r1"])
def test_the_fast_path_trains_as_the_reference_does(tmp_path, process_settings, penalty):
    """In fp32 to float tolerance over 20 steps; bf16 near it: its products have two or three digits."""
    REFERENCE.apply()
    expected, reference_fakes = losses(REFERENCE, penalty, tmp_path, 20)
    fast = Machine(Runtime("cpu", "fp32"))
    fast.apply()
    found, fakes = losses(fast, penalty, tmp_path, 20)
    assert_close(found, expected, rtol=2e-4, atol=2e-4)
    assert_close(fakes, reference_fakes, rtol=1e-3, atol=1e-3)
    half, _ = losses(Machine(Runtime("cpu", "bf16")), penalty, tmp_path, 20)
    assert not torch.equal(half, found)
    assert_close(half, expected, rtol=0.1, atol=0.1)


def test_the_reference_gives_the_same_bits_each_time(tmp_path, process_settings):
    REFERENCE.apply()
    first, again = (losses(REFERENCE, NoPenalty(), tmp_path, 3) for _ in range(2))
    assert_close(first, again, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="there is no C++ compiler")
def test_compiled_networks_train_as_eager_ones_do(tmp_path):
    """With R1 too, whose second derivative goes through the network as it was before."""
    eager, _ = losses(Machine(Runtime("cpu", "fp32")), R1(1.0), tmp_path, 3)
    compiled, _ = losses(Machine(Runtime("cpu", "fp32", compile=True)), R1(1.0), tmp_path, 3)
    assert_close(compiled, eager, rtol=1e-4, atol=1e-4)


# What is the ranks' own


def test_a_rank_s_part():
    parts = [Machine(Runtime("cpu"), World(rank, 4)).part(12) for rank in range(4)]
    assert parts == [slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12)]
    assert Machine(Runtime("cpu")).part(12) == slice(0, 12)


def test_the_noise_of_a_penalty_is_cut_like_the_batch():
    whole = Machine(Runtime("cpu")).noise(stream(0, "penalty"))([8, 3])
    parts = [Machine(Runtime("cpu"), World(rank, 4)).noise(stream(0, "penalty"))([2, 3]) for rank in range(4)]
    assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(whole, torch.rand(8, 3, generator=stream(0, "penalty")))


# A forward pass


def test_batches_of_one_network_share_its_weights_in_low_precision():
    """So their gradients are added up in bf16, as when one context holds both: in two they would be cast one by one."""
    torch.manual_seed(0)
    network, batches = nn.Linear(8, 1), [torch.randn(4, 8), torch.randn(4, 8)]
    Machine(Runtime("cpu", "bf16")).backward(
        network, sum(out.sum() for out in Machine(Runtime("cpu", "bf16")).forwards(network, *((b,) for b in batches)))
    )
    found, network.weight.grad = network.weight.grad, None
    with torch.autocast("cpu", torch.bfloat16):
        outputs = [network(batch) for batch in batches]
    sum(out.float().sum() for out in outputs).backward()
    assert torch.equal(found, network.weight.grad)
    assert Machine(Runtime("cpu", "bf16")).forward(network, batches[0]).dtype == torch.float32
