"""The results of an ablation as tables: a line a run and predictor or a run, predictor and evaluated epoch (CSV), and a row a cell
and predictor (Markdown)."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from d3gzsl_jax.evaluation.statistics import FEWEST, holm, interval
from d3gzsl_jax.runs.display import METRICS
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.studies.ablation.rows import CHOSEN, Entry, Row, rule_of
from d3gzsl_jax.studies.ablation.source import RULE as SOURCE_RULE
from d3gzsl_jax.studies.tables.text import markdown as escaped
from d3gzsl_jax.studies.tables.text import markdown_code
from d3gzsl_jax.text import csv_row

RULES = {
    "last": "the last epoch of every run; nothing is chosen on the test rows",
    "validation": (
        "epoch, epochs of the final classifier and calibration are chosen on classes and rows held out inside trainval; the test "
        "rows are looked at once"
    ),
    FOLDS_ONLY: "validation alone: means over classes and rows held out inside trainval; no test row was looked at",
    "test": "TEST-SELECTED: the epoch that looks best on the test rows. No results, only what published code prints",
}
"""What each selection rule means, for the heading of a table."""


_COLUMNS = (
    "cell", "seed", "predictor", "selection", "epochs", "unseen", "seen", "harmonic", "zsl", "ausuc", "calibrated", "result",
    "baseline", "seconds", "folder",
)  # fmt: skip
"""Of the CSV: attributes of an entry; after them a digest of its data."""
_TESTS = ("sign_p", "wilcoxon_p")


def markdown(
    title: str, entries: Sequence[Entry], rows: Sequence[Row], against: Mapping[str, str], command: str, failures: Sequence[str],
    missing: Sequence[str] = (),
) -> str:
    """The table with its heading and footer.

    Args:
        title: what is ablated.
        entries: of all runs.
        rows: of `rows_of`.
        against: by cell, the cell it is compared with.
        command: that makes it.
        failures: lines about runs that failed.
        missing: predictors that have no figures by the rule of the table, see `left_out`.
    """
    rule = rule_of(entries)
    headings = [
        "cell", "predictor", "seeds", "U", "S", "H", "95 % of H", "T1", "AUSUC", "H calibrated", "epoch", "compared with", "ΔH",
        "95 % of ΔH", "sign p", "sign p, Holm", "Wilcoxon p", "Wilcoxon p, Holm", "wins",
    ]  # fmt: skip
    lines = [
        f"# {escaped(title)}", "", f"Selection `{rule}`: {RULES[rule]}.", "",
        "| " + " | ".join(headings) + " |", "|" + "|".join(["---"] * 2 + ["---:"] * (len(headings) - 2)) + "|",
    ]
    adjusted = zip(*(holm(np.array([_number((row.against or {}).get(test)) for row in rows])) for test in _TESTS), strict=True)
    lines += ["| " + " | ".join(_cells(row, against, of)) + " |" for row, of in zip(rows, adjusted, strict=True)]
    harmonic = "H is the mean of the folds', H calibrated likewise, at their best gamma"
    if rule != FOLDS_ONLY:
        harmonic = "H = 2US/(U+S) of each run; H calibrated: with gamma chosen in validation"
    lines += [
        "",
        f"Percent, mean ± standard deviation (n - 1) over seeds; {harmonic}. Intervals: Student's t, 95 %. ΔH is the difference in "
        "H to the cell compared with, same predictor (its classifier where it has no such one), paired by seed; p-values are "
        f"two-sided; wins: seeds with the higher H. {SOURCE_RULE}",
    ]
    if count := sum(row.against is not None for row in rows):
        lines.append(
            f"The table makes {count} comparison{'s' * (count > 1)}; p-values called Holm are adjusted for that number (Holm "
            f"1979), intervals are not. There is no interval of fewer than {FEWEST} seeds."
        )
    if any(row.predictor == CHOSEN for row in rows):
        lines.append(f"`{CHOSEN}`: in each run the predictor that validation chose; compared with what the other cell predicts by.")
    if any(entry.baseline for entry in entries):
        lines.append(
            "Baselines have no epochs; their own settings are chosen inside trainval, by calibrated H whatever "
            "config.eval.criterion runs are chosen by."
        )
    if missing:
        named = "; ".join(map(escaped, missing))
        lines.append(f"Left out, since they are evaluated once and have no epochs to select from: {named}.")
    if failures:
        lines += ["", "Failed:", "", *(f"- {escaped(failure)}" for failure in failures)]
    return "\n".join([*lines, "", *markdown_code(command), ""])


def comma_separated(entries: Sequence[Entry]) -> str:
    """CSV, a line a run and predictor, metrics as fractions, empty where there is none; equal 'data' is equal content. A name that
    a spreadsheet would run as a formula has an apostrophe before it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*_COLUMNS, "data"])
    for entry in entries:
        values = [getattr(entry, name) for name in _COLUMNS]
        shown = ["" if value is None or (isinstance(value, float) and math.isnan(value)) else value for value in values]
        writer.writerow(csv_row([*shown, entry.source.content]))
    return buffer.getvalue()


def curves(runs: Iterable[tuple[str, int, Sequence[Mapping[str, Any]]]]) -> str:
    """CSV, a line a run, predictor and evaluated epoch: the metrics as fractions, empty where there is none.

    Args:
        runs: cell, seed and the lines of metrics.jsonl of each.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("cell", "seed", "predictor", "epoch", "step", *METRICS.values()))
    for cell, seed, lines in runs:
        for line in lines:
            for predictor, found in (line.get("predictions") or {}).items():
                values = ["" if found.get(name) is None else found[name] for name in METRICS.values()]
                writer.writerow(csv_row([cell, seed, predictor, line.get("epoch"), line.get("step"), *values]))
    return buffer.getvalue()


def spread(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, standard deviation and half the width of the 95 % interval of values (n,); NaN where there are too few of them."""
    return interval(values) if len(values) else (math.nan, math.nan, math.nan)


def with_deviation(values: np.ndarray) -> str:
    """'mean ± standard deviation' of values (n,), the mean alone where there is one value, '—' where there is none."""
    mean, deviation, _ = spread(values)
    return "—" if math.isnan(mean) else f"{mean:.1f}" + ("" if math.isnan(deviation) else f" ± {deviation:.1f}")


def _cells(row: Row, against: Mapping[str, str], adjusted: Sequence[float]) -> list[str]:
    mean, _, half = spread(row.percent("harmonic"))
    found = [escaped(row.cell), escaped(row.predictor), str(len(row.entries))]
    found += [with_deviation(row.percent(metric)) for metric in ("unseen", "seen", "harmonic")]
    found += [_range(mean - half, mean + half), *(with_deviation(row.percent(metric)) for metric in ("zsl", "ausuc", "calibrated"))]
    found.append(_epochs([entry.epochs for entry in row.entries if entry.epochs is not None]))
    if (of := row.against) is None:
        return [*found, *["—"] * 8]
    found += [escaped(against[row.cell]), _signed(of["difference"]), _range(of["low"], of["high"], _signed)]
    for test, of_all in zip(_TESTS, adjusted, strict=True):
        found += [_probability(of[test]), _probability(of_all)]
    return [*found, f"{of['wins']}/{of['n']}"]


def _range(low: Any, high: Any, show: Any = "{:.1f}".format) -> str:
    low, high = _number(low), _number(high)
    return f"{show(low)} … {show(high)}" if math.isfinite(low) and math.isfinite(high) else "—"


def _signed(value: Any) -> str:
    return "—" if math.isnan(_number(value)) else f"{value:+.1f}".replace("-", "−")  # noqa: RUF001 (a minus sign)


def _probability(value: Any) -> str:
    value = _number(value)
    return "—" if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def _epochs(epochs: Sequence[int]) -> str:
    different = sorted(set(epochs))
    return ", ".join(map(str, different)) if len(different) <= 5 else f"{different[0]} … {different[-1]}"


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
