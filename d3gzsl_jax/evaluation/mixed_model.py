"""One model over all comparisons of two methods: what one gains over the other on average, over benchmarks, base methods and seeds.

The difference of comparison c (a base method on a benchmark) and seed s is

    d_cs = mu + u_c + e_cs,    u_c ~ N(0, between^2),  e_cs ~ N(0, within^2),

fitted by restricted maximum likelihood (Laird and Ware 1982; statsmodels' MixedLM); with one mu for each family of methods, or one
in all. Comparisons are the sample that an interval of mu speaks of: other seeds alone would give a narrower one, and say less.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.extras import install_command

_LEVEL = 0.95
_DECIMALS = 12  # of a variance: below is rounding
_OPTIMIZERS = ("bfgs", "powell")
"""The best fit of them is taken: by gradients alone it may end short of a variance near 0, and call that converged."""


class Effect(NamedTuple):
    """A mean difference, in the unit of the differences.

    Attributes:
        mean, low, high: and the ends of its 95 % interval, of Student's t with as many degrees of freedom as there are comparisons
            less means; NaN where none is left.
        p: two-sided, that it is 0; NaN likewise.
        comparisons, values: how many it is a mean of.
    """

    mean: float
    low: float
    high: float
    p: float
    comparisons: int
    values: int


class MixedModel(NamedTuple):
    """What is fitted.

    Attributes:
        effects: by family.
        between: standard deviation of what comparisons gain, beside their family's mean.
        within: standard deviation over the seeds of a comparison.
    """

    effects: dict[str, Effect]
    between: float
    within: float


def fit(differences: Mapping[Any, Sequence[float]], family: Mapping[Any, str] | None = None) -> MixedModel:
    """Fits the model.

    Args:
        differences: by comparison, one a seed, at least one; as many comparisons as families and one more, and some with two seeds.
        family: of each comparison; None for one in all, called 'all'.

    Raises:
        UserError: statsmodels is not installed, or no optimizer converged. ValueError: there are too few of them, or one is not
            finite.
    """
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM
    except ImportError:
        raise UserError(f"one model over all comparisons is fitted by statsmodels: {install_command('evidence')}") from None
    from scipy import stats

    families = {name: (family or {}).get(name, "all") for name in differences}
    columns = list(dict.fromkeys(families.values()))
    values = np.array([value for of in differences.values() for value in of], np.float64)
    groups = np.repeat(np.arange(len(differences)), [len(of) for of in differences.values()])
    if not np.isfinite(values).all() or len(differences) <= len(columns) or len(values) <= len(differences):
        told = f"{len(values)} differences of {len(differences)} comparisons and {len(columns)} families"
        raise ValueError(f"{told} are too few, or not finite")
    design = np.array([[float(families[name] == column) for column in columns] for name in differences])[groups]
    scale = float(np.abs(values).max()) or 1.0  # the fit knows no unit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a variance of 0, which is an answer; whether it converged is asked below
        fits = [MixedLM(values / scale, design, groups=groups).fit(reml=True, method=method) for method in _OPTIMIZERS]
        ended = [one for one in fits if one.converged or one.llf == math.inf]  # the latter: all differences are equal
        found = max(ended, key=lambda one: one.llf, default=None)
    if found is None:
        raise UserError(f"the model of {len(values)} differences of {len(differences)} comparisons could not be fitted")
    of_means = scale * np.sqrt(np.maximum(np.diag(np.asarray(found.cov_params()))[: len(columns)], 0.0))
    freedom = len(differences) - len(columns)
    effects = {}
    for place, column in enumerate(columns):
        mean, error = scale * float(found.fe_params[place]), float(of_means[place])
        half = float(stats.t.ppf((1.0 + _LEVEL) / 2.0, freedom)) * error
        p = 2.0 * float(stats.t.sf(abs(mean) / error, freedom)) if error else float(mean == 0.0)
        counts = [len(of) for name, of in differences.items() if families[name] == column]
        effects[column] = Effect(mean, mean - half, mean + half, p, len(counts), sum(counts))
    between = math.sqrt(max(round(float(np.asarray(found.cov_re).item()), _DECIMALS), 0.0))
    return MixedModel(effects, scale * between, scale * math.sqrt(float(found.scale)))


def within(differences: Sequence[Sequence[float]]) -> float:
    """The pooled standard deviation over seeds; NaN where no comparison has two."""
    squares = sum(float(np.var(of, ddof=1)) * (len(of) - 1) for of in differences if len(of) > 1)
    freedom = sum(len(of) - 1 for of in differences)
    return math.sqrt(squares / freedom) if freedom else math.nan


def standardized(differences: Sequence[float]) -> float:
    """The mean over the standard deviation of paired differences, with Hedges' correction for few of them (Hedges 1981); NaN for
    fewer than three, or without spread."""
    freedom = len(differences) - 1
    deviation = float(np.std(differences, ddof=1)) if freedom > 1 else 0.0
    if not deviation:
        return math.nan
    correction = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return float(np.mean(differences)) / deviation * correction


def detectable(deviation: float, seeds: int, power: float = 0.8) -> float:
    """The smallest mean difference that a paired t-test at 5 % finds with this probability, in the unit of `deviation`.

    Args:
        deviation: of the differences over seeds.
        seeds: how many, at least three.
        power: the probability.
    """
    from statsmodels.stats.power import TTestPower

    return deviation * float(TTestPower().solve_power(effect_size=None, nobs=seeds, alpha=1.0 - _LEVEL, power=power))
