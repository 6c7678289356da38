"""Figures over seeds as cells of a table: mean ± standard deviation, intervals, differences, p-values; '—' where there is none."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from d3gzsl_jax.evaluation.statistics import interval
from d3gzsl_jax.studies.tables.writer import Cell

UNKNOWN = "—"


def spread(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, standard deviation and half the width of the 95 % interval of values (n,); NaN where there are too few of them."""
    return interval(values) if len(values) else (math.nan, math.nan, math.nan)


def with_deviation(values: np.ndarray) -> str:
    """'mean ± standard deviation' of values (n,), the mean alone where there is one value, '—' where there is none."""
    mean, deviation, _ = spread(values)
    return UNKNOWN if math.isnan(mean) else f"{mean:.1f}" + ("" if math.isnan(deviation) else f" ± {deviation:.1f}")


def mean(values: np.ndarray) -> Cell:
    """Mean ± standard deviation of values (n,); no deviation for n = 1."""
    center, deviation, _ = spread(values)
    return Cell(with_deviation(values), (known(center), known(deviation)))


def bounds(values: np.ndarray) -> Cell:
    """The 95 % t-interval of the mean of values (n,); unknown for fewer than three."""
    center, _, half = spread(values)
    return Cell(between(center - half, center + half), (known(center - half), known(center + half)))


def between(low: Any, high: Any, show: Callable[[float], str] = "{:.1f}".format) -> str:
    """Two ends of an interval."""
    low, high = number(low), number(high)
    return f"{show(low)} … {show(high)}" if math.isfinite(low) and math.isfinite(high) else UNKNOWN


def signed(value: Any) -> str:
    """A difference, with its sign."""
    return UNKNOWN if math.isnan(number(value)) else f"{value:+.1f}".replace("-", "−")  # noqa: RUF001 (a minus sign)


def signed_between(low: Any, high: Any) -> str:
    """Two ends of the interval of a difference, with their signs."""
    return between(low, high, "{:+.1f}".format).replace("-", "−")  # noqa: RUF001 (a minus sign)


def probability(value: Any) -> str:
    """A p-value."""
    value = number(value)
    return UNKNOWN if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def number(value: Any) -> float:
    """A value that may be None, which is NaN then."""
    return math.nan if value is None else float(value)


def known(value: float) -> float | None:
    """A value that may be NaN, which is None then."""
    return None if math.isnan(value) else value
