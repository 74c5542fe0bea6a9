import pytest

from lsgan import config
from lsgan.config.identity import Identity, complete, differences, digest, identity, said

DATA = {"images": 3, "sha256": "a" * 64}


def of(composed, *overrides):
    return config.check(composed(*overrides))


def test_defaults_of_constructors_are_part_of_it(composed):
    """An argument that the YAML does not list is the same whether it is typed or not; another value is another run."""
    plain = identity(of(composed))
    assert plain.config["optimizer.generator.weight_decay"] == 0
    typed = identity(of(composed, "+optimizer.generator.weight_decay=0"))
    assert typed == plain
    other = identity(of(composed, "+optimizer.generator.weight_decay=0.5"))
    assert other.differences(plain) == ["optimizer.generator.weight_decay=0.5, not 0"]
    assert plain.differences(other) == ["optimizer.generator.weight_decay=0, not 0.5"]


def test_values_are_compared_not_texts(composed):
    assert identity(of(composed, "loss.a=-1.0")) == identity(of(composed, "loss.a=-1"))
    assert identity(of(composed, "optimizer.lr=2e-4")) == identity(of(composed, "optimizer.lr=0.0002"))
    assert identity(of(composed, "loss.a=-1.5")).differences(identity(of(composed))) == ["loss.a=-1.5, not -1.0"]


@pytest.mark.parametrize(
    "free",
    ["steps=7", "log_every=3", "tracker=none", "runtime=reference", "data_dir=/x", "on_collapse=stop", "study=s"],
)
def test_what_may_differ_is_no_part_of_it(composed, free):
    assert identity(of(composed, free)) == identity(of(composed))


@pytest.mark.parametrize(
    "override",
    ["seed=1", "loss=nsgan", "batch_size=16", "dataset.flip=true", "optimizer.betas=[0.9,0.999]", "latent.dim=7",
     "ema_halflife_images=0", "discriminator_steps=2", "updates=simultaneous", "penalty=r1", "architecture.width=8"],
)  # fmt: skip
def test_what_makes_another_run(composed, override):
    one, other = identity(of(composed, override)), identity(of(composed))
    assert one != other
    assert one.digest != other.digest
    assert one.differences(other)


def test_points_are_what_they_are_drawn_from(composed):
    plain = of(composed, "dataset=gaussian_ring")
    doubled = of(composed, "dataset=gaussian_ring", "dataset.weights=[1,1,2,1,1,1,1,1]")
    assert identity(doubled).differences(identity(plain)) == ["dataset.weights=[1, 1, 2, 1, 1, 1, 1, 1], not None"]
    before = dict(plain.dataset)
    del before["weights"]  # a run of a version that knew none
    plain.dataset = before
    assert identity(doubled).differences(identity(plain)) == ["dataset.weights=[1, 1, 2, 1, 1, 1, 1, 1], not None"]


def test_what_is_held_out_makes_another_run(composed):
    plain, some = of(composed), of(composed, "dataset.held_out=0.1")
    assert identity(some).differences(identity(plain)) == ["dataset.held_out=0.1, not 0.0"]
    for same in ("dataset.held_out=0", "dataset.held_out=0.0"):
        assert identity(of(composed, same)).digest == identity(plain).digest
    assert identity(of(composed, "dataset.held_out=200")).config["dataset.held_out"] == 200


def test_a_run_of_a_version_that_knew_no_held_out_images_held_out_none(composed):
    before = of(composed)
    del before.dataset["held_out"]
    assert identity(before) == identity(of(composed))
    assert identity(before).digest == identity(of(composed)).digest
    assert differences(said(of(composed)), said(before)) == []
    some = of(composed, "dataset.held_out=0.1")
    assert identity(some).differences(identity(before)) == ["dataset.held_out=0.1, not 0.0"]


def test_a_run_of_a_version_that_knew_no_exponent_had_two_and_keeps_its_digest(composed):
    now, before = of(composed), of(composed)
    del before.loss["k"]
    assert identity(before) == identity(now)
    known = {key: value for key, value in identity(now).config.items() if key != "loss.k"}
    assert len(known) == len(identity(now).config) - 1
    assert identity(now).digest == Identity(known, {}).digest == digest([sorted(known.items()), []])[:12]
    assert differences(said(now), said(before)) == []
    cubic = of(composed, "loss.k=3")
    for told in (identity(before), Identity.from_content({"config": known})):  # a checkpoint of then lacks it
        assert identity(cubic).digest != told.digest
        assert identity(cubic).differences(told) == [f"loss.k=3.0, not {told.config['loss.k']}"]
        assert identity(now).differences(told) == []
    assert differences(said(cubic), said(before)) == ["loss.k=3, not 2"]


def test_only_the_component_that_got_an_argument_has_it(composed):
    assert "loss.k" not in identity(of(composed, "loss=nsgan")).config
    assert "loss.k" not in identity(of(composed, "loss=lsgan_rp")).config
    assert Identity.from_content({"config": {"loss._target_": "lsgan.losses.Hinge"}}).config.keys() == {"loss._target_"}
    assert identity(of(composed, "loss=lsgan_rp")).digest != identity(of(composed, "loss=lsgan_ra")).digest


def test_the_place_of_the_images_is_no_part_of_it(composed):
    folders = [of(composed, "dataset=image_folder", f"dataset.root={name}") for name in ("a", "b")]
    assert identity(folders[0]) == identity(folders[1])


def test_data_are_told_apart_by_number_and_hash():
    now = Identity({}, {**DATA, "images": 4, "sha256": "b" * 64})
    assert now.differences(Identity({}, DATA)) == [
        "data: images=4, not 3",
        f"data: sha256={'b' * 64}, not {'a' * 64}",
    ]
    assert now.differences(Identity({}, {})) == []  # nobody wrote it down
    assert Identity({}, {}).differences(now) == []


def test_it_survives_a_checkpoint():
    one = Identity({"loss.a": -1.0, "optimizer.generator.betas": [0.5, 0.999]}, DATA)
    assert Identity.from_content(one.content()) == one


def test_before_torch_the_keys_that_both_have_are_compared(composed):
    now, before = said(of(composed, "seed=1")), said(of(composed, "+optimizer.generator.weight_decay=0.5"))
    assert differences(now, before) == ["seed=1, not 0"]
    assert differences(now, now) == []


def test_a_completed_node_says_everything(composed):
    node = complete("optimizer.generator", of(composed).optimizer["generator"])
    assert {"_target_": "torch.optim.Adam", "lr": 2e-4, "betas": [0.5, 0.999], "amsgrad": False}.items() <= node.items()
    assert "params" not in node
    assert "shape" not in complete("architecture", of(composed).architecture)


def test_an_observer_that_can_no_longer_be_imported_changes_nothing(composed):
    gone = of(composed, "+observe.mine._target_=no_such_module.Mine")
    assert identity(gone) == identity(of(composed))
