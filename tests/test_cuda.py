"""What only a GPU can show. Most tests run on the CPU too, which shows at least that they are sound themselves.

`python benchmarks/on_gpu.py` runs those of the mark `cuda`.
"""

import copy
import socket

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lsgan import config
from lsgan.errors import LsganError
from lsgan.observe.observer import Observers
from lsgan.tracking.tracker import Trackers
from lsgan.training.checkpoints import Checkpoints
from lsgan.training.distributed import joined
from lsgan.training.gan import Data, Gan
from lsgan.training.loop import train
from lsgan.training.prefetch import prefetched
from lsgan.world import World

NEEDS_CUDA = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")]
SMALL = ("architecture.width=8", "batch_size=16", "tracker=none", "steps=6", "log_every=2", "sample_every=3")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NEEDS_CUDA)])
def device(request):
    return request.param


@pytest.fixture(autouse=True)
def process_settings(monkeypatch):
    """Puts back what `Machine.apply` changes."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32


@pytest.fixture
def make_gan(composed):
    """`make_gan("cuda", "penalty=r1")`: a small GAN on digits as train.py builds it, deterministic, in fp32."""

    def make(device, *overrides):
        fixed = (f"runtime.device={device}", "runtime.deterministic=true", "runtime.precision=fp32")
        experiment = config.assemble(composed(*SMALL, *fixed, *overrides))
        experiment.machine.apply()
        told = experiment.settings
        batches = experiment.dataset.open(told.data_dir, told.batch_size, told.seed, told.device_cache_gb)
        data = Data(experiment.dataset, batches, experiment.conditional)
        return Gan(experiment.state, experiment.recipe, data, experiment.machine), experiment.observers

    return make


@pytest.fixture
def trained(make_gan, tmp_path):
    """The state after `steps` in a folder of checkpoints, from the last one that is there."""

    def train_until(steps, folder, device, *overrides):
        gan, observers = make_gan(device, *overrides)
        checkpoints = Checkpoints(tmp_path / folder, every=100, keep=3)
        checkpoints.load_latest(gan.state)
        train(gan, observers, Trackers(), checkpoints, steps)
        return gan.state

    return train_until


def tensors(value):
    """All in a state, on the CPU."""
    if isinstance(value, torch.Tensor):
        return [value.detach().cpu()]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for part in parts for tensor in tensors(part)]


KINDS = {
    "adam": (),
    "adam, not fused": ("optimizer.fused=false",),
    "rmsprop": ("optimizer=rmsprop",),
    "labels": ("architecture=dcgan_small_conditional", "dataset.flip=true"),
    "wgan_gp": ("loss=wgan", "penalty=wgan_gp", "discriminator_steps=2"),
    "read from the disk": ("device_cache_gb=0",),
    "bf16": ("runtime.precision=bf16",),
    "points": ("dataset=gaussian_ring",),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_has_the_same_bits(trained, device, kind):
    whole = trained(4, "whole", device, *KINDS[kind])
    trained(2, "cut", device, *KINDS[kind])
    cut = trained(4, "cut", device, *KINDS[kind])
    found, expected = tensors(cut.state_dict()), tensors(whole.state_dict())
    assert len(found) == len(expected) > 20
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


@pytest.mark.parametrize("fused", ["true", "false"])
def test_a_run_of_the_cpu_goes_on_elsewhere(trained, device, fused):
    trained(2, "cut", "cpu", f"optimizer.fused={fused}")
    state = trained(4, "cut", device, f"optimizer.fused={fused}")
    for network in (state.generator, state.discriminator, state.generator_ema.module):
        assert {weight.device.type for weight in network.parameters()} == {device}
    remembered = list(state.generator_optimizer.state.values())
    assert {memory["exp_avg"].device.type for memory in remembered} == {device}
    assert {memory["step"].device.type for memory in remembered} == {device if fused == "true" else "cpu"}
    assert {(memory["step"].item(), memory["step"].dtype) for memory in remembered} == {(4.0, torch.float32)}


def test_it_computes_what_the_cpu_does(make_gan, device):
    (gan, _), (reference, _) = make_gan(device, "penalty=r1"), make_gan("cpu", "penalty=r1")
    for _ in range(3):
        found, expected = gan.step(), reference.step()
    assert found.real.device.type == device
    for one, other in zip(found, expected, strict=True):
        assert_close(one.cpu(), other, rtol=1e-3, atol=1e-3)


def test_a_network_draws_by_seed_and_step(make_gan, device):
    gan, _ = make_gan(device)
    inputs, dropout = torch.ones(1000, device=gan.machine.device), nn.Dropout(0.5)
    gan.machine.seed_networks(0, "networks", 1)
    first, second = dropout(inputs), dropout(inputs)
    gan.machine.seed_networks(0, "networks", 1)
    assert torch.equal(dropout(inputs), first)
    gan.machine.seed_networks(0, "networks", 2)
    assert not torch.equal(dropout(inputs), first)
    assert not torch.equal(first, second)


def test_inputs_prepared_ahead_are_the_same(make_gan, device):
    gan, _ = make_gan(device, "architecture=dcgan_small_conditional", "dataset.flip=true")
    with prefetched(gan.inputs, gan.machine) as inputs:
        for index in range(5):
            found, expected = inputs(index), gan.inputs(index)
            for one, other in zip(tensors(list(found)), tensors(list(expected)), strict=True):
                assert torch.equal(one, other)
            assert found.z.device == found.real.device == found.condition[0].device == gan.machine.device


def test_compiled_networks_compute_the_same_and_keep_their_names(make_gan, device):
    if device == "cpu":
        pytest.skip("compiled by g++ for a minute")
    (gan, _), (eager, _) = make_gan(device, "runtime.compile=true"), make_gan(device)
    for _ in range(2):
        found, expected = gan.step(), eager.step()
    assert_close(found.fake, expected.fake, rtol=1e-2, atol=1e-2)
    assert gan.state.state_dict()["parts"]["generator"].keys() == eager.state.state_dict()["parts"]["generator"].keys()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_batch_that_does_not_fit_is_told_one_that_does(make_gan):
    gan, _ = make_gan("cuda", "batch_size=65536", "architecture.width=64", "device_cache_gb=0")
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 2e9 / total))
    try:
        with pytest.raises(LsganError, match=r"65536 does not fit into the memory: set batch_size=\d+, which fits"):
            train(gan, Observers({}), Trackers(), None, 1)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def test_ranks_speak_through_nccl(make_gan, device, monkeypatch):
    """One rank, which is all that one GPU allows: the calls are made, and change nothing."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MASTER_PORT", str(free.getsockname()[1]))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    (gan, _), (alone, _) = make_gan(device), make_gan(device)
    before = copy.deepcopy(tensors(gan.state.state_dict()))
    with joined(World(0, 1, 0), gan.machine.device, timeout_seconds=30) as gan.machine._together:
        gan.machine.share(gan.state)
        assert all(map(torch.equal, tensors(gan.state.state_dict()), before))
        found, expected = gan.step(), alone.step()
        assert_close(found.fake, expected.fake)
        values = torch.arange(6.0, device=gan.machine.device).view(3, 2)
        assert torch.equal(gan.machine.gather(values), values)
        gan.machine.wait_for_main()
