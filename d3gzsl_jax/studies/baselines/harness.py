"""A baseline from data to results: hyperparameters and gamma chosen on folds inside trainval, then one look at the test rows, or
none."""

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax import precision
from d3gzsl_jax.baselines.base import Baseline
from d3gzsl_jax.baselines.fit import BASELINES, fits
from d3gzsl_jax.config import check
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.evaluate import Evaluation, Evaluator
from d3gzsl_jax.evaluation.selection import CRITERIA, Trial, by_calibration, means_over_folds, merit
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.runs import sizes
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.results import assemble
from d3gzsl_jax.runs.resume import FOLDS_ONLY

CRITERION = "calibrated"
"""What baselines are chosen by: without calibration H is near 0 for every candidate of some."""


class Chosen(NamedTuple):
    """What the folds say.

    Attributes:
        hyperparameters: the candidate.
        gamma: of calibrated stacking, in units of its logits.
        metrics: its means over the folds, fractions in [0, 1]; 'calibrated' is H at gamma, and where calibration is asked for U, S
            and H are at gamma too.
        candidates: every candidate with its gamma and metrics, for the record.
    """

    hyperparameters: Mapping[str, Any]
    gamma: float
    metrics: dict[str, float]
    candidates: Sequence[Mapping[str, Any]]


def run_baseline(
    name: str, data: GZSLData, seed: int = 0, folds: int = 1, classes: float = 0.2, rows: float = 0.2, fold_seed: int = 0,
    criterion: str = CRITERION, config: Mapping[str, Any] | None = None, folder: str | Path | None = None, retrain: bool = True,
) -> dict[str, Any]:
    """Fits and evaluates a baseline as a run with config.eval.selection=validation is: same folds, same metrics, same results.

    There is one choice of hyperparameters, for the figures with and without calibration, by default by calibrated H at the same
    gamma on all folds. With config.eval.calibration=folds U, S and H are at that gamma, as those of runs are, and 'uncalibrated'
    stands beside them; else 'calibrated' does.

    Args:
        name: a key of `BASELINES`.
        data: validated.
        seed: of the fits, in [0, 2**32).
        folds, classes, rows, fold_seed: config.eval.folds, fold_classes, fold_rows and fold_seed.
        criterion: what is highest on the folds, see config.eval.criterion.
        config: nested; its 'data' and 'eval' are noted in the results, features are scaled by its data.scaling, and figures are
            calibrated by its eval.calibration, where these are given. None: nothing of the data, and what is given here.
        folder: where to write results.json; None: nowhere.
        retrain: config.eval.retrain. False: stop after the folds, whose means are the figures; no test row is looked at.

    Returns:
        What results.json holds, see `runs.results.assemble`; framework and prediction are the baseline's name.

    Raises:
        UserError: an unknown name or criterion, too few seen classes or rows of them, a folder that cannot be written.
        DivergenceError: parameters that are not finite.
    """
    if name not in BASELINES:
        raise UserError(f"unknown baseline {name!r}, expected one of {', '.join(BASELINES)}")
    if criterion not in CRITERIA:
        raise UserError(f"config.eval.criterion={criterion}: expected one of {', '.join(CRITERIA)}")
    scaling = (config or {}).get("data", {}).get("scaling", "minmax")
    calibrates, started = check.calibrates(config or {}), time.monotonic()
    of_folds = {"folds": folds, "fold_classes": classes, "fold_rows": rows, "fold_seed": fold_seed}
    benchmarks = sizes.folds_of(ConfigDict({"eval": of_folds}), data, criterion)
    target = RunFolder(str(folder), data.name) if folder else None
    with precision.scope("float32"):
        chosen = choose(BASELINES[name], benchmarks, seed, criterion, scaling, calibrates)
        entry: dict[str, Any] = {"metrics": chosen.metrics, "selection": FOLDS_ONLY}
        entry = _tested(BASELINES[name], data, chosen, seed, scaling, calibrates) if retrain else entry
    entry |= {
        "epochs": None,
        "validation": {"hyperparameters": chosen.hyperparameters, "gamma": chosen.gamma, "metrics": chosen.metrics},
        "test_selected": None,
    }
    further = {"retrain": retrain, "selection": "validation", "criterion": criterion}
    given = dict((config or {}).get("eval", {})) | of_folds | further
    noted = {"framework": name, "seed": seed, "data": dict((config or {}).get("data", {})), "eval": given}
    results = assemble(
        noted, data, {name: entry}, distillation=False, teacher=None, epochs=0, steps=0, prediction=name, interrupted=False,
        warnings=[], seconds=time.monotonic() - started, details={"candidates": chosen.candidates}, selection=entry["selection"],
    )
    if target:
        target.write("results.json", results)
    return results


def _tested(
    baseline: Baseline, data: GZSLData, chosen: Chosen, seed: int, scaling: str, calibrates: bool
) -> dict[str, Any]:
    """The chosen candidate's figures on the test rows, as results.json holds them."""
    gamma = chosen.gamma if calibrates else 0.0
    (found,) = evaluate(baseline, data, [chosen.hyperparameters], seed, scaling=scaling, gamma=gamma)
    return {
        "metrics": found.metrics,
        "selection": "validation",
        "per_class": found.by_name(data.class_names),
        **by_calibration(found, chosen.gamma, is_applied=calibrates),
    }


def choose(
    baseline: Baseline, benchmarks: Sequence[GZSLData], seed: int, criterion: str, scaling: str = "minmax", calibrates: bool = False
) -> Chosen:
    """The candidate with the highest mean of the criterion over the folds, the first among equals.

    Args:
        baseline: whose candidates.
        benchmarks: the folds, at least one.
        seed: of the fits.
        criterion: one of `selection.CRITERIA`.
        scaling: of the features, see config.data.scaling.
        calibrates: whether U, S and H are told at gamma.

    Raises:
        UserError: the criterion is known of no candidate. DivergenceError: parameters that are not finite.
    """
    candidates = baseline.candidates
    found = [evaluate(baseline, of, candidates, seed, scaling=scaling) for of in benchmarks]
    by_fold = [[Trial(one.metrics, one.curve) for one in of_fold] for of_fold in found]
    tried: list[dict[str, Any]] = []
    for candidate, over_folds in zip(candidates, zip(*by_fold, strict=True), strict=True):
        gamma, metrics = means_over_folds(over_folds, calibrates)
        tried.append({"hyperparameters": dict(candidate), "gamma": gamma, "metrics": metrics})
    if not any(math.isfinite(one["metrics"][criterion]) for one in tried):
        raise UserError(
            f"{benchmarks[0].name}: what baselines are chosen by ({criterion}) is known of none there; hold out more rows "
            "(config.eval.fold_rows) or classes (config.eval.fold_classes)"
        )
    best = max(tried, key=lambda one: merit(one["metrics"], criterion))
    return Chosen(**best, candidates=tried)


def evaluate(
    baseline: Baseline, data: GZSLData, candidates: Sequence[Mapping[str, Any]], seed: int, batch: int = 4096,
    scaling: str = "minmax", gamma: float = 0.0,
) -> Iterator[Evaluation]:
    """Fits candidates to the trainval rows of a benchmark and evaluates each on its test rows.

    Args:
        baseline: whose candidates.
        data: a benchmark or a fold.
        candidates: some of its candidates.
        seed: of the fits.
        batch: rows per prediction call.
        scaling: of the features, see config.data.scaling.
        gamma: taken off the scores of the seen classes.

    Raises:
        DivergenceError: parameters that are not finite.
    """
    arrays = scale_splits(data, kind=scaling)
    evaluator = Evaluator(arrays, data.seen_classes, data.unseen_classes, batch, on_device=True)
    predict = evaluator.predictor(_Calibrated(baseline).logits)
    off = np.where(np.isin(np.arange(data.class_count), data.seen_classes), np.float32(gamma), np.float32(0.0))
    yield from (predict(params, off) for params in fits(baseline, data, arrays, candidates, seed))


@dataclasses.dataclass(frozen=True)
class _Calibrated:
    """A baseline with something taken off the scores of each class."""

    baseline: Baseline

    def logits(self, params: Params, off: jax.Array, features: jax.Array) -> jax.Array:
        """Its scores (n, C) of features (n, dx) less `off` (C,)."""
        return self.baseline.logits(params, features) - off[None]
