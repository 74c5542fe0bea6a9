import pytest
import torch
from torch.testing import assert_close

from lsgan.errors import LsganError, NonFiniteError


def test_it_becomes_what_another_was(make_state):
    state, other = make_state(), make_state(seed=1)
    state.generator(torch.randn(3, 4)).sum().backward()
    state.discriminator(torch.randn(3, 2)).sum().backward()
    state.generator_optimizer.step()
    state.discriminator_optimizer.step()
    state.generator_ema.update(state.generator, 8, 800)
    state.step = 3
    other.load_state_dict(state.state_dict())
    assert other.step == 3
    assert_close(other.state_dict(), state.state_dict(), atol=0, rtol=0)


def test_names_are_those_of_checkpoints(make_state):
    assert list(make_state().parts) == [
        "generator", "discriminator", "generator_ema", "generator_optimizer", "discriminator_optimizer",
    ]  # fmt: skip


def test_what_does_not_fit_is_told_with_the_part_s_name(make_state):
    with pytest.raises(LsganError, match=r"^generator: .*Missing key"):
        make_state().load_state_dict(make_state(batch_norm=False).state_dict())


def test_what_is_not_finite_is_told(make_state):
    state = make_state()
    state.check_finite()
    with torch.no_grad():
        state.discriminator[0].weight[0, 0] = float("nan")
    with pytest.raises(
        NonFiniteError, match=r"^step 0: the discriminator's weights or their optimizer's state are not"
    ):
        state.check_finite()
