"""What D3's student is good for besides its own predictions: together with the final classifier (config.eval.ensemble), or as the
embedding which that is fitted in (config.classifier.inputs), beside the base method and D3 as it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.evaluation.statistics import paired
from d3gzsl_jax.studies.tables.cells import signed, signed_between, with_deviation
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from tools.evidence.comparisons import further_use, percent

_KINDS = {
    (False, ()): "without D3", (True, ()): "with D3, student or classifier", (True, ("ensemble",)): "with D3, or both together",
    (True, ("embedding",)): "with D3, student or classifier in its embedding",
    (True, ("ensemble", "embedding")): "with D3, the same, or both together",
}  # fmt: skip
"""By whether D3 was on, and its `further_use`: what validation could choose from."""
_CALIBRATED, _AUSUC = ("calibrated", "harmonic"), ("chosen", "ausuc")
"""A measure and a metric each, see `comparisons.percent`."""


def table(of_benchmarks: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """A row for each of these, of every benchmark and method that has runs with a further use: what validation chose, its figures,
    and its calibrated H and AUSUC less those of the base method, paired by seed."""
    rows = []
    for benchmark, results in of_benchmarks.items():
        groups: dict[tuple[str, bool, tuple[str, ...]], dict[int, Mapping[str, Any]]] = {}
        for one in results:
            if one["framework"] in FRAMEWORKS:
                key = one["framework"], bool(one["distillation"]), further_use(one)
                groups.setdefault(key, {})[one["seed"]] = one
        for framework in dict.fromkeys(name for name, _, use in groups if use):
            base = groups.get((framework, False, ()), {})
            for (with_d3, use), kind in _KINDS.items():
                if runs := groups.get((framework, with_d3, use)):
                    rows.append(_row([benchmark, FRAMEWORKS[framework].called, kind], runs, base if with_d3 else {}))
    headings = ["benchmark", "method", "", "predictor", "seeds", "H calibrated", "H", "AUSUC", "T1"]
    headings += ["ΔH calibrated", "95 %", "ΔAUSUC", "95 %"]
    return Table("", [Column.of(heading, right=place > 3) for place, heading in enumerate(headings)], rows)


def _row(names: list[str], runs: Mapping[int, Mapping[str, Any]], base: Mapping[int, Mapping[str, Any]]) -> list[Cell]:
    of = list(runs.values())
    predictors = ", ".join(dict.fromkeys(one["prediction"] for one in of))
    shown = (percent(of, *measure) for measure in (_CALIBRATED, ("chosen", "harmonic"), _AUSUC, ("chosen", "zsl")))
    cells: list[Any] = [*names, predictors, len(of), *map(with_deviation, shown)]
    seeds = sorted(runs.keys() & base.keys())
    for measure in (_CALIBRATED, _AUSUC):
        found = seeds and paired(*(percent([which[seed] for seed in seeds], *measure) for which in (runs, base)))
        cells += [signed(found["difference"]), signed_between(found["low"], found["high"])] if found else ["", ""]
    return [Cell.of(cell) for cell in cells]
