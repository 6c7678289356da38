"""One trial, in whatever process: a run a seed on the folds alone, reported as they are evaluated, and perhaps stopped early."""

import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.data.calls import EvaluationSteps
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.evaluation.selection import Trial, at_gamma, merit
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.runs.fold_evaluations import read_trials
from d3gzsl_jax.studies import jobs
from d3gzsl_jax.studies.search import database
from d3gzsl_jax.studies.validation import make_plan

SECONDS, CORE_SECONDS, HOST = "seconds", "core_seconds", "host"
"""Attributes of a trial: what all starts of it took, by the clock and of the cores' time, and on which machine the last one was."""


class TrialJob(NamedTuple):
    """A trial to be done.

    Attributes:
        place: which of the search's configurations it is of.
        url, name, pruner: of its study, see `database.load`.
        own: the configuration's own settings by searched field.
        number: of the trial.
        trial_id: of the trial in the database.
        runs: a run a seed, which stops after validation.
    """

    place: int
    url: str
    name: str
    pruner: str
    own: Mapping[str, Any]
    number: int
    trial_id: int
    runs: tuple[jobs.Job, ...]


class StoppedEarly(Exception):
    """A trial is not worth going on with."""


def work(job: TrialJob) -> dict[str, Any]:
    """Does a trial, or goes on with it; returns what became of it: 'value', the mean of the criterion over folds and seeds, None
    where it was stopped early, and 'seeds', of each what its folds chose, or so far.

    Raises:
        UserError, DivergenceError, KeyboardInterrupt, Terminated: see `jobs.work`.
    """
    import optuna

    study = database.load(job.url, job.name, job.pruner, job.own)
    trial = optuna.Trial(study, job.trial_id)
    began, began_cpu, seeds = time.monotonic(), time.process_time(), list[dict[str, Any]]()
    try:
        for run in job.runs:
            listener = _Listener(trial, run, seeds, len(job.runs))
            if run.results() is None:
                jobs.work(run, listener)
            jobs.prune(Path(run.folder))
            seeds.append(_chosen(run))
    except StoppedEarly:
        jobs.prune(Path(run.folder))
        return {"value": None, "seeds": seeds}
    finally:
        took = {SECONDS: time.monotonic() - began, CORE_SECONDS: time.process_time() - began_cpu}
        before = trial.user_attrs
        for key, value in took.items():
            trial.set_user_attr(key, before.get(key, 0.0) + value)
        trial.set_user_attr(HOST, socket.gethostname())
    return {"value": float(np.mean([seed["value"] for seed in seeds])), "seeds": seeds}


class _Listener:
    """What a run's folds evaluate, told to the trial: after each evaluation the criterion at what would be chosen by what there is,
    as the mean over the seeds so far.

    Args:
        trial: of Optuna.
        run: whose folds are listened to.
        before: of the seeds that are done, what `_chosen` says.
        count: how many seeds there are.
    """

    def __init__(self, trial: Any, run: jobs.Job, before: Sequence[Mapping[str, Any]], count: int) -> None:
        self._trial, self._folder, self._config, self._before = trial, Path(run.folder), ConfigDict(run.config), list(before)
        self._epochs, self._seeds = list(_evaluated(self._config)), count

    def __call__(self, fold: int, epoch: int) -> None:
        """After an epoch of a fold has been evaluated.

        Raises:
            StoppedEarly: by what there is so far, this trial is not worth going on with.
        """
        resolved = json_files.read(self._folder / "validation" / f"fold-{fold}" / "config.json") or {}
        of, per_seed = self._config.eval, len(self._epochs) * resolved["eval"]["folds"]  # as many as suit the data, maybe
        step = len(self._before) * per_seed + fold * len(self._epochs) + self._epochs.index(epoch) + 1
        found = [
            read_trials(self._folder / "validation" / f"fold-{index}", [one for one in self._epochs if one <= epoch])
            for index in range(fold + 1)
        ]
        name, choices = make_plan(found, of.prediction, of.criterion, check.calibrates(self._config))
        value = float(np.mean([*(seed["value"] for seed in self._before), merit(choices[name].metrics, of.criterion)]))
        known = self._trial.study.get_trials(deepcopy=False)[self._trial.number].intermediate_values
        if step not in known:  # after a start that was killed it may be evaluated again, to the same bits
            self._trial.report(value, step)
        if step < self._seeds * per_seed and self._trial.should_prune():
            raise StoppedEarly


def _evaluated(config: ConfigDict) -> EvaluationSteps:
    """The epochs a fold is evaluated after."""
    return EvaluationSteps(1, ((config.eval.every_epochs, config.train.epochs),))


def _chosen(run: jobs.Job) -> dict[str, Any]:
    """What the folds of a finished run chose: predictor, epochs, the criterion there ('value') and in each fold ('folds')."""
    results, config = run.results(), ConfigDict(run.config)
    of, calibrates = config.eval, check.calibrates(config)
    assert results is not None
    name = results["prediction"]
    choice = results["predictions"][name]["validation"]
    candidate = choice["epoch"], choice["classifier_epochs"]
    root, count = Path(run.folder) / "validation", results["config"]["eval"]["folds"]
    folds = [read_trials(root / f"fold-{index}", [candidate[0]]) for index in range(count)]
    known = {metric: np.nan if value is None else value for metric, value in choice["metrics"].items()}
    return {
        "seed": run.seed, "prediction": name, "epoch": candidate[0], "classifier_epochs": candidate[1],
        "value": merit(known, of.criterion),
        "folds": [_in_fold(fold[name][candidate], of.criterion, choice["gamma"], calibrates) for fold in folds],
    }  # fmt: skip


def _in_fold(trial: Trial, criterion: str, gamma: float, calibrates: bool) -> float:
    """The criterion in one fold, at the gamma that was chosen over all."""
    if criterion == "calibrated" or (calibrates and criterion == "harmonic"):
        unseen, seen = (float(value) for value in at_gamma(trial.curve, np.asarray(gamma)))
        return harmonic_mean(unseen, seen)
    return trial.metrics[criterion]
