"""`lsgan.load`: a trained run from Python."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import lsgan
from lsgan import sample as sampling
from lsgan.errors import LsganError
from lsgan.streams import stream


@pytest.fixture
def sampled(monkeypatch, tmp_path):
    """What `python -m lsgan.sample …` writes: name -> pixels."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["sample", *words, f"out={tmp_path / 'out'}"])
        sampling.main()
        out = tmp_path / "out"
        return {str(path.relative_to(out)): np.asarray(Image.open(path)) for path in out.rglob("*.png")}

    return run


def as_uint8(sample):
    return ((sample + 1) * 127.5).round().byte().numpy()[0]


def test_samples_are_those_of_the_command(short_run, sampled):
    folder = short_run()
    run = lsgan.load(str(folder))
    images = run.sample(9, seed=3)
    assert (images.shape, images.dtype) == ((9, 1, 32, 32), torch.float32)
    assert -1 <= images.min() < images.max() <= 1
    written = sampled(f"run={folder}", "num_images=9", "seed=3")
    for i, image in enumerate(images):
        assert np.array_equal(as_uint8(image), written[f"{i:06d}.png"])
    assert np.array_equal(np.asarray(run.grid(9, seed=3)), written["grid.png"])
    assert np.array_equal(np.asarray(run.picture(images)), written["grid.png"])
    assert not torch.equal(images, run.sample(9))
    assert torch.equal(images, lsgan.load(folder).sample(9, seed=3))


def test_which_weights(short_run):
    folder = short_run()
    images = lsgan.load(folder).sample(4)
    assert lsgan.load(folder).checkpoint == folder / "checkpoints" / "step-000004.pt"
    assert torch.equal(lsgan.load(folder, 4).sample(4), images)
    assert not torch.equal(lsgan.load(folder, checkpoint=2).sample(4), images)
    assert not torch.equal(lsgan.load(folder, ema=False).sample(4), images)
    assert lsgan.load(folder, "best").checkpoint.name == "best.pt"


def test_classes_come_in_turn(short_run, sampled):
    folder = short_run("architecture=dcgan_small_conditional")
    run = lsgan.load(folder)
    assert run.num_classes == 10
    images = run.sample(12)
    written = sampled(f"run={folder}", "num_images=12")
    for i, image in enumerate(images):
        assert np.array_equal(as_uint8(image), written[f"{i % 10}/{i // 10:06d}.png"])
    assert np.array_equal(np.asarray(run.grid(12)), written["grid.png"])
    assert run.sample(3, label=7).shape == (3, 1, 32, 32)
    with pytest.raises(LsganError, match=r"^label=10 must be in \[0, 10\)$"):
        run.sample(3, label=10)


def test_mistakes_are_the_sentences_of_the_command(short_run, tmp_path):
    folder = short_run()
    run = lsgan.load(folder)
    for call, message in {
        (lambda: lsgan.load(tmp_path / "nowhere")): "nowhere is not a run folder: it has no config.yaml",
        (lambda: lsgan.load(folder, 3)): "checkpoint=3 is neither a file nor a checkpoint of",
        (lambda: lsgan.load(folder, device="tpu")): "device=tpu must be auto, cpu or cuda",
        (lambda: run.sample(0)): "num_images=0 must be at least 1",
        (lambda: run.sample(2.5)): "num_images=2.5 must be an integer",
        (lambda: run.sample(4, label=1)): "label=1 has no meaning: the run is not conditional",
        (lambda: run.sample(10**14)): "num_images=100000000000000: z alone would take",
        (lambda: run.grid(0)): "num_images=0 must be at least 1",
    }.items():
        with pytest.raises(LsganError, match=message):
            call()
    (folder / "checkpoints" / "step-000004.pt").write_bytes(b"")
    with pytest.raises(LsganError, match="is damaged"):
        lsgan.load(folder)


def test_the_random_numbers_of_others_stay_theirs(short_run):
    folder = short_run()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    lsgan.load(folder).sample(2)
    assert torch.equal(torch.rand(1), expected)


def test_importing_the_package_is_light():
    program = "import sys, lsgan; sys.exit(bool({'torch', 'hydra', 'numpy', 'PIL', 'wandb'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_run_knows_its_step_its_weights_and_its_settings(short_run):
    folder = short_run()
    run = lsgan.load(folder, ema=False)
    assert (run.step, run.ema, run.settings.batch_size) == (4, False, 8)
    assert lsgan.load(folder, 2).step == 2


def test_an_interpolation_is_of_samples_of_its_z(short_run):
    run = lsgan.load(short_run())
    way = run.interpolation(4, 3, seed=5)
    assert way.shape == (3, 4, 1, 32, 32)
    ends = run.sample(6, seed=5)
    torch.testing.assert_close(way[:, 0], ends[0::2])
    torch.testing.assert_close(way[:, -1], ends[1::2])
    z = run.latent.sample(6, stream(5, "sample"))
    third = math.cos(math.pi / 6) * z[0::2] + math.sin(math.pi / 6) * z[1::2]
    with torch.no_grad():
        torch.testing.assert_close(way[:, 1], run.generator(third))
    assert run.strip(way).size == (4 * 34 + 2, 3 * 34 + 2)
    narrow = run.interpolation(4, 3, seed=5, truncation=0.5)
    torch.testing.assert_close(narrow[:, 0], run.sample(6, seed=5, truncation=0.5)[0::2])


def test_truncation_is_that_of_the_latent(short_run):
    run = lsgan.load(short_run())
    z = run.latent.truncated(run.latent.sample(3, stream(0, "sample")), 0.3)
    with torch.no_grad():
        torch.testing.assert_close(run.sample(3, truncation=0.3), run.generator(z))
    assert np.array_equal(
        np.asarray(run.grid(3, truncation=0.3)), np.asarray(run.picture(run.sample(3, truncation=0.3)))
    )


class Plain:
    """A latent of somebody's own."""

    dim = 128

    def sample(self, num, generator):
        return torch.randn(num, 128, generator=generator)


def test_a_latent_that_cannot_be_explored_can_be_sampled(short_run):
    run = dataclasses.replace(lsgan.load(short_run()), latent=Plain())
    assert run.sample(2).shape == (2, 1, 32, 32)
    for call, setting in ((lambda: run.sample(2, truncation=1.0), "truncation"), (run.interpolation, "interpolate")):
        with pytest.raises(
            LsganError, match=rf"^{setting}: Plain does not say how, it has not the methods of lsgan.latents"
        ):
            call()


def test_a_huge_interpolation_is_refused(short_run):
    run = lsgan.load(short_run())
    with pytest.raises(LsganError, match=r"^interpolate=8, pairs=100000000000000: z alone would take"):
        run.interpolation(pairs=10**14)
