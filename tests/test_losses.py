import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from lsgan.losses import Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein, describe, lacking
from lsgan.penalties import R1, LsganGP, NoPenalty, WganGP

PEARSON = LeastSquares(a=-1, b=1, c=0)
ZERO_ONE = LeastSquares(a=0, b=1, c=1)


def test_least_squares_values_by_hand():
    real, fake = torch.tensor([[0.5], [2.0]]), torch.tensor([[-1.0], [1.0]])
    # ((0.5-1)^2 + (2-1)^2)/2 = 0.625 and ((-1+1)^2 + (1+1)^2)/2 = 2; with the 1/2: 0.3125 + 1
    assert_close(PEARSON.discriminator(real, fake), torch.tensor(1.3125))
    assert_close(PEARSON.generator(fake), torch.tensor(0.5))
    assert_close(ZERO_ONE.discriminator(real, fake), torch.tensor(0.3125 + 0.5))
    assert_close(ZERO_ONE.generator(fake), torch.tensor(1.0))


@pytest.mark.parametrize("loss", [PEARSON, ZERO_ONE, LeastSquares(a=-0.5, b=2, c=0.25)])
def test_least_squares_is_half_the_mean_squared_error(loss):
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 64, 1, generator=generator, dtype=torch.float64)
    half_mse = F.mse_loss(real, torch.full_like(real, loss.b)) / 2 + F.mse_loss(fake, torch.full_like(fake, loss.a)) / 2
    assert_close(loss.discriminator(real, fake), half_mse)
    assert_close(loss.generator(fake), F.mse_loss(fake, torch.full_like(fake, loss.c)) / 2)


def test_least_squares_gradients_by_hand():
    real = torch.tensor([[0.5], [2.0]], requires_grad=True)
    fake = torch.tensor([[-1.0], [1.0]], requires_grad=True)
    PEARSON.discriminator(real, fake).backward()
    assert_close(real.grad, torch.tensor([[-0.25], [0.5]]))  # (D - b)/N
    assert_close(fake.grad, torch.tensor([[0.0], [1.0]]))  # (D - a)/N
    fake.grad = None
    ZERO_ONE.generator(fake).backward()
    assert_close(fake.grad, torch.tensor([[-1.0], [0.0]]))  # (D - c)/N


def test_cross_entropies_against_torch():
    generator = torch.Generator().manual_seed(1)
    real, fake = 3 * torch.randn(2, 64, 1, generator=generator, dtype=torch.float64)
    bce = F.binary_cross_entropy_with_logits
    expected = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    for loss in (NonSaturating(), Minimax()):
        assert_close(loss.discriminator(real, fake), expected)
    assert_close(NonSaturating().generator(fake), bce(fake, torch.ones_like(fake)))
    assert_close(Minimax().generator(fake), torch.log(1 - torch.sigmoid(fake)).mean())


def test_gradients_of_a_sample_far_on_the_real_side():
    """The reason for this project: cross-entropy is flat there, least squares is not."""

    def gradient(loss):
        logits = torch.tensor([[20.0]], dtype=torch.float64, requires_grad=True)
        loss.generator(logits).backward()
        return logits.grad.item()

    assert abs(gradient(NonSaturating())) < 1e-8
    assert gradient(ZERO_ONE) == pytest.approx(19)


def test_minimax_saturates_where_non_saturating_does_not():
    for loss, expected in ((Minimax(), 0.0), (NonSaturating(), -1.0)):
        logits = torch.tensor([[-20.0]], dtype=torch.float64, requires_grad=True)
        loss.generator(logits).backward()
        assert_close(logits.grad, torch.tensor([[expected]], dtype=torch.float64), atol=1e-8, rtol=0)


def test_hinge_and_wasserstein_by_hand():
    real, fake = torch.tensor([[0.5], [2.0]]), torch.tensor([[-3.0], [1.0]])
    assert_close(Hinge().discriminator(real, fake), torch.tensor(0.25 + 1.0))
    assert_close(Hinge().generator(fake), torch.tensor(1.0))
    assert_close(Wasserstein().discriminator(real, fake), torch.tensor(-1.0 - 1.25))
    assert_close(Wasserstein().generator(fake), torch.tensor(1.0))


@pytest.mark.parametrize("loss", [PEARSON, ZERO_ONE, LeastSquares(a=-0.5, b=2, c=0.25)])
def test_least_squares_references_are_its_own_values(loss):
    middle = torch.tensor([[(loss.a + loss.b) / 2]])
    fooled = torch.tensor([[float(loss.a)]])
    assert_close(loss.discriminator(middle, middle).item(), loss.reference.discriminator_at_equilibrium)
    assert_close(loss.generator(middle).item(), loss.reference.generator_at_equilibrium)
    assert_close(loss.generator(fooled).item(), loss.reference.generator_if_discriminator_wins)


@pytest.mark.parametrize("loss", [NonSaturating(), Minimax()])
def test_cross_entropy_references_are_their_own_values(loss):
    zero = torch.zeros(1, 1, dtype=torch.float64)
    assert_close(loss.discriminator(zero, zero).item(), loss.reference.discriminator_at_equilibrium)
    assert_close(loss.generator(zero).item(), loss.reference.generator_at_equilibrium)
    assert_close(loss.generator(zero - 800).item(), min(loss.reference.generator_if_discriminator_wins, 800.0))


def test_both_encodings_have_the_same_loss_when_d_wins():
    assert PEARSON.reference.generator_if_discriminator_wins == 0.5
    assert ZERO_ONE.reference.generator_if_discriminator_wins == 0.5


@pytest.mark.parametrize(
    ("a", "b", "c", "pearson"), [(-1, 1, 0, True), (0, 1, 0.5, True), (0, 1, 1, False), (-1, 1, 0.01, False)]
)
def test_pearson_takes_b_minus_a_equal_to_twice_b_minus_c(a, b, c, pearson):
    loss = LeastSquares(a, b, c)
    assert loss.is_pearson is pearson
    assert ("not a Pearson" in loss.meaning) is not pearson


def test_scale_of_the_pearson_divergence():
    """Disjoint supports: 2C = (b-c)^2·2, so C = (b-c)^2·χ²/2 with χ² = 2."""
    assert "0.5·χ²" in PEARSON.meaning
    assert "0.125·χ²" in LeastSquares(0, 1, 0.5).meaning


def test_description_says_what_to_read_the_numbers_against():
    assert describe(PEARSON).endswith("At equilibrium D's loss is 1 and G's 0; if D wins outright G's is 0.5.")
    assert describe(ZERO_ONE).endswith("At equilibrium D's loss is 0.25 and G's 0.125; if D wins outright G's is 0.5.")
    assert "G's not determined; if D wins outright G's is 1." in describe(Hinge())
    assert "if D wins outright G's is inf." in describe(NonSaturating())


def test_a_loss_that_needs_a_penalty_says_so_where_there_is_none():
    class Own(NonSaturating):
        name = "own"
        needs_penalty = "it runs away"

    for none in (NoPenalty(), R1(0.0), WganGP(0), LsganGP(0, noise_scale=30)):
        assert lacking(Wasserstein(), none).startswith("loss wgan without a penalty: nothing keeps D Lipschitz, so ")
        assert lacking(Own(), none) == "loss own without a penalty: it runs away"
        assert [lacking(loss, none) for loss in (PEARSON, NonSaturating(), Minimax(), Hinge())] == [None] * 4
    for some in (R1(0.1), WganGP(1), LsganGP(1, noise_scale=30), lambda *_: 0):
        assert lacking(Wasserstein(), some) is None


def test_name_tells_the_targets():
    assert PEARSON.name == "lsgan_b1c0a-1"
    assert LeastSquares(a=-0.5, b=1, c=0).name == "lsgan_b1c0a-0.5"


def test_bad_targets_are_refused():
    with pytest.raises(ValueError, match=r"a=1 and b=1 must differ"):
        LeastSquares(a=1, b=1, c=0)
    for bad in (math.nan, math.inf, "one", True):
        with pytest.raises(ValueError, match=r"c=.* must be a finite number"):
            LeastSquares(a=0, b=1, c=bad)
