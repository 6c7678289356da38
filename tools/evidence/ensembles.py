"""What student and final classifier predict together (config.eval.ensemble), beside the base method and D3 with one of the two."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.evaluation.statistics import paired
from d3gzsl_jax.studies.tables.cells import signed, signed_between, with_deviation
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from tools.evidence.comparisons import has_ensemble

_KINDS = {
    (False, False): "without D3", (True, False): "with D3, student or classifier", (True, True): "with D3, or both together",
}  # fmt: skip
"""By whether D3 was on, and whether validation could choose the ensemble too."""


def table(of_benchmarks: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """Three rows a benchmark and method that has runs with an ensemble: what validation chose in each, its figures, and its
    calibrated H less that of the base method, paired by seed."""
    rows = []
    for benchmark, results in of_benchmarks.items():
        groups: dict[tuple[str, bool, bool], dict[int, Mapping[str, Any]]] = {}
        for one in results:
            if one["framework"] in FRAMEWORKS:
                key = one["framework"], bool(one["distillation"]), has_ensemble(one)
                groups.setdefault(key, {})[one["seed"]] = one
        for framework in dict.fromkeys(name for name, _, ensemble in groups if ensemble):
            base = groups.get((framework, False, False), {})
            for (with_d3, ensemble), kind in _KINDS.items():
                if runs := groups.get((framework, with_d3, ensemble)):
                    rows.append(_row([benchmark, FRAMEWORKS[framework].called, kind], runs, base if with_d3 else {}))
    headings = ["benchmark", "method", "", "predictor", "seeds", "H calibrated", "H", "AUSUC", "T1", "ΔH calibrated", "95 %"]
    return Table("", [Column.of(heading, right=place > 3) for place, heading in enumerate(headings)], rows)


def _row(names: list[str], runs: Mapping[int, Mapping[str, Any]], base: Mapping[int, Mapping[str, Any]]) -> list[Cell]:
    of = list(runs.values())
    predictors = ", ".join(dict.fromkeys(one["prediction"] for one in of))
    shown = [_harmonic(of, "calibrated"), _harmonic(of, "metrics")]
    shown += [100.0 * np.array([one["metrics"][name] for one in of]) for name in ("ausuc", "zsl")]
    cells: list[Any] = [*names, predictors, len(of), *map(with_deviation, shown), "", ""]
    if seeds := sorted(runs.keys() & base.keys()):
        ours, theirs = (_harmonic([which[seed] for seed in seeds], "calibrated") for which in (runs, base))
        found = paired(ours, theirs)
        cells[-2:] = [signed(found["difference"]), signed_between(found["low"], found["high"])]
    return [Cell.of(cell) for cell in cells]


def _harmonic(of: Sequence[Mapping[str, Any]], part: str) -> np.ndarray:
    """(n,) H in percent, of 'metrics' or 'calibrated'."""
    return 100.0 * np.array([harmonic_mean(one[part]["unseen"], one[part]["seen"]) for one in of], np.float64)
