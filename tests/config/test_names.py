import re

import pytest

from lsgan.config.names import last_begun, mark, run_name, typed


def named(composed, *overrides):
    found = typed(composed(*overrides), overrides)
    return run_name("nsgan", 3, found)


def test_loss_seed_what_was_typed_and_a_digest(composed):
    name = named(composed, "loss=nsgan", "seed=3", "optimizer.lr=1e-2", "penalty=r1", "architecture.width=32")
    assert re.fullmatch(r"nsgan-s3-width32-lr0.01-r1-[0-9a-f]{6}", name)
    assert re.fullmatch(r"nsgan-s3-[0-9a-f]{6}", named(composed))


def test_the_same_command_has_the_same_name_in_any_order_and_spelling(composed):
    assert named(composed, "optimizer.lr=1e-2", "seed=3") == named(composed, "seed=3", "optimizer.lr=0.01")


@pytest.mark.parametrize(
    "override",
    ["loss=hinge", "seed=4", "optimizer.lr=1", "dataset.flip=true", "steps=9", "runtime.precision=fp32",
     "+optimizer.generator.amsgrad=true", "optimizer.betas=[0.1,0.2]", "experiment=paper_gaussian_mixture",
     "~observe.samples"],
)  # fmt: skip
def test_what_is_typed_counts(composed, override):
    """Also what may differ when a run goes on: two jobs of a sweep must not fall into one folder."""
    assert named(composed, override) != named(composed)


@pytest.mark.parametrize("override", ["tracker=none", "tracker.mode=offline", "data_dir=/x", "study=s", "runs_dir=r"])
def test_where_things_lie_does_not(composed, override):
    assert named(composed, override) == named(composed)


def test_two_places_of_images_are_two_runs(composed):
    names = {named(composed, "dataset=image_folder", f"dataset.root={root}") for root in ("a", "b")}
    assert len(names) == 2


def test_a_long_command_is_shortened_and_safe(composed):
    overrides = [f"optimizer.{side}.lr=1.23456e-5" for side in ("generator", "discriminator")]
    name = named(composed, *overrides, "dataset=image_folder", "dataset.root='/a b/$(x)/ü'", "latent.dim=17")
    assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
    assert len(name) <= 67


def test_of_several_the_last_begun_is_meant(tmp_path):
    code = mark({"seed": 3})
    assert last_begun(tmp_path, 3, {"seed": 3}) is None
    for suffix in ("", "-2", "-10"):
        folder = tmp_path / f"nsgan-s3-{code}{suffix}"
        folder.mkdir()
        (folder / "config.yaml").touch()
    (tmp_path / f"nsgan-s3-{code}-11").mkdir()  # never begun
    assert last_begun(tmp_path, 3, {"seed": 3}).name == f"nsgan-s3-{code}-10"
    assert last_begun(tmp_path, 4, {"seed": 3}) is None
    assert last_begun(tmp_path, 3, {"seed": 4}) is None
