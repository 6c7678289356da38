"""What an ablation found: an entry a run and predictor, and rows over seeds, compared by seed with those of another cell."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from d3gzsl_jax.config import check
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.evaluation.statistics import paired
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.runs.unknown_figures import of_folds
from d3gzsl_jax.studies.ablation.source import Source

CHOSEN = "chosen"
"""In place of a predictor: in each run the one that validation chose."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One predictor of one run. Metrics are fractions in [0, 1], NaN where there is none; `harmonic` follows from U and
    S, or is a mean over folds where they are.

    Attributes:
        cell, seed, predictor, selection: whose figures these are.
        epochs: the epoch they are of; None for a baseline, which has none.
        calibrated: H with the gamma chosen in validation.
        result: whether the run predicts by it (config.eval.prediction).
        chosen: whether it was left to validation what the run predicts by (config.eval.prediction=auto).
        baseline: whether it is a baseline without synthesis.
        source: the data they are of.
        at_gamma: whether U, S and H are at the gamma that folds chose (config.eval.calibration).
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
    chosen: bool
    baseline: bool
    seconds: float
    folder: str
    source: Source
    at_gamma: bool


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


def entries_of(cell: str, results: Mapping[str, Any], folder: str, baseline: bool, config: Mapping[str, Any]) -> list[Entry]:
    """The predictors of one run, but for those `left_out`.

    Args:
        cell: its name.
        results: what its results.json holds.
        folder: where, for tables.
        baseline: whether it is a baseline.
        config: nested, of the run, as it is now: the data may lie elsewhere than when it was made.
    """
    found, without = [], left_out(results)
    for name, of in results["predictions"].items():
        if name in without:
            continue
        if folds := of_folds(of):  # there are no test rows of unseen classes: the figures of the folds, and none of test rows
            of = {**of, "selection": FOLDS_ONLY, "metrics": folds}
        rule, calibrated = of.get("selection", results["selection"]), of.get("calibrated")
        if results["selection"] == "test":
            rule, of = "test", of["test_selected"]
        metrics = of["metrics"]
        unseen, seen = _number(metrics["unseen"]), _number(metrics["seen"])
        harmonic, epochs = harmonic_mean(unseen, seen), of.get("epochs", results.get("epochs"))
        at_gamma = harmonic_mean(_number(calibrated["unseen"]), _number(calibrated["seen"])) if calibrated else math.nan
        if rule == FOLDS_ONLY:  # means over folds: H is the mean of theirs
            harmonic, at_gamma = _number(metrics["harmonic"]), _number(metrics.get("calibrated"))
            epochs = (of.get("validation") or {}).get("epoch")
        found.append(
            Entry(
                cell=cell, seed=results["seed"], predictor=name, selection=rule,
                epochs=epochs, unseen=unseen, seen=seen, harmonic=harmonic, zsl=_number(metrics["zsl"]),
                ausuc=_number(metrics.get("ausuc")), calibrated=at_gamma,
                result=name == results["prediction"], chosen=config["eval"].get("prediction") == "auto", baseline=baseline,
                seconds=_number(results.get("seconds")), folder=folder,
                source=Source.of(results["digests"], config, on_folds=rule == FOLDS_ONLY), at_gamma=check.calibrates(config),
            )
        )  # fmt: skip
    return found


def left_out(results: Mapping[str, Any]) -> list[str]:
    """The predictors of a run that have no figures by its rule: where that is the test, those without epochs to select from."""
    return [name for name, of in results["predictions"].items() if results["selection"] == "test" and not of.get("test_selected")]


def rows_of(entries: Sequence[Entry], against: Mapping[str, str]) -> list[Row]:
    """A row a cell and predictor, in the order of `against`; before them, where validation chose between several, one of what it
    chose in each run.

    A predictor is compared by seed with the same predictor of the other cell; with its classifier where it has no such predictor
    (the base method has no student); with what it predicts by where it has no classifier either. What was chosen is compared with
    what the other cell predicts by. Runs are compared where their data allow it, see `Source.comparable`.

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
    results = {cell: [entry for of in predictors.values() for entry in of if entry.result] for cell, predictors in by.items()}
    found = []
    for cell, predictors in by.items():
        other = against[cell] if against[cell] != cell else ""
        if len(predictors) > 1 and (chosen := [entry for entry in results[cell] if entry.chosen]):
            chosen.sort(key=lambda entry: entry.seed)
            found.append(Row(cell, CHOSEN, tuple(chosen), _difference(chosen, results.get(other, []))))
        for name, of in predictors.items():
            base = by.get(other, {}).get(name) or by.get(other, {}).get("classifier") or results.get(other, [])
            found.append(Row(cell, name, tuple(of), _difference(of, base)))
    return found


def rule_of(entries: Sequence[Entry]) -> str:
    """The selection rule of all entries, 'last' for none. Baselines have no epoch to choose: beside runs, theirs does not count if
    it is validation, unless the runs are of the folds only, where test figures must not stand.

    Raises:
        UserError: there is more than one.
    """
    rules = {entry.selection: entry for entry in entries if not entry.baseline}
    of_baselines = {entry.selection: entry for entry in entries if entry.baseline}
    if rules and FOLDS_ONLY not in rules:
        of_baselines.pop("validation", None)
    rules |= of_baselines
    if len(rules) > 1:
        told = ", ".join(f"{rule!r} in {entry.folder}" for rule, entry in rules.items())
        raise UserError(f"selection rules differ ({told}): one table has one rule")
    return next(iter(rules), "last")


def _difference(ours: Sequence[Entry], base: Sequence[Entry]) -> dict[str, Any] | None:
    """`paired` over the seeds both have on data that can be compared, None for none."""
    theirs = {entry.seed: entry for entry in base}
    both = [(entry, theirs[entry.seed]) for entry in ours if entry.seed in theirs]
    pairs = np.array([(one.harmonic, other.harmonic) for one, other in both if one.source.comparable(other.source)])
    pairs = pairs[~np.isnan(pairs).any(axis=1)] if len(pairs) else pairs
    return dict(paired(100.0 * pairs[:, 0], 100.0 * pairs[:, 1])) if len(pairs) else None


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
