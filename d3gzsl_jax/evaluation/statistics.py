"""Statistics of figures over seeds: a mean with its interval, and the difference of two methods that were run with the same seeds.

Seeds are the sample: intervals and p-values speak of other seeds on the same split of the same data, not of other data.
"""

from typing import Any

import numpy as np

FEWEST = 3
"""Values below which there is no interval: of two it has one degree of freedom, and spans 18 standard deviations."""
_LEVEL = 0.95
_DECIMALS = 12  # of a difference of fractions: below that is rounding, and equal differences must tie
_ENUMERATED = 16  # with ties, up to so many differences all 2**n signs are gone through


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, standard deviation (n - 1) and half the width of the 95 % t-interval of the mean, in the unit of `values`.

    Args:
        values: (n,) floats, n >= 1, one a seed. A NaN makes all three NaN.

    Returns:
        (mean, std, half_width); std is NaN for n = 1, where nothing is known of the spread, half_width below `FEWEST`.

    Raises:
        ValueError: there is no value.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"values must be (n,) with n >= 1, not {values.shape}")
    mean = float(values.mean())
    if values.size == 1:
        return mean, float("nan"), float("nan")
    std = float(values.std(ddof=1))
    if values.size < FEWEST:
        return mean, std, float("nan")
    from scipy import stats

    quantile = float(stats.t.ppf((1.0 + _LEVEL) / 2.0, values.size - 1))
    return mean, std, quantile * std / float(np.sqrt(values.size))


def paired(ours: np.ndarray, base: np.ndarray) -> dict[str, Any]:
    """What `ours` gains over `base`, seed by seed.

    Args:
        ours, base: (n,) floats, n >= 1; entry i of both is of the same seed. A NaN makes every figure but `n` and `wins` NaN.

    Returns:
        'n'; 'difference', the mean of ours - base, and its 'std' (n - 1); 'low' and 'high', the ends of its 95 % t-interval, where
        there is one;
        'wilcoxon_p' of the signed-rank test (Wilcoxon 1945) and 'sign_p' of the sign test, both two-sided, with differences of zero
        left out (1.0 where nothing else is left); 'wins', how often ours is higher. Five seeds or fewer cannot bring either p-value
        below 2 / 2**5 = 0.0625. The signed-rank p-value is exact, but for more than 16 differences of which some tie.

    Raises:
        ValueError: the shapes differ, or there is no value.
    """
    ours, base = np.asarray(ours, np.float64), np.asarray(base, np.float64)
    if ours.shape != base.shape:
        raise ValueError(f"ours {ours.shape} and base {base.shape} must have an entry for each seed")
    differences = np.round(ours - base, _DECIMALS)
    mean, std, half = interval(differences)
    wins, known = int(np.sum(differences > 0.0)), not np.isnan(mean)
    changed = differences[differences != 0.0]
    return {
        "n": differences.size, "difference": mean, "std": std, "low": mean - half, "high": mean + half,
        "wilcoxon_p": _signed_rank(changed) if known else float("nan"),
        "sign_p": _sign(wins, changed.size) if known else float("nan"),
        "wins": wins,
    }  # fmt: skip


def holm(probabilities: np.ndarray) -> np.ndarray:
    """p-values adjusted for their number (Holm 1979): rejecting those at most alpha, the chance of a wrong rejection among all of
    them is at most alpha, however they depend on each other.

    Args:
        probabilities: (m,) in [0, 1]. NaN: no comparison, which stays NaN and does not count.

    Returns:
        (m,): of the i-th smallest of k the largest of (k - j + 1) p_j over j <= i, at most 1.
    """
    probabilities = np.asarray(probabilities, np.float64)
    known = np.flatnonzero(~np.isnan(probabilities))
    order = known[np.argsort(probabilities[known], kind="stable")]
    found = np.full(probabilities.shape, np.nan)
    found[order] = np.minimum(np.maximum.accumulate(np.arange(len(order), 0, -1) * probabilities[order]), 1.0)
    return found


def _sign(wins: int, count: int) -> float:
    from scipy import stats

    return float(stats.binomtest(wins, count).pvalue) if count else 1.0


def _signed_rank(differences: np.ndarray) -> float:
    """Two-sided p-value of differences (k,), none of them zero."""
    from scipy import stats  # here, and in the other two: it takes a second to import, which --help does not need

    if not differences.size:
        return 1.0
    ties = len(np.unique(np.abs(differences))) < differences.size
    method: Any = "auto" if ties else "exact"
    if ties and differences.size <= _ENUMERATED:  # the table of exact p-values is for ranks without ties
        method = stats.PermutationMethod(n_resamples=2**differences.size)
    return float(stats.wilcoxon(differences, method=method).pvalue)
