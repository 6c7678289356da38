"""Validation inside trainval: trains on folds, and chooses what the run is then trained with (config.eval.selection=validation)."""

import functools
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.baselines import fit
from d3gzsl_jax.config import check, saved_config
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.calls import EvaluationSteps
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation import advice, details
from d3gzsl_jax.evaluation.selection import Candidate, Choice, Trial, choose, means_over_folds, merit
from d3gzsl_jax.runs import json_files, sizes
from d3gzsl_jax.runs.display import percent
from d3gzsl_jax.runs.fold_evaluations import read_trials
from d3gzsl_jax.runs.folder import RunFolder, plain
from d3gzsl_jax.runs.opening import OpenRun
from d3gzsl_jax.runs.resume import disagreement
from d3gzsl_jax.runs.validation_plan import FILE, Plan, describe, plan_of, report_folds
from d3gzsl_jax.studies.baselines import within_run
from d3gzsl_jax.system import processes
from d3gzsl_jax.train import OpenRuns, open_runs, train_open
from d3gzsl_jax.training import build


def validate_and_train(opened: OpenRuns, overrides: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Chooses on folds for the runs that are not finished, then trains them on all of trainval, unless config.eval.retrain is off.

    Args:
        opened: runs whose config.eval.selection is 'validation'.
        overrides: which fields of the configurations were set by hand, for the record.

    Returns:
        What the results.json of each holds.

    Raises:
        KeyboardInterrupt: a fold was interrupted.
    """
    todo = opened.unfinished
    if not todo:
        return []
    plans = validate_on_folds(opened)
    if todo[0].start.config.eval.retrain:
        return train_open(opened, plans, overrides)
    return [_report_validation(opened, one, plan) for one, plan in zip(todo, plans, strict=True)]


def validate_on_folds(opened: OpenRuns) -> list[Plan]:
    """Trains the runs that are not finished on the same folds, each in a folder of its own under <run>/validation, gone on with
    where it was stopped, and writes each run's validation.json.

    Raises:
        KeyboardInterrupt: a fold was interrupted.
    """
    todo, data, of = opened.unfinished, opened.data, opened.runs[0].start.config.eval
    benchmarks = processes.agreed(lambda: sizes.folds_of(opened.runs[0].start.config, data))
    # What a fold is too small for is said before the first one is trained.
    of_fold = fold_config(opened.runs[0].start.config)
    processes.agreed(lambda: [build.build(of_fold, benchmark) for benchmark in benchmarks] and None)
    as_they_are = " (figures by epoch are without calibration)" if check.calibrates(opened.runs[0].start.config) else ""
    for index, benchmark in enumerate(benchmarks):
        opened.display.say(
            f"validation fold {index + 1} of {of.folds}: {len(benchmark.unseen_classes)} of {len(data.seen_classes)} seen classes "
            f"held out, {len(benchmark.trainval)} rows to train on{as_they_are}"
        )
        starts = [
            one.start._replace(
                config=fold_config(one.start.config), workdir=str(one.folder.path / "validation" / f"fold-{index}"),
                listener=functools.partial(one.start.listener, index) if one.start.listener else None,
            )
            for one in todo
        ]
        with open_runs(benchmark, starts, opened.display, is_fold=True, signals=opened.signals) as fold:
            train_open(fold)
        opened.signals.leave_after(f"stopped at validation fold {index + 1} of {of.folds}")
    return [_settled(opened, one, benchmarks) for one in todo]


def _settled(opened: OpenRuns, one: OpenRun, benchmarks: Sequence[GZSLData]) -> Plan:
    """Chooses on the folds of a run."""
    config, folder, display = one.start.config, one.folder, one.display
    evaluated = EvaluationSteps(1, ((config.eval.every_epochs, config.train.epochs),))  # epochs
    root = folder.path / "validation"
    of_baselines = _chosen_baselines(one, benchmarks, opened.digest)
    asked = root, evaluated, config, folder, of_baselines, benchmarks, opened.digest
    found = processes.agreed(lambda: _chosen(*asked) if processes.is_first() else None)
    found = processes.told_by_first(found)
    plan = plan_of(found)._replace(
        baselines={
            name: fit.fitted(name, chosen, opened.data, config.seed, config.data.scaling)
            for name, chosen in (found.get("baselines") or {}).items()
        }
    )
    for name, choice in plan.choices.items():
        other = "" if name == plan.prediction else f" for the {name}, at that epoch"
        without = "" if check.calibrates(config) else f"H {100 * choice.metrics['harmonic']:.1f}, "
        reached = f"{without}calibrated{'' if without else ' H'} {100 * choice.metrics['calibrated']:.1f}"
        display.say(f"chosen on validation{other}: {describe(name, choice)}; there {reached}")
    return plan


def _chosen_baselines(one: OpenRun, benchmarks: Sequence[GZSLData], digest: str) -> dict[str, Any]:
    """By baseline what the folds choose; what an earlier start of the run chose is taken from its validation.json, where it was
    asked the same of the same data. `digest`: of that."""
    of = one.start.config
    names = check.baselines(of)
    names = tuple(fit.possible(names, benchmarks[0])) if names else ()
    before = processes.told_by_first(_chosen_before(one, digest) if processes.is_first() else None) if names else {}
    found = {}
    for name in names:
        chosen, since = before.get(name), time.monotonic()
        with one.display.doing(f"fitting the baseline {name}"):
            found[name] = chosen or within_run.chosen_on_folds(
                name, benchmarks, of.seed, of.data.scaling, check.calibrates(of)
            )
        took = "as before" if chosen else f"{time.monotonic() - since:.0f} s"
        one.display.say(f"baseline {name} on validation: calibrated H {percent(found[name]['metrics']['calibrated'])} ({took})")
    return found


def _chosen_before(one: OpenRun, digest: str) -> dict[str, Any]:
    """What an earlier start of the run chose for its baselines; {} where nothing is, or where something else was asked, or the data
    was another: its digest is compared."""
    found = one.folder.read(FILE) or {}
    if found.get("data") != digest or disagreement(saved_config.with_added(found["asked"]), plain(one.start.config.to_dict())):
        return {}
    chosen = found.get("baselines") or {}
    known = lambda metrics: {name: math.nan if value is None else value for name, value in metrics.items()}  # noqa: E731
    return {name: {**of, "metrics": known(of["metrics"])} for name, of in chosen.items()}


def _chosen(
    root: Path, evaluated: Iterable[int], config: ConfigDict, folder: RunFolder, baselines: Mapping[str, Any],
    benchmarks: Sequence[GZSLData], digest: str,
) -> dict[str, Any]:
    """What validation.json holds."""
    of = config.eval
    trials = [read_trials(root / f"fold-{index}", evaluated) for index in range(of.folds)]
    tried = [{name: sorted(candidates) for name, candidates in trial.items()} for trial in trials]
    for index, other in enumerate(tried):
        if other != tried[0]:
            raise UserError(f"{root / f'fold-{index}'}: tried something else than fold-0; remove {root} to validate anew")
    calibrates = check.calibrates(config)
    plan = Plan(*make_plan(trials, of.prediction, of.criterion, calibrates), config.to_dict())
    tried_curves = curves(trials, calibrates)
    of_folds = [json_files.read(root / f"fold-{index}" / "results.json") or {} for index in range(of.folds)]
    content = {
        "prediction": plan.prediction,
        "choices": {name: choice.described() for name, choice in plan.choices.items()},
        "curves": tried_curves,
        "asked": config.to_dict(),
        "data": digest,
        "advice": _advice(plan, tried_curves, baselines, of_folds, benchmarks),
        **({"baselines": dict(baselines)} if baselines else {}),
        "seconds": round(sum(map(_seconds, of_folds)), 2),
    }
    folder.write(FILE, content)
    return {key: content[key] for key in content if key != "curves"}


def _advice(
    plan: Plan, tried: Sequence[Mapping[str, Any]], baselines: Mapping[str, Any], of_folds: Sequence[Mapping[str, Any]],
    benchmarks: Sequence[GZSLData],
) -> list[str]:
    """What follows from the folds, see evaluation/advice.py; `of_folds`: results.json of each."""
    choice = plan.choices[plan.prediction]
    # At each epoch by the final classifier's epochs that were chosen: the best of them each time would flatter the curve.
    chosen = plan.prediction, choice.classifier_epochs
    by_epoch = {
        one["epoch"]: one["metrics"]["harmonic"] for one in tried if (one["prediction"], one["classifier_epochs"]) == chosen
    }
    of_baselines = {name: found["metrics"] for name, found in baselines.items()}
    told = advice.of_baselines(choice.metrics, of_baselines, plan.uses_best, plan.prediction)
    told += advice.of_training(sorted(by_epoch.items()), choice.epoch, advice.longer_training(plan.asked["train"]))
    means = [_nearest(results) for results in of_folds]
    known = [value for value in means if value is not None]
    nearest = float(np.mean(known)) if len(known) == len(means) else None
    classes, rows = _held_out(benchmarks)
    predicts = advice.best_baseline(choice.metrics, of_baselines) if plan.uses_best else ""
    told += advice.of_unseen((of_baselines[predicts] if predicts else choice.metrics).get("zsl", math.nan), classes)
    told += advice.of_few_classes(min(len(of.unseen_classes) for of in benchmarks))
    return told + advice.of_generator(nearest, classes, rows, "the classes that folds held out")


def _seconds(results: Mapping[str, Any]) -> float:
    """How long a fold took; 0 where that is not known."""
    return float(results.get("seconds") or 0.0)


def _nearest(results: Mapping[str, Any]) -> float | None:
    """How near the rows that a fold's generator makes of its held-out classes are to real ones; None where it was not measured."""
    value = ((results.get("details") or {}).get("generator") or {}).get("nearest_real_class")
    return value if isinstance(value, int | float) else None


def _held_out(benchmarks: Sequence[GZSLData]) -> tuple[int, int]:
    """How many held-out classes a fold measures its generator between, the fewest of them, and how many rows of the data these have
    over all folds, each counted once."""
    classes, rows = [], []
    for of in benchmarks:
        labels = of.labels[of.test_unseen]
        measured = details.measured_classes(of.unseen_classes, labels)
        classes.append(len(measured))
        held = of.test_unseen[np.isin(labels, measured)]
        rows.append(held if of.file_rows is None else of.file_rows[held])
    return min(classes), len(np.unique(np.concatenate(rows)))


def fold_config(config: ConfigDict) -> ConfigDict:
    """The configuration of a fold's run: everything that may predict is evaluated at every evaluation."""
    own = config.copy_and_resolve_references()
    own.eval.selection, own.eval.retrain, own.eval.baselines, own.log.report, own.log.wandb = "last", True, "", False, False
    own.eval.calibration = "none"  # gamma is chosen over all folds, not within one
    own.train.resume = "auto"  # 'must' and 'never' are about the run as a whole, which has been looked at
    if own.classifier.fit != "never":
        own.classifier.fit = "every"
    if own.eval.prediction == "auto":
        own.eval.prediction = "student" if own.classifier.fit == "never" else "classifier"
    return own


def _report_validation(opened: OpenRuns, one: OpenRun, plan: Plan) -> dict[str, Any]:
    """Leaves what a run leaves that stops after validation (config.eval.retrain=False); returns what its results.json holds."""
    config, folder, display, data = one.start.config.to_dict(), one.folder, one.display, opened.data
    folder.write("config.json", saved_config.content(config))
    folder.write("environment.json", {"data": {"name": data.name, "sha256": opened.digest}, "starts": []})
    results = report_folds(data, config, plan, folder, display, plan.epochs, steps=0, interrupted=False)
    display.say("These are validation figures: no test row was looked at (config.eval.retrain=False).")
    return results


def make_plan(
    trials: list[dict[str, dict[Candidate, Trial]]], prediction: str, criterion: str, calibrates: bool = False
) -> tuple[str, dict[str, Choice]]:
    """Chooses on the folds' trials: what predicts, and the choice for each predictor.

    The epoch is chosen for what predicts ('auto': for the predictor that is best), and the final classifier's epochs where it has
    part in that; the others' calibration and, else, the final classifier's epochs are chosen at that epoch. There is one final
    classifier: an ensemble is chosen with its epochs.

    Args:
        trials: one entry a fold, by predictor and candidate.
        prediction: 'student', 'classifier', 'ensemble' or 'auto'.
        criterion, calibrates: see `selection.choose`.
    """
    over_folds = {
        name: {candidate: [fold[name][candidate] for fold in trials] for candidate in candidates}
        for name, candidates in trials[0].items()
    }
    names = list(over_folds) if prediction == "auto" else [prediction]
    best = {name: choose(over_folds[name], criterion, calibrates) for name in names}
    name = max(best, key=lambda one: merit(best[one].metrics, criterion))
    at, fitted = best[name].epoch, best[name].classifier_epochs
    choices: dict[str, Choice] = {}
    for other in (name, *(other for other in over_folds if other != name)):
        allowed = {one: found for one, found in over_folds[other].items() if one[0] == at and one[1] in (fitted or one[1], 0)}
        choices[other] = choose(allowed, criterion, calibrates)
        fitted = fitted or choices[other].classifier_epochs
    return name, {other: choices[other] for other in over_folds}


def curves(trials: list[dict[str, dict[Candidate, Trial]]], calibrates: bool = False) -> list[dict[str, Any]]:
    """Mean metrics of every candidate, for the record; `calibrates`: U, S and H at the gamma that is best for it."""
    found = []
    for name, candidates in trials[0].items():
        for candidate in sorted(candidates):
            _, metrics = means_over_folds([fold[name][candidate] for fold in trials], calibrates)
            found.append({"prediction": name, "epoch": candidate[0], "classifier_epochs": candidate[1], "metrics": metrics})
    return found
