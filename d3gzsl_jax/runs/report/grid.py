"""Tables of the page of a run as plain values, and numbers as it shows them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from d3gzsl_jax.runs import display
from d3gzsl_jax.runs.display import UNKNOWN

METRICS = display.METRICS | {"AUSUC": "ausuc"}
"""Headings, and what results.json calls them."""


class Grid(NamedTuple):
    """A table: headings, rows of values, whether a column stands to the right, as numbers do, and how a row is marked ('' for not
    at all, 'muted', 'own')."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]
    right: Sequence[bool]
    kinds: Sequence[str]


def grid(headings: Sequence[str], rows: Sequence[Sequence[Any]], kinds: Mapping[int, str] | None = None) -> Grid:
    """A table whose columns of numbers stand to the right; `kinds`: how rows are marked, by their position."""
    columns = list(zip(*rows, strict=True)) or [()] * len(headings)
    right = [place > 0 and all(map(_is_number, column)) and any(map(str, column)) for place, column in enumerate(columns)]
    return Grid(headings, rows, right, [(kinds or {}).get(position, "") for position in range(len(rows))])


def metric_cells(found: Mapping[str, Any] | None) -> list[str]:
    """A cell of each of METRICS, of fractions by what results.json calls them."""
    return [percent((found or {}).get(key)) for key in METRICS.values()]


def percent(value: Any) -> str:
    """A fraction in percent; what is no finite number is unknown."""
    return f"{100 * value:.1f}" if isinstance(value, int | float) and math.isfinite(value) else UNKNOWN


def short(value: Any) -> str:
    """A value of a configuration or a file, numbers by four digits."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return UNKNOWN
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (ValueError, TypeError):
        return value in ("", UNKNOWN)
    return True
