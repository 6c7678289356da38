"""The results of an ablation as tables: a line a run and predictor or a run, predictor and evaluated epoch (CSV), and a row a cell
and predictor (Markdown, LaTeX, HTML)."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from d3gzsl_jax.evaluation.statistics import FEWEST, holm
from d3gzsl_jax.runs.display import METRICS
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.studies.ablation.rows import CHOSEN, Entry, Row, rule_of
from d3gzsl_jax.studies.ablation.source import RULE as SOURCE_RULE
from d3gzsl_jax.studies.tables import cells, writer
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table, markdown_code
from d3gzsl_jax.studies.tables.writer import markdown_text as escaped

RULES = {
    "last": "the last epoch of every run; nothing is chosen on the test rows",
    "validation": (
        "epoch, epochs of the final classifier and calibration are chosen on classes and rows held out inside trainval; the test "
        "rows are looked at once"
    ),
    FOLDS_ONLY: "validation alone: means over classes and rows held out inside trainval; no test row was looked at for them",
    "test": "TEST-SELECTED: the epoch that looks best on the test rows. No results, only what published code prints",
}
"""What each selection rule means, for the heading of a table."""


_COLUMNS = (
    "cell", "seed", "predictor", "selection", "epochs", "unseen", "seen", "harmonic", "zsl", "ausuc", "calibrated", "result",
    "baseline", "seconds", "folder",
)  # fmt: skip
"""Of the CSV: attributes of an entry; after them a digest of its data."""
_TESTS = ("sign_p", "wilcoxon_p")


class Left(NamedTuple):
    """What is not in a table.

    Attributes:
        failures: lines about runs that failed.
        missing: predictors that have no figures by the rule of the table, see `left_out`.
        uncompared: cells without the one they are compared with, see `grid.uncompared`.
    """

    failures: Sequence[str] = ()
    missing: Sequence[str] = ()
    uncompared: Sequence[str] = ()


def markdown(
    title: str, entries: Sequence[Entry], rows: Sequence[Row], against: Mapping[str, str], command: str, left: Left | None = None
) -> str:
    """The table with its heading and footer.

    Args:
        title: what is ablated.
        entries: of all runs.
        rows: of `rows_of`.
        against: by cell, the cell it is compared with.
        command: that makes it.
        left: what is not in it.
    """
    rule, left = rule_of(entries), left or Left()
    lines = [f"# {escaped(title)}", "", f"Selection `{rule}`: {RULES[rule]}.", "", *writer.markdown_lines(compared(rows, against))]
    lines += ["", *_notes(entries, rows, Left(*([escaped(one) for one in of] for of in left)), f"`{CHOSEN}`").values()]
    if left.failures:
        lines += ["", "Failed:", "", *(f"- {escaped(failure)}" for failure in left.failures)]
    return "\n".join([*lines, "", *markdown_code(command), ""])


def _notes(entries: Sequence[Entry], rows: Sequence[Row], left: Left, chosen: str) -> dict[str, str]:
    """What must be read with the table, but for failures, by name; `chosen`: how that predictor is written."""
    harmonic = "H is the mean of the folds', H calibrated likewise, at their best gamma"
    if rule_of(entries) != FOLDS_ONLY:
        harmonic = "H = 2US/(U+S) of each run; H calibrated: with gamma chosen in validation"
    if any(entry.at_gamma for entry in entries):
        harmonic += "; U, S and H are at that gamma too (config.eval.calibration=folds), those of baselines among them"
    found = {
        "Figures": f"Percent, mean ± standard deviation (n - 1) over seeds; {harmonic}. Intervals: Student's t, 95 %. ΔH is the "
        "difference in H to the cell compared with, same predictor (its classifier where it has no such one), paired by seed; "
        f"p-values are two-sided; wins: seeds with the higher H. {SOURCE_RULE}"
    }
    if count := sum(row.against is not None for row in rows):
        found["Comparisons"] = (
            f"The table makes {count} comparison{'s' * (count > 1)}; p-values called Holm are adjusted for that number (Holm "
            f"1979), intervals are not. There is no interval of fewer than {FEWEST} seeds."
        )
    if any(row.predictor == CHOSEN for row in rows):
        told = "in each run the predictor that validation chose; compared with what the other cell predicts by."
        found["Predictor"] = f"{chosen}: {told}"
    if any(entry.baseline for entry in entries):
        found["Baselines"] = (
            "Baselines have no epochs; their own settings are chosen inside trainval, by calibrated H whatever "
            "config.eval.criterion runs are chosen by."
        )
    if left.missing:
        named = "; ".join(left.missing)
        found["Predictors"] = f"Left out, since they are evaluated once and have no epochs to select from: {named}."
    if left.uncompared:
        found["Cells"] = f"Not compared, since the cell they are compared with is not run: {'; '.join(left.uncompared)}."
    return found


def compared(rows: Sequence[Row], against: Mapping[str, str]) -> Table:
    """A row a cell and predictor, with its difference to the cell it is compared with; arguments as of `markdown`."""
    headings = (
        "cell", "predictor", "seeds", "U", "S", "H", "95 % of H", "T1", "AUSUC", "H calibrated", "epoch", "compared with", "ΔH",
        "95 % of ΔH", "sign p", "sign p, Holm", "Wilcoxon p", "Wilcoxon p, Holm", "wins",
    )  # fmt: skip
    columns = [Column.of(heading, right=place > 1) for place, heading in enumerate(headings)]
    adjusted = zip(*(holm(np.array([cells.number((row.against or {}).get(test)) for row in rows])) for test in _TESTS), strict=True)
    shown = [[Cell.of(text) for text in _texts(row, against, of)] for row, of in zip(rows, adjusted, strict=True)]
    return Table("", columns, shown)


def to_print(
    title: str, entries: Sequence[Entry], rows: Sequence[Row], against: Mapping[str, str], command: str, left: Left | None = None
) -> dict[str, str]:
    """The table in LaTeX and in HTML, by ending, with what must be read with it; arguments as of `markdown`."""
    rule, left = rule_of(entries), left or Left()
    footer = {f"Selection {rule}": RULES[rule], **_notes(entries, rows, left, CHOSEN)}
    footer |= {"Failed": "; ".join(left.failures)} if left.failures else {}
    shown = [dataclasses.replace(compared(rows, against), heading=title, footer={**footer, "Made by": command})]
    return {".tex": writer.latex(shown), ".html": writer.html(shown)}


def comma_separated(entries: Sequence[Entry]) -> str:
    """CSV, a line a run and predictor, metrics as fractions, empty where there is none; equal 'data' is equal content."""
    columns = [Column.of(name) for name in (*_COLUMNS, "data")]
    rows = []
    for entry in entries:
        values = (*(getattr(entry, name) for name in _COLUMNS), entry.source.content)
        rows.append([Cell.of(None if isinstance(value, float) and math.isnan(value) else value) for value in values])
    return writer.comma_separated([Table("", columns, rows)])


def curves(runs: Iterable[tuple[str, int, Sequence[Mapping[str, Any]]]]) -> str:
    """CSV, a line a run, predictor and evaluated epoch: the metrics as fractions, empty where there is none.

    Args:
        runs: cell, seed and the lines of metrics.jsonl of each.
    """
    columns = [Column.of(name) for name in ("cell", "seed", "predictor", "epoch", "step", *METRICS.values())]
    rows = []
    for cell, seed, lines in runs:
        for line in lines:
            for predictor, found in (line.get("predictions") or {}).items():
                values = [cell, seed, predictor, line.get("epoch"), line.get("step"), *map(found.get, METRICS.values())]
                rows.append([Cell.of(value) for value in values])
    return writer.comma_separated([Table("", columns, rows)])


def _texts(row: Row, against: Mapping[str, str], adjusted: Sequence[float]) -> list[str]:
    found = [row.cell, row.predictor, str(len(row.entries))]
    found += [cells.with_deviation(row.percent(metric)) for metric in ("unseen", "seen", "harmonic")]
    found.append(cells.bounds(row.percent("harmonic")).text)
    found += [cells.with_deviation(row.percent(metric)) for metric in ("zsl", "ausuc", "calibrated")]
    found.append(_epochs([entry.epochs for entry in row.entries if entry.epochs is not None]))
    if (of := row.against) is None:
        return [*found, *[cells.UNKNOWN] * 8]
    found += [against[row.cell], cells.signed(of["difference"]), cells.between(of["low"], of["high"], cells.signed)]
    for test, of_all in zip(_TESTS, adjusted, strict=True):
        found += [cells.probability(of[test]), cells.probability(of_all)]
    return [*found, f"{of['wins']}/{of['n']}"]


def _epochs(epochs: Sequence[int]) -> str:
    different = sorted(set(epochs))
    return ", ".join(map(str, different)) if len(different) <= 5 else f"{different[0]} … {different[-1]}"
