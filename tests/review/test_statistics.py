import math

import numpy as np
import pytest
from scipy import stats

from lsgan.review.statistics import holm, mean_interval, paired, share_interval, sign_flip_p


def test_a_paired_difference_by_hand():
    found = paired([3.0, 5.0, 7.0], [1.0, 2.0, 3.0])  # differences 2, 3, 4: mean 3, deviation 1
    assert found.num == 3
    assert found.mean == 3
    half = 4.302652729696142 / math.sqrt(3)  # t of 97.5% at 2 degrees of freedom
    assert found.interval == pytest.approx((3 - half, 3 + half), rel=1e-9)
    assert found.p == found.smallest_p == 0.25  # of 8 patterns of signs two are as extreme


def test_the_smallest_p_of_three_and_five_seeds():
    assert paired([1.0] * 3, [0.0] * 3).p == 0.25
    assert paired([1.0] * 5, [0.0] * 5).p == 0.0625
    assert paired([1.0] * 6, [0.0] * 6).p < 0.05


def test_signs_that_cancel_are_no_difference():
    assert sign_flip_p(np.array([1.0, -1.0])) == 1.0


def test_the_exact_test_agrees_with_scipys():
    differences = np.random.default_rng(3).normal(0.5, 1, 9)
    expected = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip_p(differences) == pytest.approx(expected.pvalue)


def test_beyond_sixteen_patterns_are_drawn_and_p_is_never_0():
    p = sign_flip_p(np.ones(30))
    assert 0 < p < 1e-4
    assert sign_flip_p(np.tile([1.0, -1.0], 20)) > 0.9


def test_an_interval_of_one_seed_is_not_known():
    assert all(map(math.isnan, mean_interval([1.0])))
    assert paired([1.0], [0.0]).p == 1.0


@pytest.mark.parametrize("pair", [([], []), ([1.0], [1.0, 2.0])])
def test_what_is_no_pairs_is_refused(pair):
    with pytest.raises(ValueError, match="are no pairs"):
        paired(*pair)


@pytest.mark.parametrize(
    ("count", "num", "low", "high"), [(0, 3, 0, 0.7075982), (3, 3, 0.2924018, 1), (1, 5, 0.00505076, 0.7164179)]
)
def test_the_exact_interval_of_a_share(count, num, low, high):
    assert share_interval(count, num) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(("count", "num"), [(0, 0), (4, 3), (-1, 3)])
def test_what_is_no_share_is_refused(count, num):
    with pytest.raises(ValueError, match="is no share"):
        share_interval(count, num)


def test_holms_correction_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_students_t_covers_as_it_says_with_three_seeds():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(2000):
        low, high = mean_interval(rng.normal(1, 1, 3))
        covered += low <= 1 <= high
    assert 0.935 < covered / 2000 < 0.965
