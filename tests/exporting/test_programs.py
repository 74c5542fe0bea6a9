"""Generators in the formats that others load, without a training."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from lsgan import config
from lsgan.errors import LsganError
from lsgan.exporting import programs
from lsgan.exporting.programs import FORMATS, inputs, written
from lsgan.trained import TrainedRun

onnx = pytest.importorskip("onnx", reason="the extra export is not installed")


@pytest.fixture
def untrained(composed):
    """A run as `load` would give it, whose generator has weights that make different samples of different z."""

    def make(*overrides):
        settings = config.check(composed(*overrides))
        dataset, latent = config.build(settings, "dataset"), config.build(settings, "latent")
        generator = config.build_networks(settings, dataset, latent).generator
        num_classes = dataset.num_classes if config.is_conditional(settings.architecture) else None
        _make_lively(generator, latent, num_classes)
        return TrainedRun(
            folder=Path("r"),
            checkpoint=Path("r"),
            step=7,
            ema=True,
            settings=settings,
            generator=generator.to(memory_format=torch.channels_last),  # as `Machine.place` has it
            device=torch.device("cpu"),
            dataset=dataset,
            latent=latent,
            num_classes=num_classes,
        )

    return make


@torch.no_grad()
def _make_lively(generator, latent, num_classes):
    """Weights of some size, and the statistics that batch norm would have learnt with them."""
    torch.manual_seed(0)
    for name, tensor in generator.named_parameters():
        if tensor.dim() >= 2 and "rows" not in name:
            # a deconvolution's weights are [in, out, k, k], and of stride 2 each output meets a quarter of them
            fan_in = tensor[:, 0].numel() / 4 if tensor.dim() == 4 else tensor.shape[1]
            tensor.normal_(std=1.5 / fan_in**0.5)
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    z = latent.sample(16, torch.Generator().manual_seed(1))
    generator.train()(*((z,) if num_classes is None else (z, torch.arange(16) % num_classes)))
    generator.eval()


def check_all(run, tmp_path):
    with torch.no_grad():
        samples = run.generator(*inputs(run, 5))
    assert samples.std(0).mean() > 0.05, samples.std(0).mean()  # else nothing could differ
    differences = written(run, list(FORMATS.values()), {"step": "7"}, tmp_path)
    assert differences.keys() == {"safetensors", "pt2", "onnx"}
    assert differences["safetensors"] == 0
    assert all(difference < 1e-4 for difference in differences.values())  # an eightieth of a grey level of 256
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "generator.onnx", "generator.pt2", "model.safetensors",
    ]  # fmt: skip
    return differences


@pytest.mark.parametrize("conditioning", ["none", "concatenated"])
def test_each_format_comes_back_as_it_was(untrained, tmp_path, conditioning):
    check_all(untrained("architecture.width=4", f"architecture.conditioning={conditioning}"), tmp_path)


@pytest.mark.slow  # twenty seconds on a core
@pytest.mark.parametrize(
    "overrides",
    [
        ("architecture=dcgan", "dataset=cifar10"),
        ("architecture=dcgan", "architecture.conditioning=projection"),
        ("architecture=dcgan_no_bn",),
        ("architecture=dcgan_no_bn_g",),
        ("architecture=dcgan_small",),
        ("architecture=dcgan_conditional",),
        ("architecture=dcgan_small_conditional",),
        ("architecture=lsgan_cats", "dataset.resolution=128"),
        ("architecture=lsgan_hwdb", "dataset=hwdb", "dataset.classes=300"),
        ("dataset=lsun_church", "architecture=lsgan_lsun"),
        ("dataset=synthetic_digits", "architecture=lsgan_synthetic_digits"),
        ("dataset=gaussian_ring", "architecture=mlp"),
    ],
    ids="-".join,
)
def test_every_architecture_can_be_exported(untrained, tmp_path, overrides):
    print(overrides, check_all(untrained(*overrides), tmp_path))


def test_every_choice_of_an_architecture_is_among_those():
    marks = test_every_architecture_can_be_exported.pytestmark
    tried = {word for mark in marks if mark.name == "parametrize" for case in mark.args[1] for word in case}
    choices = {f"architecture={path.stem}" for path in (config.CONF_DIR / "architecture").glob("*.yaml")}
    assert choices <= tried


def test_what_is_written_says_what_it_is(untrained, tmp_path):
    from safetensors import safe_open

    run = untrained("dataset=gaussian_ring", "architecture.width=4")
    written(run, list(FORMATS.values()), {"step": "7", "weights": "raw"}, tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "step": "7", "weights": "raw"}
    model = onnx.load(tmp_path / "generator.onnx")
    assert {prop.key: prop.value for prop in model.metadata_props} == {"step": "7", "weights": "raw"}
    assert [given.name for given in model.graph.input] == ["z"]
    assert [given.name for given in model.graph.output] == ["samples"]
    extra = {"about.txt": ""}
    torch.export.load(tmp_path / "generator.pt2", extra_files=extra)
    assert extra["about.txt"] == "step: 7\nweights: raw\n"


def test_the_library_of_the_hub_loads_the_weights(untrained, tmp_path):
    from huggingface_hub import load_torch_model

    run = untrained("architecture.width=4")
    written(run, [FORMATS["safetensors"]], {}, tmp_path)
    other = untrained("architecture.width=4", "seed=1").generator
    with torch.no_grad():
        for tensor in other.parameters():
            tensor.zero_()
    load_torch_model(other, tmp_path, strict=True)
    for name, tensor in run.generator.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)


def test_a_difference_is_seen(untrained, tmp_path, monkeypatch):
    run = untrained("dataset=gaussian_ring", "architecture.width=4")

    def write_another(run, told, path):
        other = untrained("dataset=gaussian_ring", "architecture.width=4").generator
        with torch.no_grad():
            other[-1].bias += 0.25
        run = TrainedRun(**{**vars(run), "generator": other})
        programs._write_safetensors(run, told, path)

    wrong = programs.Format("wrong", "wrong", (), write_another, programs._load_safetensors)
    assert written(run, [wrong], {}, tmp_path)["wrong"] == pytest.approx(0.25, abs=1e-6)


class Undecided(nn.Module):
    """Looks at values before it decides: no program."""

    def forward(self, z):
        return z[:, :2] if z.sum().item() > 0 else -z[:, :2]


@pytest.mark.parametrize("kind", ["pt2", "onnx"])
def test_a_generator_that_is_no_program_is_a_sentence(untrained, tmp_path, kind):
    run = TrainedRun(**{**vars(untrained("dataset=gaussian_ring", "architecture.width=4")), "generator": Undecided()})
    with pytest.raises(
        LsganError, match=rf"^formats={kind}: this generator is no program that PyTorch can export \(.*\): "
    ):
        written(run, [FORMATS[kind]], {}, tmp_path)


def test_without_onnxruntime_nothing_is_compared(untrained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    run = untrained("dataset=gaussian_ring", "architecture.width=4")
    assert written(run, [FORMATS["onnx"]], {}, tmp_path) == {"onnx": None}


def test_a_missing_package_is_a_sentence(monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(LsganError, match=r'^formats=onnx takes onnxscript: python -m pip install "lsgan\[export\]"$'):
        FORMATS["onnx"].check()
    FORMATS["pt2"].check()
