import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from lsgan.losses import (
    Hinge,
    LeastSquares,
    Loss,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPaired,
    Wasserstein,
    describe,
    generator_loss,
    lacking,
    needs_whole_batch,
)
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


@pytest.mark.parametrize(
    "loss",
    [PEARSON, ZERO_ONE, LeastSquares(a=-0.5, b=2, c=0.25), LeastSquares(-1, 1, 0.5, k=3), LeastSquares(0, 1, 1, k=1)],
)
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
    assert ("and a constant" in loss.meaning) is not pearson


def test_scale_of_the_pearson_divergence():
    """Disjoint supports: 2C = (b-c)^2·2, so C = (b-c)^2·χ²/2 with χ² = 2."""
    assert "0.5·χ²" in PEARSON.meaning
    assert "0.125·χ²" in LeastSquares(0, 1, 0.5).meaning
    assert "G minimises 0.125·χ²(p_data + p_g ‖ 2 p_g) + 0.25 under an optimal D" in ZERO_ONE.meaning


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
    assert PEARSON.name == LeastSquares(a=-1, b=1, c=0, k=2.0).name == "lsgan_b1c0a-1"
    assert LeastSquares(a=-0.5, b=1, c=0).name == "lsgan_b1c0a-0.5"
    assert LeastSquares(a=-1, b=1, c=0, k=3).name == "lsgan_b1c0a-1k3"
    assert LeastSquares(a=-1, b=1, c=0, k=1.5).name == "lsgan_b1c0a-1k1.5"
    assert RelativisticPaired(a=-1, b=1, c=0).name == "lsgan_rp_b1c0a-1"
    assert RelativisticAverage(a=-1, b=1, c=0.5).name == "lsgan_ra_b1c0.5a-1"


@pytest.mark.parametrize("kind", [LeastSquares, RelativisticPaired, RelativisticAverage])
def test_bad_targets_are_refused(kind):
    with pytest.raises(ValueError, match=r"^a=1 and b=1 must differ: D cannot tell fake from real with one target$"):
        kind(a=1, b=1, c=0)
    for bad in (math.nan, math.inf, "one", True):
        with pytest.raises(ValueError, match=r"^c=.* must be a finite number$"):
            kind(a=0, b=1, c=bad)


def test_an_exponent_below_one_is_refused():
    assert LeastSquares(a=0, b=1, c=1, k=1).k == 1
    for bad in (0.99, 0, -2, math.nan, math.inf, "two", True):
        with pytest.raises(
            ValueError, match=r"^k=.* must be a finite number of at least 1: below 1, .* is not convex$"
        ):
            LeastSquares(a=0, b=1, c=1, k=bad)


# G's exponent


def test_an_exponent_by_hand():
    fake = torch.tensor([[-1.0], [3.0]])
    for k, expected in ((1, 1.0), (2, 2.5), (3, 7.0)):  # (1^k + 3^k) / 2, halved
        assert_close(LeastSquares(a=-1, b=1, c=0, k=k).generator(fake), torch.tensor(expected))
    assert_close(LeastSquares(a=0, b=1, c=1, k=1.5).generator(fake), torch.tensor((2**1.5 + 2**1.5) / 4))


def test_the_exponent_two_is_least_squares_bit_for_bit_and_d_knows_no_other():
    generator = torch.Generator().manual_seed(3)
    real, fake = torch.randn(2, 64, 1, generator=generator)
    assert torch.equal(LeastSquares(-1, 1, 0.3, k=2).generator(fake), (fake - 0.3).square().mean() / 2)
    assert torch.equal(LeastSquares(-1, 1, 0, k=3).discriminator(real, fake), PEARSON.discriminator(real, fake))


@pytest.mark.parametrize("k", [1, 1.5, 2, 3])
def test_gradients_of_an_exponent(k):
    """½·k·|D - c|^(k-1)·sign(D - c)/N, and 0 at the target itself, where |D - c| has a corner for k = 1."""
    fake = torch.tensor([[-1.0], [0.0], [2.0], [0.5]], dtype=torch.float64, requires_grad=True)
    LeastSquares(-1, 1, 0, k=k).generator(fake).backward()
    expected = [math.copysign(k * abs(d) ** (k - 1), d) / 8 if d else 0.0 for d in fake.detach().flatten().tolist()]
    assert fake.grad.flatten().tolist() == pytest.approx(expected)


def test_what_an_exponent_means():
    def meaning(c, k):
        return LeastSquares(0, 1, c, k=k).meaning

    assert meaning(0.5, 3).startswith("Pearson-Vajda |χ|^3 (G minimises 0.0625·|χ|^3(p_data + p_g ‖ 2 p_g) under")
    assert meaning(1, 3).startswith("no Pearson-Vajda divergence (that takes b - a = 2 (b - c)), but one that is least")
    assert "½∫ |0·p_data - 1·p_g|^3 / (p_data + p_g)^2" in meaning(1, 3)
    assert "½∫ |2·p_data + 1·p_g|^1.5 / (p_data + p_g)^0.5" in meaning(-1, 1.5)
    assert meaning(0.5, 1).startswith("Pearson-Vajda |χ|^1 (G minimises 0.25·|χ|^1(")
    assert meaning(1, 1).startswith("no divergence (under an optimal D all p_g near p_data are alike to G;")
    assert not LeastSquares(0, 1, 0.5, k=3).is_pearson


# Real and fake in pairs

TRIPLES = [(-1, 1, 0), (-1, 1, 1), (0, 1, 1), (-0.5, 2, 0.25)]


def test_pairings_by_hand():
    real, fake = torch.tensor([[0.5], [2.0]]), torch.tensor([[-1.0], [1.0]])
    # real - fake is 1.5 and 1: ((1.5-1)² + (1-1)²)/2 is .125, and so is that of fake - real to -1
    rp, ra = RelativisticPaired(a=-1, b=1, c=0.5), RelativisticAverage(a=-1, b=1, c=0.5)
    assert_close(rp.discriminator(real, fake), torch.tensor(0.125))
    assert_close(rp.generator(fake, real), torch.tensor((2.0**2 + 1.5**2) / 2))
    # the means are 1.25 and 0: real - 0 is .5, 2, so (.25 + 1)/2; fake - 1.25 is -2.25, -.25, so (1.5625 + .5625)/2
    assert_close(ra.discriminator(real, fake), torch.tensor((0.625 + 1.0625) / 2))
    # fakes to c: -2.75, -.75; real ones to -c: 1, 2.5
    assert_close(ra.generator(fake, real), torch.tensor((8.125 + 7.25) / 4))


@pytest.mark.parametrize("triple", TRIPLES)
@pytest.mark.parametrize("kind", [RelativisticPaired, RelativisticAverage])
def test_pairings_are_the_sum_of_both_sides_and_know_differences_only(kind, triple):
    a, b, c = triple
    loss, generator = kind(a, b, c), torch.Generator().manual_seed(4)
    real, fake = torch.randn(2, 64, 1, generator=generator, dtype=torch.float64)
    others = (fake, real) if kind is RelativisticPaired else (fake.mean(), real.mean())
    up, down = real - others[0], fake - others[1]
    assert_close(loss.discriminator(real, fake), ((up - b) ** 2).mean() / 2 + ((down - a) ** 2).mean() / 2)
    assert_close(loss.generator(fake, real), ((down - c) ** 2).mean() / 2 + ((up + c) ** 2).mean() / 2)
    assert_close(loss.discriminator(real + 7, fake + 7), loss.discriminator(real, fake))
    assert_close(loss.generator(fake + 7, real + 7), loss.generator(fake, real))


@pytest.mark.parametrize("triple", TRIPLES)
@pytest.mark.parametrize("kind", [RelativisticPaired, RelativisticAverage])
def test_references_of_pairings_are_their_own_values(kind, triple):
    a, b, c = triple
    loss, anything = kind(a, b, c), torch.full((4, 1), 3.0)
    reference = loss.reference
    assert_close(loss.discriminator(anything, anything).item(), reference.discriminator_at_equilibrium)
    assert_close(loss.generator(anything, anything).item(), reference.generator_at_equilibrium)
    apart = anything + (b - a) / 2  # the best gap of samples that are told for certain
    assert_close(loss.discriminator(apart, anything).item(), reference.discriminator_if_it_wins)
    assert_close(loss.generator(anything, apart).item(), reference.generator_if_discriminator_wins)
    assert reference.discriminator_output_at_equilibrium is None
    gaps = torch.linspace(-4, 4, 801, dtype=torch.float64)
    values = [loss.discriminator(torch.full((2, 1), gap), torch.zeros(2, 1)).item() for gap in gaps.tolist()]
    assert min(values) == pytest.approx(reference.discriminator_if_it_wins, abs=1e-4)


def test_what_pairings_mean():
    paired, average = RelativisticPaired(-1, 1, 1), RelativisticAverage(0, 1, 1)
    assert paired.meaning == (
        "relativistic, in pairs (under an optimal D G's loss is 1 + 3·2Δ/(2 + Δ), Δ = χ²(p_data + p_g ‖ 2 p_g))"
    )
    assert "G's loss is 1 + 1.25·4Δ/(2 + 3Δ), Δ =" in average.meaning
    assert "G's loss is 1 - 1·2Δ/(2 + Δ), Δ =" in RelativisticPaired(-1, 1, -1).meaning
    for c in (-0.5, -1):  # s (s + 2c) = 1 + 2c is not above 0
        assert (
            "; G gains nothing by coming nearer: that takes (b - a)(b - a + 4c) > 0)"
            in RelativisticPaired(-1, 1, c).meaning
        )
    assert "gains nothing" not in RelativisticPaired(-1, 1, -0.49).meaning


def test_gs_loss_is_asked_for_in_one_place():
    real, fake = torch.tensor([[0.5], [2.0]]), torch.tensor([[-1.0], [1.0]])

    def nobody_asks():
        raise AssertionError

    plain: list[Loss] = [PEARSON, LeastSquares(-1, 1, 0, k=3), Minimax(), NonSaturating(), Hinge(), Wasserstein()]
    for loss in plain:
        assert_close(generator_loss(loss, fake, nobody_asks), loss.generator(fake))
        assert not needs_whole_batch(loss)
    pairing: list[Loss] = [RelativisticPaired(-1, 1, 0), RelativisticAverage(-1, 1, 0)]
    for loss in pairing:
        assert_close(generator_loss(loss, fake, lambda: real), loss.generator(fake, real))
        assert needs_whole_batch(loss) is isinstance(loss, RelativisticAverage)


def test_what_needs_the_whole_batch_is_no_mean_of_its_parts():
    generator = torch.Generator().manual_seed(5)
    real, fake = torch.randn(2, 64, 1, generator=generator, dtype=torch.float64)
    fake[32:] += 1
    for loss in (PEARSON, NonSaturating(), Hinge(), RelativisticPaired(-1, 1, 0), RelativisticAverage(-1, 1, 0)):
        parts = [loss.discriminator(real[part], fake[part]) for part in (slice(32), slice(32, 64))]
        gap = abs(loss.discriminator(real, fake) - sum(parts) / 2).item()
        assert (gap > 0.01) is needs_whole_batch(loss)


def test_ds_output_at_equilibrium():
    assert PEARSON.reference.discriminator_output_at_equilibrium == 0
    assert ZERO_ONE.reference.discriminator_output_at_equilibrium == 0.5
    for loss, expected in ((NonSaturating(), 0.0), (Minimax(), 0.0), (Hinge(), None), (Wasserstein(), None)):
        assert loss.reference.discriminator_output_at_equilibrium == expected
