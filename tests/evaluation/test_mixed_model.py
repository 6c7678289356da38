"""The model over all comparisons against its closed forms, a likelihood of our own, and simulated differences."""

import math
import sys

import numpy as np
import pytest
from scipy import optimize, stats

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation import mixed_model

NEARLY_ALIKE = [
    [-3.99, -2.29, -2.24], [0.28, 0.03, 0.07], [0.1, 0.73, -0.05], [0.34, -1.05, -0.21, 0.8, -0.88],
    [-0.45, -0.93, 0.16, 0.42, -1.15], [0.17, -0.23, -1.5, -26.53, 0.86], [-0.3, 1.24, 3.12, 0.86, -0.05],
    [0.51, 0.88, -0.4, -1.42, 0.02], [0.05, -0.88, 0.84, 1.54, 1.66], [-0.43, 1.64, -4.02, -0.63, 2.48], [6.14, 1.02, 1.09],
    [1.67, -1.8, 1.04, 3.6, -1.01], [-0.56, 1.43, 0.7, 0.54, 0.03], [-4.39, -8.93, 0.63, 3.58, 3.03],
    [-1.48, 0.05, -0.52, 1.72, 0.45], [-1.07, -0.81, 1.29, -0.84, -0.72], [3.12, -1.27, 1.61, -0.19, -0.48],
    [3.37, -2.79, -1.14, -1.21, 1.17], [2.0, 1.15, 0.81],
]  # fmt: skip
"""Differences of AUSUC with D3 and without, by comparison."""


def balanced(rng, comparisons=6, seeds=4, between=1.5, within=0.7, mean=0.8):
    of = mean + between * rng.normal(size=(comparisons, 1)) + within * rng.normal(size=(comparisons, seeds))
    return {index: list(row) for index, row in enumerate(of)}


def test_of_equally_many_seeds_it_is_the_interval_of_the_comparisons_means(rng):
    differences = balanced(rng)
    found = mixed_model.fit(differences)
    means = np.array([np.mean(of) for of in differences.values()])
    half = stats.t.ppf(0.975, 5) * means.std(ddof=1) / math.sqrt(6)
    effect = found.effects["all"]
    assert effect.mean == pytest.approx(means.mean(), abs=1e-6)
    assert (effect.low, effect.high) == pytest.approx((means.mean() - half, means.mean() + half), rel=1e-3)
    assert effect.p == pytest.approx(stats.ttest_1samp(means, 0.0).pvalue, rel=1e-2)
    assert (effect.comparisons, effect.values) == (6, 24)
    assert found.within == pytest.approx(mixed_model.within(list(differences.values())), rel=1e-3)
    assert found.between == pytest.approx(math.sqrt(means.var(ddof=1) - found.within**2 / 4), rel=1e-3)


def test_of_unequally_many_seeds_it_is_the_restricted_likelihoods_best(rng):
    differences = balanced(rng)
    differences[0], differences[3] = differences[0][:2], differences[3][:1]

    def loss(logs):
        """Minus twice the restricted log-likelihood, by the matrices."""
        between, within = np.exp(2 * logs)
        values = np.concatenate([np.array(of) for of in differences.values()])
        groups = np.repeat(list(differences), [len(of) for of in differences.values()])
        covariance = within * np.eye(len(values)) + between * (groups[:, None] == groups[None, :])
        inverse, ones = np.linalg.inv(covariance), np.ones(len(values))
        weight = ones @ inverse @ ones
        mean = ones @ inverse @ values / weight
        return np.linalg.slogdet(covariance)[1] + math.log(weight) + (values - mean) @ inverse @ (values - mean)

    best = optimize.minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    found = mixed_model.fit(differences)
    assert (found.between, found.within) == pytest.approx(tuple(np.exp(best.x)), rel=1e-3)


def test_comparisons_that_hardly_differ_are_fitted_to_the_end():
    """By gradients alone a fit of these ends short of the best, at some of the roundings as if it had converged."""
    differences = dict(enumerate(NEARLY_ALIKE))
    found = mixed_model.fit(differences)
    values = np.concatenate(NEARLY_ALIKE)
    assert found.between < 0.2
    assert found.effects["all"].mean == pytest.approx(values.mean(), abs=0.02)
    pooled = values.std(ddof=1) / math.sqrt(len(values))
    assert found.effects["all"].high - found.effects["all"].mean == pytest.approx(stats.t.ppf(0.975, 18) * pooled, rel=0.03)


def test_a_mean_for_each_family(rng):
    differences = balanced(rng, comparisons=7)
    family = {index: "GAN" if index < 3 else "VAE" for index in differences}
    found = mixed_model.fit(differences, family)
    means = {name: np.mean([np.mean(of) for index, of in differences.items() if family[index] == name]) for name in ("GAN", "VAE")}
    assert {name: effect.mean for name, effect in found.effects.items()} == pytest.approx(means, abs=1e-6)
    assert [effect.comparisons for effect in found.effects.values()] == [3, 4]


def test_no_difference_between_comparisons_is_found_as_none():
    found = mixed_model.fit({0: [1.0, -1.0, 0.0], 1: [0.0, 1.0, -1.0], 2: [-1.0, 0.0, 1.0]})
    assert found.between < 0.05 and found.effects["all"].mean == pytest.approx(0.0, abs=1e-9)


def test_unit_does_not_matter(rng):
    differences = balanced(rng)
    one = mixed_model.fit(differences).effects["all"]
    other = mixed_model.fit({name: [0.01 * value for value in of] for name, of in differences.items()}).effects["all"]
    assert [100 * value for value in other[:3]] == pytest.approx(list(one[:3]), rel=1e-5) and other.p == pytest.approx(one.p, rel=1e-4)


@pytest.mark.parametrize("differences", [{0: [1.0, 2.0]}, {0: [1.0], 1: [2.0]}, {0: [1.0, math.nan], 1: [2.0, 3.0]}])
def test_too_few_are_refused(differences):
    with pytest.raises(ValueError, match="too few, or not finite"):
        mixed_model.fit(differences)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels.regression.mixed_linear_model", None)
    with pytest.raises(UserError, match=r"pip install .*\[evidence\]'"):
        mixed_model.fit({0: [1.0, 2.0], 1: [2.0, 3.0]})


def test_a_standardized_difference_has_no_bias(rng):
    """Hedges' correction: the mean of many is the true one, which without it is 1.25 times as large at five seeds."""
    found = [mixed_model.standardized(of) for of in 0.5 + rng.normal(size=(20000, 5))]
    assert np.mean(found) == pytest.approx(0.5, abs=0.02)
    assert all(math.isnan(mixed_model.standardized(of)) for of in ([1.0], [2.0, 2.0, 2.0], [1.0, 2.0]))


def test_what_can_be_seen_is_found_as_often_as_said(rng):
    effect = mixed_model.detectable(2.0, 5)
    found = [stats.ttest_1samp(of, 0.0).pvalue < 0.05 for of in effect + 2.0 * rng.normal(size=(4000, 5))]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)
    assert mixed_model.detectable(2.0, 10) < effect < mixed_model.detectable(2.0, 3)
