"""Where D3's student differs from a final classifier: does it tell seen rows from unseen ones, does it rank the unseen classes, and
is it balance alone that it lacks. Read from what every run records of its test rows (results.json, 'details')."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.studies.tables.cells import with_deviation
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from tools.evidence.comparisons import Comparison

_Read = Callable[..., Any]
_PREDICTORS = (
    ("classifier without D3", "base", "classifier"), ("student", "ours", "student"), ("classifier with D3", "ours", "classifier"),
)  # fmt: skip

MEASURES: dict[str, _Read] = {
    "AUROC": lambda results, predictor: results["details"]["ood"][predictor]["seen_mass"]["auroc"],
    "unseen taken for seen": lambda results, predictor: results["details"]["confusion"][predictor]["unseen_as_seen"],
    "seen taken for unseen": lambda results, predictor: results["details"]["confusion"][predictor]["seen_as_unseen"],
    "T1": lambda results, predictor: results["predictions"][predictor]["metrics"]["zsl"],
    "AUSUC": lambda results, predictor: results["predictions"][predictor]["metrics"]["ausuc"],
    "H": lambda results, predictor: results["predictions"][predictor]["metrics"]["harmonic"],
    "H calibrated": lambda results, predictor: results["predictions"][predictor]["calibrated"]["harmonic"],
}
"""By heading, of a results.json and a predictor. AUROC: seen test rows against unseen ones, by the probability of all seen
classes."""


def values(results: Sequence[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Any]) -> np.ndarray:
    """(n,) percent by seed; NaN where a run does not say."""
    return 100.0 * np.array([_or_nan(read, one) for one in results], np.float64)


def table(of: Sequence[Comparison]) -> Table:
    """A row a comparison and predictor: the base method's classifier, D3's student, D3's classifier."""
    rows = []
    for one in of:
        for label, which, predictor in _PREDICTORS:
            results = getattr(one, which)
            found = (values(results, functools.partial(read, predictor=predictor)) for read in MEASURES.values())
            cells = [one.benchmark, FRAMEWORKS[one.framework].called, label, *map(with_deviation, found)]
            rows.append([Cell.of(cell) for cell in cells])
    headings = ["benchmark", "method", "predictor", *MEASURES]
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def chosen(of: Sequence[Comparison]) -> str:
    """By what the runs with D3 predict, which their folds chose: where it is not the final classifier, and in how many runs."""
    others: dict[str, list[str]] = {}
    for one in of:
        used = [results["prediction"] for results in one.ours]
        for predictor in dict.fromkeys(used):
            method = f"{FRAMEWORKS[one.framework].called} on {one.benchmark}"
            others.setdefault(predictor, []).append(f"{used.count(predictor)} of {len(used)} runs of {method}")
    others.pop("classifier", None)
    total = sum(len(one.ours) for one in of)
    told = "".join(f"the {predictor} in {', '.join(methods)}; " for predictor, methods in others.items())
    return f"With D3 the folds chose {told}the final classifier in all {'other ' if told else ''}of {total} runs."


def teachers(of: Sequence[Comparison]) -> str:
    """How well the frozen teacher tells seen rows from unseen ones, by benchmark."""
    by_benchmark: dict[str, list[Mapping[str, Any]]] = {}
    for one in of:
        by_benchmark.setdefault(one.benchmark, []).extend(one.ours)
    read = lambda results: results["details"]["ood"]["teacher"]["msp"]["auroc"]  # noqa: E731
    told = (f"{with_deviation(values(runs, read))} on {name}" for name, runs in by_benchmark.items())
    return f"The frozen teacher's AUROC, by its largest probability: {', '.join(told)}."


def _or_nan(read: Callable[[Mapping[str, Any]], Any], results: Mapping[str, Any]) -> float:
    try:
        return float(read(results))
    except (KeyError, TypeError):
        return float("nan")
