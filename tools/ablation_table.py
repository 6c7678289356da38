"""The results of an ablation as tables: a line a run and predictor (CSV), and a row a cell and predictor (Markdown)."""

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.evaluation.statistics import interval, paired
from d3gzsl_jax.runs.resume import FOLDS_ONLY

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


@dataclasses.dataclass(frozen=True)
class Entry:
    """One predictor of one run. Metrics are fractions in [0, 1], NaN where there is none; `harmonic` follows from U and
    S, or is a mean over folds where they are.

    Attributes:
        cell, seed, predictor, selection: whose figures these are.
        epochs: the epoch they are of; None for a baseline, which has none.
        calibrated: H with the gamma chosen in validation.
        result: whether the run predicts by it (config.eval.prediction).
        baseline: whether it is a closed-form baseline.
    """

    cell: str
    seed: int
    predictor: str
    selection: str
    epochs: int | None
    unseen: float
    seen: float
    harmonic: float
    zsl: float
    ausuc: float
    calibrated: float
    result: bool
    baseline: bool
    seconds: float
    folder: str


@dataclasses.dataclass(frozen=True)
class Row:
    """One predictor of one cell over its seeds; `against`: `paired` in percent, or None for no comparison."""

    cell: str
    predictor: str
    entries: tuple[Entry, ...]
    against: Mapping[str, Any] | None

    def percent(self, metric: str) -> np.ndarray:
        """The metric of each seed, (seeds,) in percent, without NaN."""
        values = 100.0 * np.array([getattr(entry, metric) for entry in self.entries])
        return values[~np.isnan(values)]


def entries_of(cell: str, results: Mapping[str, Any], folder: str, baseline: bool) -> list[Entry]:
    """The predictors of one run, from what its results.json holds."""
    found = []
    for name, of in results["predictions"].items():
        rule, calibrated = of.get("selection", results["selection"]), of.get("calibrated")
        if rule == "test" and of.get("test_selected"):
            of = of["test_selected"]
        metrics = of["metrics"]
        unseen, seen = _number(metrics["unseen"]), _number(metrics["seen"])
        harmonic, epochs = harmonic_mean(unseen, seen), of.get("epochs", results.get("epochs"))
        at_gamma = harmonic_mean(_number(calibrated["unseen"]), _number(calibrated["seen"])) if calibrated else math.nan
        if rule == FOLDS_ONLY:  # means over folds: H is the mean of theirs
            harmonic, at_gamma, epochs = metrics["harmonic"], _number(metrics.get("calibrated")), of["validation"]["epoch"]
        found.append(
            Entry(
                cell=cell, seed=results["seed"], predictor=name, selection=rule,
                epochs=epochs, unseen=unseen, seen=seen, harmonic=harmonic, zsl=_number(metrics["zsl"]),
                ausuc=_number(metrics.get("ausuc")), calibrated=at_gamma,
                result=name == results["prediction"], baseline=baseline, seconds=_number(results.get("seconds")), folder=folder,
            )
        )
    return found


def rows_of(entries: Sequence[Entry], against: Mapping[str, str]) -> list[Row]:
    """A row a cell and predictor, in the order of `against`.

    A predictor is compared by seed with the same predictor of the other cell; with its classifier where it has no such predictor
    (the base method has no student); with what it predicts by where it has no classifier either.

    Args:
        entries: of all runs.
        against: by cell, the cell it is compared with; its own name for none.

    Raises:
        UserError: entries follow different selection rules, which one table must not hold.
    """
    rule_of(entries)
    by: dict[str, dict[str, list[Entry]]] = {cell: {} for cell in against}
    for entry in sorted(entries, key=lambda entry: entry.seed):
        by[entry.cell].setdefault(entry.predictor, []).append(entry)
    found = []
    for cell, predictors in by.items():
        other = by.get(against[cell], {}) if against[cell] != cell else {}
        result = next((name for name, of in other.items() if of[0].result), None)
        for name, of in predictors.items():
            base = other.get(name) or other.get("classifier") or (other[result] if result else [])
            found.append(Row(cell, name, tuple(of), _difference(of, base)))
    return found


def rule_of(entries: Sequence[Entry]) -> str:
    """The selection rule of all entries, 'last' for none. Baselines have no epoch to choose, so theirs does not count, unless it
    is the test.

    Raises:
        UserError: there is more than one.
    """
    rules = {entry.selection: entry for entry in entries if not entry.baseline or entry.selection == "test"}
    if len(rules) > 1:
        told = ", ".join(f"{rule!r} in {entry.folder}" for rule, entry in rules.items())
        raise UserError(f"selection rules differ ({told}): one table has one rule")
    return next(iter(rules), "last")


def markdown(
    title: str, entries: Sequence[Entry], rows: Sequence[Row], against: Mapping[str, str], command: str, failures: Sequence[str]
) -> str:
    """The table with its heading and footer.

    Args:
        title: what is ablated.
        entries: of all runs.
        rows: of `rows_of`.
        against: by cell, the cell it is compared with.
        command: that makes it.
        failures: lines about runs that failed.
    """
    rule = rule_of(entries)
    headings = [
        "cell", "predictor", "seeds", "U", "S", "H", "95 % of H", "T1", "AUSUC", "H calibrated", "epoch", "compared with", "ΔH",
        "95 % of ΔH", "sign p", "Wilcoxon p", "wins",
    ]  # fmt: skip
    lines = [
        f"# {title}", "", f"Selection `{rule}`: {RULES[rule]}.", "",
        "| " + " | ".join(headings) + " |", "|" + "|".join(["---"] * 2 + ["---:"] * (len(headings) - 2)) + "|",
    ]
    lines += ["| " + " | ".join(_cells(row, against)) + " |" for row in rows]
    lines += [
        "",
        "Percent, mean ± standard deviation (n - 1) over seeds; H = 2US/(U+S) of each run. Intervals: Student's t, 95 %. ΔH is the "
        "difference in H to the cell compared with, same predictor (its classifier where it has no such one), paired by seed; "
        "p-values are two-sided; wins: seeds with the higher H. H calibrated: with gamma chosen in validation.",
    ]
    if any(entry.baseline for entry in entries):
        lines.append("Baselines have no epochs; their own settings are chosen inside trainval.")
    if failures:
        lines += ["", "Failed:", "", *(f"- {failure}" for failure in failures)]
    return "\n".join([*lines, "", "```bash", command, "```", ""])


def comma_separated(entries: Sequence[Entry]) -> str:
    """CSV, a line a run and predictor, metrics as fractions, empty where there is none."""
    buffer = io.StringIO()
    names = [field.name for field in dataclasses.fields(Entry)]
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for entry in entries:
        values = dataclasses.astuple(entry)
        writer.writerow(["" if value is None or (isinstance(value, float) and math.isnan(value)) else value for value in values])
    return buffer.getvalue()


def spread(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, standard deviation and half the width of the 95 % interval of values (n,); NaN where there are too few of them."""
    return interval(values) if len(values) else (math.nan, math.nan, math.nan)


def replace(path: Path, content: str | bytes) -> None:
    """Writes a file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content if isinstance(content, bytes) else content.encode())
    part.replace(path)


def _difference(ours: Sequence[Entry], base: Sequence[Entry]) -> dict[str, Any] | None:
    """`paired` over the seeds both have, None for none."""
    theirs = {entry.seed: entry.harmonic for entry in base}
    pairs = [(entry.harmonic, theirs[entry.seed]) for entry in ours if entry.seed in theirs]
    pairs = np.array([pair for pair in pairs if not np.isnan(pair).any()])
    return dict(paired(100.0 * pairs[:, 0], 100.0 * pairs[:, 1])) if len(pairs) else None


def _cells(row: Row, against: Mapping[str, str]) -> list[str]:
    mean, _, half = spread(row.percent("harmonic"))
    found = [_text(row.cell), row.predictor, str(len(row.entries))]
    found += [_mean(row.percent(metric)) for metric in ("unseen", "seen", "harmonic")]
    found += [_range(mean - half, mean + half), *(_mean(row.percent(metric)) for metric in ("zsl", "ausuc", "calibrated"))]
    found.append(_epochs([entry.epochs for entry in row.entries if entry.epochs is not None]))
    if (of := row.against) is None:
        return [*found, *["—"] * 6]
    found += [_text(against[row.cell]), _signed(of["difference"]), _range(of["low"], of["high"], _signed)]
    return [*found, _probability(of["sign_p"]), _probability(of["wilcoxon_p"]), f"{of['wins']}/{of['n']}"]


def _mean(values: np.ndarray) -> str:
    mean, deviation, _ = spread(values)
    return "—" if math.isnan(mean) else f"{mean:.1f}" + ("" if math.isnan(deviation) else f" ± {deviation:.1f}")


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


def _text(name: str) -> str:
    return name.replace("|", "\\|")


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
