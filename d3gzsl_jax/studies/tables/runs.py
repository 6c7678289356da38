"""A table of runs: a row a method and predictor, over seeds."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from d3gzsl_jax.evaluation.statistics import FEWEST
from d3gzsl_jax.runs.unknown_figures import FOLDS
from d3gzsl_jax.studies.tables import cells
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table

METRICS = {"U": "unseen", "S": "seen", "H": "harmonic", "T1": "zsl", "AUSUC": "ausuc"}
"""Headings, and what results.json calls them."""
TEST_SELECTED = "test-selected (no result)"


class Run(NamedTuple):
    """A finished run.

    Attributes:
        path: its results.json.
        common: what all runs of a table have in common.
        method: the base method, and whether D3 is on; of a baseline its name.
        distillation: whether D3 is on; None for a baseline.
        seed: of the run.
        settings: by dotted field, what of its configuration a figure may depend on; without the seed, and without options of
            other frameworks.
        figures: by predictor and kind ('result', 'calibrated' with 'gamma' and 'selection', 'test-selected', and 'folds' where no
            test row of an unseen class is there), metrics as fractions.
    """

    path: Path
    common: Mapping[str, Any]
    method: str
    distillation: bool | None
    seed: int
    settings: Mapping[str, Any]
    figures: Mapping[str, Mapping[str, Mapping[str, Any]]]


def tabulate(
    groups: Sequence[Sequence[Run]], heading: str, by: Sequence[str], calibrated: bool, test_selected: bool,
    footer: Mapping[str, str],
) -> Table:
    """A row a group and predictor, in percent.

    Args:
        groups: runs that differ in their seed only; n >= 1 each.
        heading: of the table.
        by: fields to sort by, with a column each; not told among what methods differ in.
        calibrated: columns of what calibrated stacking reaches, where all seeds have it.
        test_selected: rows of test-selected figures, called so.
        footer: what more must be read with it.
    """
    headings = [*METRICS]
    headings.insert(headings.index("H") + 1, "95 % of H")
    ends = {"95 % of H": ("H low", "H high")}
    columns = [Column.of("method", right=False), *(Column.of(field, right=False) for field in by)]
    columns += [Column.of("predictor", right=False), Column.of("seeds")]
    columns += [Column(name, ends.get(name, (name, f"{name} std"))) for name in headings]
    if calibrated:
        columns += [Column(f"calibrated {name}", (f"calibrated {name}", f"calibrated {name} std")) for name in ("U", "S", "H")]
        columns.append(Column("gamma chosen by", ("gamma chosen by", "gamma", "gamma std"), False))
    rows = []
    names, notes = _names(groups, by)
    order = sorted(range(len(groups)), key=lambda place: [_order(groups[place][0].settings.get(field)) for field in by])
    for group, name in ((groups[place], names[place]) for place in order):
        begins = [Cell.of(name), *(Cell.of(_shown(group[0].settings.get(field, cells.UNKNOWN))) for field in by)]
        for predictor in dict.fromkeys(predictor for run in group for predictor in run.figures):
            figures = [run.figures[predictor] for run in group if predictor in run.figures]
            for kind in ("result", FOLDS, "test-selected") if test_selected else ("result", FOLDS):
                found = [of[kind] for of in figures if kind in of]
                if not found:
                    continue
                called = predictor + {"result": "", FOLDS: f", {FOLDS}", "test-selected": f", {TEST_SELECTED}"}[kind]
                values = {name: 100.0 * np.array([metrics[key] for metrics in found]) for name, key in METRICS.items()}
                row = [*begins, Cell.of(called), Cell.of(len(found))]
                row += [cells.bounds(values["H"]) if name in ends else cells.mean(values[name]) for name in headings]
                if calibrated:
                    row += _calibrated(figures if kind == "result" else [], columns[-4:])
                rows.append(row)
    units = "percent, mean ± standard deviation (n - 1) over seeds; H = 2US/(U+S) of each run; 95 % t-interval of the mean of H"
    units += f", where there are {FEWEST} seeds"
    return Table(heading, columns, rows, {"figures": units, **({"also different": notes} if notes else {}), **footer})


def _calibrated(figures: Sequence[Mapping[str, Mapping[str, Any]]], columns: Sequence[Column]) -> list[Cell]:
    found = [of["calibrated"] for of in figures if "calibrated" in of]
    if not found or len(found) < len(figures):
        return [Cell(cells.UNKNOWN, (None,) * len(column.fields)) for column in columns]
    rules = ", ".join(dict.fromkeys(str(of["selection"]) for of in found))
    gamma, spread, _ = cells.spread(np.array([of["gamma"] for of in found], np.float64))
    told = f"{rules}: {gamma:.3g}" + ("" if math.isnan(spread) else f" ± {spread:.2g}")
    figures_at = [cells.mean(100.0 * np.array([of[METRICS[name]] for of in found])) for name in ("U", "S", "H")]
    return [*figures_at, Cell(told, (rules, cells.known(gamma), cells.known(spread)))]


def _names(groups: Sequence[Sequence[Run]], by: Sequence[str]) -> tuple[list[str], str]:
    """What to call each group: its method, and the fields that tell it from others of that method. And a note of the fields that
    differ between methods otherwise, where they mean something."""
    firsts = [group[0] for group in groups]
    fields = sorted({field for run in firsts for field in run.settings} - set(by) - {"framework"})
    last = [field.rpartition(".")[2] for field in fields]
    short = {field: name if last.count(name) == 1 else field for field, name in zip(fields, last, strict=True)}
    differ: dict[str, set[str]] = {}
    for run in firsts:
        alike = [other for other in firsts if other.method == run.method]
        differ[run.method] = {field for field in fields if len({_shown(other.settings.get(field)) for other in alike}) > 1}
    told = set().union(*differ.values())
    names = []
    for run in firsts:
        # Of what tells runs of another method apart, a switch that is off needs no word.
        also = {field for field in told if _matters(field, run) and run.settings.get(field) is not False}
        named = [field for field in fields if field in differ[run.method] | also]
        names.append(", ".join([run.method, *(f"{short[field]}={_shown(run.settings.get(field))}" for field in named)]))
    notes = []
    for field in fields:
        values: dict[str, list[str]] = {}
        for run in firsts:
            if field not in told and _matters(field, run):
                values.setdefault(_shown(run.settings.get(field)), []).append(run.method)
        if len(values) > 1:
            told_of = (f"{value} ({'; '.join(dict.fromkeys(of))})" for value, of in values.items())
            notes.append(f"{short[field]} {', '.join(told_of)}")
    return names, ". ".join(notes)


def _matters(field: str, run: Run) -> bool:
    """Whether a run depends on a field: not on options of D3 without it, nor on those of another base method, which are not among
    its settings; a baseline on its data alone, and on whether its figures are calibrated."""
    part = field.partition(".")[0]
    if run.distillation is None:
        return part == "data" or field == "eval.calibration"
    if part in ("distillation", "teacher"):
        return run.distillation
    return field in run.settings


def _shown(value: Any) -> str:
    return repr(value) if value == "" else str(value)


def _order(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float) else (1, str(value))
