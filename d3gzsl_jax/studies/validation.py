"""Validation inside trainval: trains on folds, and chooses what the run is then trained with (config.eval.selection=validation)."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.config.check import has_distillation
from d3gzsl_jax.data.batches import Stops
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.folds import folds
from d3gzsl_jax.errors import UserError, cannot_write
from d3gzsl_jax.evaluation.predictors import Predictors
from d3gzsl_jax.evaluation.selection import CRITERIA, Candidate, Choice, Trial, choose, merit
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.runs.display import METRICS, Display
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.results import assemble
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.system import atomic, processes
from d3gzsl_jax.text import one_line

_SNAPSHOTS = 5  # numbers of epochs of the final classifier that are tried, evenly spaced
_FILE = "validation.json"


class Plan(NamedTuple):
    """What validation says: which predictor, and the choice for each, at one epoch of training (there is one model)."""

    prediction: str
    choices: dict[str, Choice]
    asked: Mapping[str, Any]
    """The configuration validation was asked for with, nested."""

    @property
    def epochs(self) -> int:
        """To train for."""
        return self.choices[self.prediction].epoch

    def settle(self, config: ConfigDict) -> ConfigDict:
        """The configuration of the run on all of trainval, evaluated once, at its end."""
        settled = config.copy_and_resolve_references()
        settled.train.epochs = settled.eval.every_epochs = self.epochs
        settled.eval.prediction = self.prediction
        if "classifier" in self.choices:
            settled.classifier.epochs = self.choices["classifier"].classifier_epochs
            settled.classifier.fit = "last"
        return settled


def classifier_snapshots(epochs: int) -> tuple[int, ...]:
    """The numbers of epochs of the final classifier that validation chooses from, ascending, up to `epochs`."""
    return tuple(sorted({math.ceil(epochs * part / _SNAPSHOTS) for part in range(1, _SNAPSHOTS + 1)}))


def write_trials(folder: Path, epoch: int, predictors: Predictors) -> None:
    """Leaves the newest evaluation of a fold where `read_trials` finds it."""
    arrays = {}
    for (name, epochs), evaluation in predictors.trials.items():
        prefix = f"{name}/{epochs}"
        arrays |= {f"{prefix}/curve/{key}": values for key, values in evaluation.curve.items()}
        arrays |= {f"{prefix}/metrics/{key}": np.float64(value) for key, value in evaluation.metrics.items()}
    target = folder / "trials" / f"{epoch}.npz"
    try:
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from None
    with atomic.replacing(target, "wb") as file:
        np.savez_compressed(file, **arrays)


def read_trials(folder: Path, epochs: Iterable[int]) -> dict[str, dict[Candidate, Trial]]:
    """By predictor and candidate, what a fold's run in `folder` left at these epochs.

    Raises:
        UserError: a file is missing or damaged.
    """
    found: dict[str, dict[Candidate, Trial]] = {}
    for epoch in epochs:
        path = folder / "trials" / f"{epoch}.npz"
        parts: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
        try:
            for key, values in (json_files.read_arrays(path) or {}).items():
                name, classifier_epochs, kind, field = key.split("/")
                parts.setdefault((name, int(classifier_epochs)), {}).setdefault(kind, {})[field] = values
            for (name, classifier_epochs), part in parts.items():
                found.setdefault(name, {})[epoch, classifier_epochs] = _trial(part)
        except (UserError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: damaged ({one_line(error)}); remove {folder} to validate anew") from None
        if not parts:
            raise UserError(f"{path}: missing or empty; remove {folder} to validate anew")
    return found


def _trial(part: Mapping[str, Mapping[str, np.ndarray]]) -> Trial:
    """What one file says of a candidate; ValueError, KeyError, TypeError: it says something else."""
    metrics, curve = {name: float(part["metrics"][name]) for name in part["metrics"]}, dict(part["curve"])
    sizes = {curve[name].shape for name in ("unseen", "seen", "gamma")}
    if len(sizes) != 1 or len(*sizes) != 1 or not {*CRITERIA, *METRICS.values()} - {"calibrated"} <= metrics.keys():
        raise ValueError("its arrays do not belong together")
    return Trial(metrics, curve)


def make_plan(
    trials: list[dict[str, dict[Candidate, Trial]]], prediction: str, criterion: str
) -> tuple[str, dict[str, Choice]]:
    """Chooses on the folds' trials: what predicts, and the choice for each predictor.

    The epoch is chosen for what predicts ('auto': for the predictor that is best); the other predictor's calibration and, for the
    final classifier, epochs are chosen at that epoch.

    Args:
        trials: one entry a fold, by predictor and candidate.
        prediction: 'student', 'classifier' or 'auto'.
        criterion: see `selection.choose`.
    """
    over_folds = {
        name: {candidate: [fold[name][candidate] for fold in trials] for candidate in candidates}
        for name, candidates in trials[0].items()
    }
    names = list(over_folds) if prediction == "auto" else [prediction]
    best = {name: choose(over_folds[name], criterion) for name in names}
    name = max(best, key=lambda one: merit(best[one].metrics, criterion))
    epoch = best[name].epoch
    at_epoch = {
        other: choose({candidate: found for candidate, found in of.items() if candidate[0] == epoch}, criterion)
        for other, of in over_folds.items()
    }
    return name, at_epoch


def curves(trials: list[dict[str, dict[Candidate, Trial]]]) -> list[dict[str, Any]]:
    """Mean metrics of every candidate, for the record."""
    found = []
    for name, candidates in trials[0].items():
        for candidate in sorted(candidates):
            by_fold = [fold[name][candidate].metrics for fold in trials]
            metrics = {key: float(np.mean([metrics[key] for metrics in by_fold])) for key in by_fold[0]}
            found.append({"prediction": name, "epoch": candidate[0], "classifier_epochs": candidate[1], "metrics": metrics})
    return found


def validate_on_folds(
    data: GZSLData, configs: Sequence[ConfigDict], folders: Sequence[RunFolder], titles: Sequence[str], display: Display,
    train_fold: Callable[[GZSLData, list[ConfigDict], list[str]], list[Mapping[str, Any]]],
) -> list[Plan]:
    """Trains runs that differ in their seed alone on the same folds, each in a folder of its own under <run>/validation, gone on
    with where it was stopped, and writes each run's validation.json.

    Args:
        data: of the runs.
        configs, folders, titles: one a run; a title begins what is said of it.
        display: where progress goes.
        train_fold: (fold, configs, folders) -> results of each; trains one fold and leaves its trials.

    Raises:
        KeyboardInterrupt: a fold was interrupted.
    """
    of = configs[0].eval
    benchmarks = processes.agreed(lambda: folds(data, of.folds, of.fold_seed, of.fold_classes, of.fold_rows))
    own = [fold_config(config) for config in configs]
    for index, benchmark in enumerate(benchmarks):
        display.say(
            f"validation fold {index + 1} of {of.folds}: {len(benchmark.unseen_classes)} of {len(data.seen_classes)} seen classes "
            f"held out, {len(benchmark.trainval)} rows to train on"
        )
        found = train_fold(benchmark, own, [str(folder.path / "validation" / f"fold-{index}") for folder in folders])
        if any(results["interrupted"] for results in found):
            raise KeyboardInterrupt
    return [_settled(*each, display.titled(title)) for *each, title in zip(configs, folders, titles, strict=True)]


def _settled(config: ConfigDict, folder: RunFolder, display: Display) -> Plan:
    """Chooses on the folds of a run."""
    evaluated = Stops(1, ((config.eval.every_epochs, config.train.epochs),))  # epochs
    root = folder.path / "validation"
    found = processes.agreed(lambda: _chosen(root, evaluated, config, folder) if processes.is_first() else None)
    found = processes.told_by_first(found)
    plan = _plan(found)
    for name, choice in plan.choices.items():
        other = "" if name == plan.prediction else f" for the {name}, at that epoch"
        display.say(
            f"chosen on validation{other}: {describe(name, choice)}; "
            f"there H {100 * choice.metrics['harmonic']:.1f}, calibrated {100 * choice.metrics['calibrated']:.1f}"
        )
    return plan


def _chosen(root: Path, evaluated: Iterable[int], config: ConfigDict, folder: RunFolder) -> dict[str, Any]:
    """What validation.json holds."""
    of = config.eval
    trials = [read_trials(root / f"fold-{index}", evaluated) for index in range(of.folds)]
    tried = [{name: sorted(candidates) for name, candidates in trial.items()} for trial in trials]
    for index, other in enumerate(tried):
        if other != tried[0]:
            raise UserError(f"{root / f'fold-{index}'}: tried something else than fold-0; remove {root} to validate anew")
    plan = Plan(*make_plan(trials, of.prediction, of.criterion), config.to_dict())
    content = {
        "prediction": plan.prediction,
        "choices": {name: choice.described() for name, choice in plan.choices.items()},
        "curves": curves(trials),
        "asked": config.to_dict(),
    }
    folder.write(_FILE, content)
    return {key: content[key] for key in ("prediction", "choices", "asked")}


def describe(name: str, choice: Choice) -> str:
    """A choice in words."""
    classifier = f", {choice.classifier_epochs} epochs of the final classifier" if name == "classifier" else ""
    return f"{name}, epoch {choice.epoch}{classifier}, gamma {choice.gamma:.3g}"


def fold_config(config: ConfigDict) -> ConfigDict:
    """The configuration of a fold's run: everything that may predict is evaluated at every evaluation."""
    own = config.copy_and_resolve_references()
    own.eval.selection, own.eval.retrain, own.log.report = "last", True, False
    own.train.resume = "auto"  # 'must' and 'never' are about the run as a whole, which has been looked at
    if own.classifier.fit != "never":
        own.classifier.fit = "every"
    if own.eval.prediction == "auto":
        own.eval.prediction = "student" if own.classifier.fit == "never" else "classifier"
    return own


def read_plan(folder: RunFolder) -> Plan | None:
    """What an earlier start of the run in `folder` chose; None if it has not yet."""
    found = folder.read(_FILE)
    if found is None:
        return None
    if found["prediction"] not in found["choices"]:
        raise UserError(f"{folder.path / _FILE}: damaged (choices holds no {found['prediction']}); restore it from a copy")
    return _plan(found)


def _plan(found: Mapping[str, Any]) -> Plan:
    fields = [field.name for field in dataclasses.fields(Choice)]
    choices = {name: Choice(**{field: choice[field] for field in fields}) for name, choice in found["choices"].items()}
    return Plan(found["prediction"], choices, found["asked"])


def report_validation(
    data: GZSLData, digest: str, config: Mapping[str, Any], plan: Plan, folder: RunFolder, display: Display
) -> dict[str, Any]:
    """Leaves what a run leaves that stops after validation (config.eval.retrain=False); returns what its results.json holds."""
    folder.write("config.json", config)
    folder.write("environment.json", {"data": {"name": data.name, "sha256": digest}, "starts": []})
    results = report_folds(data, config, plan, folder, display, plan.epochs, steps=0, interrupted=False)
    display.say("These are validation figures: no test row was looked at (config.eval.retrain=False).")
    return results


def report_folds(
    data: GZSLData, config: Mapping[str, Any], plan: Plan, folder: RunFolder, display: Display, epochs: int, steps: int,
    interrupted: bool,
) -> dict[str, Any]:
    """Writes and returns a results.json whose figures are means over the folds, and shows them; arguments as in `assemble`."""
    predictions = {
        name: {"metrics": choice.metrics, "selection": FOLDS_ONLY, "validation": choice.described(), "test_selected": None}
        for name, choice in plan.choices.items()
    }
    results = assemble(
        config, data, predictions, has_distillation(ConfigDict(config)), None, epochs, steps, plan.prediction,
        interrupted=interrupted, selection=FOLDS_ONLY,
    )
    folder.write("results.json", results)
    display.stop()
    rows = [(name, f"folds ({choice.epoch})", choice.metrics) for name, choice in plan.choices.items()]
    display.results(f"{data.name}, means over {config['eval']['folds']} folds inside trainval, percent", rows)
    return results
