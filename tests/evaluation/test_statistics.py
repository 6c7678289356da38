import itertools

import numpy as np
import pytest
from scipy import stats

from d3gzsl_jax.evaluation.statistics import holm, interval, paired


def test_an_interval_in_closed_form():
    # 1, 2, 3: std 1; t(0.975, 2) = 4.302652729911275
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 1.0, 4.302652729911275 / np.sqrt(3)))
    assert interval([0.3, 0.3, 0.3]) == pytest.approx((0.3, 0.0, 0.0))


def test_of_one_seed_the_spread_is_unknown():
    mean, std, half = interval([0.25])
    assert mean == 0.25 and np.isnan(std) and np.isnan(half)
    found = paired([0.5], [0.25])
    assert (found["n"], found["difference"], found["wins"]) == (1, 0.25, 1)
    assert np.isnan([found["std"], found["low"], found["high"]]).all() and (found["wilcoxon_p"], found["sign_p"]) == (1.0, 1.0)


def test_of_two_seeds_there_is_no_interval():
    """Two values have one degree of freedom: the half width would be 9 standard deviations."""
    mean, std, half = interval([0.5, 0.7])
    assert (mean, std) == pytest.approx((0.6, 0.2 / np.sqrt(2))) and np.isnan(half)
    found = paired([0.5, 0.7], [0.4, 0.4])
    assert found["difference"] == pytest.approx(0.2) and found["std"] == pytest.approx(0.2 / np.sqrt(2))
    assert np.isnan([found["low"], found["high"]]).all() and found["sign_p"] == 0.5


def test_holm_in_closed_form():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, and never below one before.
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.6]), [1.0, 1.0])
    np.testing.assert_allclose(holm([0.01, np.nan, 0.03]), [0.02, np.nan, 0.03])  # what is no comparison does not count
    assert holm([]).shape == (0,) and holm([0.2]) == [0.2] and np.isnan(holm([np.nan])).all()


@pytest.mark.parametrize("seed", range(5))
def test_holm_against_its_closed_test(seed):
    """A hypothesis is rejected where every set that holds it is rejected by Bonferroni: Holm's procedure by its definition."""
    values = np.random.default_rng(seed).random(6) ** 3
    values[3] = values[1]
    sets = [of for count in range(1, 7) for of in itertools.combinations(range(6), count)]
    expected = [max(min(len(of) * values[list(of)].min(), 1.0) for of in sets if i in of) for i in range(6)]
    np.testing.assert_allclose(holm(values), expected)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    samples = np.random.default_rng(0).normal(3.0, 2.0, (4000, 4))
    covered = [abs(mean - 3.0) <= half for mean, _, half in map(interval, samples)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.011)


def test_all_seeds_better():
    found = paired([0.50, 0.52, 0.54, 0.60, 0.61], [0.49, 0.50, 0.51, 0.56, 0.56])  # by 1 to 5 points
    assert found["n"] == found["wins"] == 5
    assert found["difference"] == pytest.approx(0.03) and found["std"] == pytest.approx(np.sqrt(2.5) / 100)
    half = 2.7764451051977987 * np.sqrt(2.5 / 5) / 100  # t(0.975, 4)
    assert (found["low"], found["high"]) == pytest.approx((0.03 - half, 0.03 + half))
    assert found["wilcoxon_p"] == found["sign_p"] == pytest.approx(2 / 2**5)  # the smallest that five seeds can give
    turned = paired([0.0] * 5, [0.01, 0.02, 0.03, 0.04, 0.05])
    assert turned["wins"] == 0 and turned["difference"] == pytest.approx(-0.03) and turned["wilcoxon_p"] == found["wilcoxon_p"]


def test_no_seed_differs():
    found = paired([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    assert (found["difference"], found["std"], found["low"], found["high"], found["wins"]) == (0.0, 0.0, 0.0, 0.0, 0)
    assert (found["wilcoxon_p"], found["sign_p"]) == (1.0, 1.0)


def test_zero_differences_are_left_out_of_both_tests():
    more = paired([0.2, 0.3, 0.1, 0.4, 0.4], [0.1, 0.1, 0.4, 0.4, 0.0])
    less = paired([0.2, 0.3, 0.1, 0.4], [0.1, 0.1, 0.4, 0.0])
    assert more["n"] == 5 and more["difference"] == pytest.approx(0.08)
    assert (more["wilcoxon_p"], more["sign_p"]) == (less["wilcoxon_p"], less["sign_p"])


def signed_rank(differences):
    """The p-value by going through all signs."""
    ranks = stats.rankdata(np.abs(differences))
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(ranks))])
    seen, middle = ranks[differences > 0].sum(), ranks.sum() / 2
    return np.mean(np.abs(sums - middle) >= abs(seen - middle) - 1e-9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ties", [False, True])
def test_the_signed_rank_test_against_all_signs(seed, ties):
    rng = np.random.default_rng(seed)
    differences = rng.integers(1, 4, 7) * rng.choice([-1, 1], 7) if ties else rng.permutation(np.arange(1, 8)) * rng.choice([-1, 1], 7)
    # Fractions whose differences tie only up to rounding.
    base = rng.random(7)
    found = paired(base + differences / 100, base)
    assert found["wilcoxon_p"] == pytest.approx(signed_rank(differences.astype(float)))
    assert found["sign_p"] == pytest.approx(stats.binomtest(int(np.sum(differences > 0)), 7).pvalue)


def test_many_ties_still_have_a_p_value():
    assert 0.0 < paired(np.full(40, 0.6), np.full(40, 0.5))["wilcoxon_p"] < 1e-6


def test_what_is_unknown_stays_unknown():
    assert np.isnan(interval([0.1, np.nan])).all()
    found = paired([0.1, np.nan], [0.0, 0.0])
    assert (found["n"], found["wins"]) == (2, 1)
    assert np.isnan([found[key] for key in ("difference", "std", "low", "high", "wilcoxon_p", "sign_p")]).all()


def test_bad_shapes():
    with pytest.raises(ValueError, match="n >= 1"):
        interval([])
    with pytest.raises(ValueError, match="an entry for each seed"):
        paired([0.1, 0.2], [0.1])
