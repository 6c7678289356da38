"""A table of runs, and its form as Markdown, LaTeX, HTML or CSV; what a name may hold is escaped in each of them."""

import csv
import dataclasses
import html
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from d3gzsl_jax.evaluation.statistics import FEWEST, interval
from d3gzsl_jax.runs.report.template import PAGE
from d3gzsl_jax.studies.ablation.table import with_deviation
from d3gzsl_jax.studies.tables.text import latex as latex_text
from d3gzsl_jax.studies.tables.text import markdown as markdown_text
from d3gzsl_jax.text import clean_name, csv_row

METRICS = {"U": "unseen", "S": "seen", "H": "harmonic", "T1": "zsl", "AUSUC": "ausuc"}
"""Headings, and what results.json calls them."""
TEST_SELECTED = "test-selected (no result)"
_UNKNOWN = "—"


class Run(NamedTuple):
    """A finished run.

    Attributes:
        path: its results.json.
        common: what all runs of a table have in common.
        method: the base method, and whether D3 is on; of a baseline its name.
        distillation: whether D3 is on; None for a baseline.
        seed: of the run.
        settings: by dotted field, what of its configuration a figure may depend on; without the seed.
        figures: by predictor and kind ('result', 'calibrated' with 'gamma' and 'selection', 'test-selected'), metrics as fractions.
    """

    path: Path
    common: Mapping[str, Any]
    method: str
    distillation: bool | None
    seed: int
    settings: Mapping[str, Any]
    figures: Mapping[str, Mapping[str, Mapping[str, Any]]]


class Cell(NamedTuple):
    """What a person reads, and what CSV holds: as many values as its column has fields, None for an empty one."""

    text: str
    values: tuple[Any, ...]


class Column(NamedTuple):
    """Its heading; the names of its fields in CSV; whether it stands to the right, as numbers do."""

    heading: str
    fields: tuple[str, ...]
    right: bool = True


@dataclasses.dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        heading: what all its rows have in common, in a line.
        columns, rows: a row has a cell for each column.
        footer: by name, what must be read with the table.
    """

    heading: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    footer: Mapping[str, str]


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
    columns = [Column("method", ("method",), False), *(Column(field, (field,), False) for field in by)]
    columns += [Column("predictor", ("predictor",), False), Column("seeds", ("seeds",))]
    columns += [Column(name, ends.get(name, (name, f"{name} std"))) for name in headings]
    if calibrated:
        columns += [Column(f"calibrated {name}", (f"calibrated {name}", f"calibrated {name} std")) for name in ("U", "S", "H")]
        columns.append(Column("gamma chosen by", ("gamma chosen by", "gamma", "gamma std"), False))
    rows = []
    names, notes = _names(groups, by)
    order = sorted(range(len(groups)), key=lambda place: [_order(groups[place][0].settings.get(field)) for field in by])
    for group, name in ((groups[place], names[place]) for place in order):
        begins = [_words(name), *(_words(_shown(group[0].settings.get(field, _UNKNOWN))) for field in by)]
        for predictor in dict.fromkeys(predictor for run in group for predictor in run.figures):
            figures = [run.figures[predictor] for run in group if predictor in run.figures]
            for kind in ("result", "test-selected") if test_selected else ("result",):
                found = [of[kind] for of in figures if kind in of]
                if not found:
                    continue
                called = predictor if kind == "result" else f"{predictor}, {TEST_SELECTED}"
                values = {name: np.array([metrics[key] for metrics in found]) for name, key in METRICS.items()}
                row = [*begins, _words(called), _words(len(found))]
                row += [_bounds(values["H"]) if name in ends else _mean(values[name]) for name in headings]
                if calibrated:
                    row += _calibrated(figures if kind == "result" else [], columns[-4:])
                rows.append(row)
    units = "percent, mean ± standard deviation (n - 1) over seeds; H = 2US/(U+S) of each run; 95 % t-interval of the mean of H"
    units += f", where there are {FEWEST} seeds"
    return Table(heading, columns, rows, {"figures": units, **({"also different": notes} if notes else {}), **footer})


def _calibrated(figures: Sequence[Mapping[str, Mapping[str, Any]]], columns: Sequence[Column]) -> list[Cell]:
    found = [of["calibrated"] for of in figures if "calibrated" in of]
    if not found or len(found) < len(figures):
        return [Cell(_UNKNOWN, (None,) * len(column.fields)) for column in columns]
    rules = ", ".join(dict.fromkeys(str(of["selection"]) for of in found))
    gamma, spread, _ = interval(np.array([of["gamma"] for of in found], np.float64))
    told = f"{rules}: {gamma:.3g}" + ("" if math.isnan(spread) else f" ± {spread:.2g}")
    cells = [_mean(np.array([of[METRICS[name]] for of in found])) for name in ("U", "S", "H")]
    return [*cells, Cell(told, (rules, _known(gamma), _known(spread)))]


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
        named = [field for field in fields if field in differ[run.method] or (field in told and _matters(field, run))]
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
    """Whether a run depends on a field: not on options of D3 without it, nor on those of another base method; a baseline on its
    data alone."""
    part = field.partition(".")[0]
    if run.distillation is None:
        return part == "data"
    if part in ("distillation", "teacher"):
        return run.distillation
    return part not in ("cegzsl", "fclswgan") or run.settings.get("framework") == part


def _shown(value: Any) -> str:
    return repr(value) if value == "" else str(value)


def _order(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float) else (1, str(value))


def _words(value: Any) -> Cell:
    return Cell(str(value), (value,))


def _mean(values: np.ndarray) -> Cell:
    """Mean ± standard deviation of fractions (n,), in percent; no deviation for n = 1."""
    center, spread, _ = interval(100.0 * values)
    return Cell(with_deviation(100.0 * values), (_known(center), _known(spread)))


def _bounds(values: np.ndarray) -> Cell:
    """The 95 % t-interval of the mean of fractions (n,), in percent; unknown for fewer than three."""
    center, _, half = interval(100.0 * values)
    low, high = center - half, center + half
    return Cell(_UNKNOWN if math.isnan(half) else f"{low:.1f} … {high:.1f}", (_known(low), _known(high)))


def markdown(tables: Sequence[Table]) -> str:
    """Tables of GitHub's Markdown, each under a heading and over its footer."""
    lines = []
    for table in tables:
        lines += [f"## {markdown_text(table.heading)}", "", _markdown_row(column.heading for column in table.columns)]
        lines.append("|" + "|".join("---:" if column.right else "---" for column in table.columns) + "|")
        lines += [_markdown_row(cell.text for cell in row) for row in table.rows]
        for name, text in table.footer.items():
            lines += ["", f"{markdown_text(name)}: {markdown_text(text)}"]
        lines.append("")
    return "\n".join(lines)


def latex(tables: Sequence[Table]) -> str:
    """Plain tabulars that need no package, each under a heading and over its footer."""
    lines = []
    for table in tables:
        alignment = "".join("r" if column.right else "l" for column in table.columns)
        lines += [rf"\paragraph{{{latex_text(table.heading)}}}", "", rf"\begin{{tabular}}{{{alignment}}}", r"\hline"]
        lines += [_latex_row(column.heading for column in table.columns), r"\hline"]
        lines += [_latex_row(cell.text for cell in row) for row in table.rows]
        lines += [r"\hline", r"\end{tabular}"]
        for name, text in table.footer.items():
            lines += ["", f"{latex_text(name)}: {latex_text(text)}"]
        lines.append("")
    return "\n".join(lines)


def page(tables: Sequence[Table]) -> str:
    """One HTML page that fetches nothing."""
    sections = []
    for table in tables:
        kinds = [" class=n" if column.right else "" for column in table.columns]
        head = "".join(f"<th{kind}>{_html(of.heading)}</th>" for of, kind in zip(table.columns, kinds, strict=True))
        body = "".join(
            "<tr>" + "".join(f"<td{kind}>{_html(cell.text)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>\n"
            for row in table.rows
        )
        notes = "".join(f"<p class=note>{_html(f'{name}: {text}')}</p>\n" for name, text in table.footer.items())
        sections.append(
            f"<section><h2>{_html(table.heading)}</h2>\n<div class=scroll><table><thead><tr>{head}</tr></thead>\n"
            f"<tbody>{body}</tbody></table></div>\n{notes}</section>"
        )
    title = tables[0].heading if len(tables) == 1 else f"{len(tables)} tables of runs"
    return PAGE.substitute(title=_html(title), body="\n".join(sections))


def comma_separated(tables: Sequence[Table]) -> str:
    """One CSV of all tables, which must have the same columns: heading and footer are columns too, empty where nothing is known. A
    text that a spreadsheet would run as a formula has an apostrophe before it."""
    first = tables[0]
    footers = list(dict.fromkeys(name for table in tables for name in table.footer))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(csv_row(["table", *(field for column in first.columns for field in column.fields), *footers]))
    for table in tables:
        if table.columns != first.columns:
            raise ValueError("tables of one CSV must have the same columns")
        for row in table.rows:
            values = [value for cell in row for value in cell.values]
            writer.writerow(csv_row([table.heading, *values, *(table.footer.get(name) for name in footers)]))
    return buffer.getvalue()


FORMATS: dict[str, Callable[[Sequence[Table]], str]] = {
    "markdown": markdown, "latex": latex, "html": page, "csv": comma_separated
}  # fmt: skip
"""By name; each makes a whole file of one or more tables."""

def _html(text: str) -> str:
    return html.escape(clean_name(text))


def _markdown_row(texts: Any) -> str:
    return "| " + " | ".join(map(markdown_text, texts)) + " |"


def _latex_row(texts: Any) -> str:
    return " & ".join(map(latex_text, texts)) + r" \\"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
