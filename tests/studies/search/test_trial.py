"""Trials that train."""

import json

import numpy as np
import pytest

from d3gzsl_jax import main as program
from d3gzsl_jax.errors import Terminated
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.evaluation.selection import Trial
from d3gzsl_jax.studies import jobs
from d3gzsl_jax.studies.search import database, trial
from tests import small

pytestmark = pytest.mark.slow


@pytest.fixture
def quick(tmp_path):
    """A configuration whose run takes seconds, chosen by a criterion that few epochs move."""
    file = small.write_quick_config(
        tmp_path, train__epochs=2, classifier__epochs=2, train__n_critic=1, classifier__n_syn=20, eval__every_epochs=1,
        eval__folds=2, eval__criterion="ausuc",
    )
    return f"{file}:base"


def test_folds_that_the_data_decides_are_all_listened_to(tmp_path):
    """Digits have four of them: of two evaluations each, by two seeds, sixteen values are reported."""
    file = small.write_quick_config(
        tmp_path, train__epochs=2, classifier__epochs=2, train__n_critic=1, classifier__n_syn=20, eval__every_epochs=1, eval__folds=0,
    )
    assert search(f"{file}:base", tmp_path / "out", "--trials", "1", "--seeds", "2") == 0
    (one,) = entry(tmp_path / "out")["trials"]
    assert list(one["reported"]) == [str(step) for step in range(1, 17)]
    assert [len(seed["folds"]) for seed in one["seeds"]] == [4, 4]


def search(spec, output, *arguments):
    database.storage_of.cache_clear()
    fields = ["--field", "train.learning_rate=1e-3,1e-6", "--workers", "1"]
    return program.main(["search", "--config", spec, *fields, *arguments, "--output", str(output)])


def entry(output):
    (found,) = json.loads((output / "search.json").read_text())
    return found


def without_clock(found):
    return [{key: value for key, value in one.items() if key not in ("seconds", "core_seconds")} for one in found["trials"]]


def test_a_trial_is_worth_what_its_folds_chose_and_is_gone_on_with_where_it_was_stopped(quick, tmp_path, monkeypatch, capsys):
    at_once, in_parts = tmp_path / "at-once", tmp_path / "in-parts"
    assert search(quick, at_once, "--trials", "1", "--seeds", "2") == 0
    found = entry(at_once)
    for number, one in enumerate(found["trials"]):
        assert one["state"] == "done" and one["value"] == pytest.approx(np.mean([seed["value"] for seed in one["seeds"]]))
        assert one["seconds"] > 0 and one["core_seconds"] > 0 and list(one["reported"]) == [str(step) for step in range(1, 9)]
        for seed in one["seeds"]:
            results = json.loads((at_once / f"quick-base/trial-000{number}/seed-{seed['seed']}/results.json").read_text())
            assert results["selection"] == "folds only" and results["prediction"] == seed["prediction"]
            assert results["config"]["seed"] == seed["seed"] and results["config"]["eval"]["retrain"] is False
            chosen = results["predictions"][seed["prediction"]]["validation"]
            assert (chosen["epoch"], chosen["metrics"]["ausuc"]) == (seed["epoch"], pytest.approx(seed["value"]))
            assert len(seed["folds"]) == 2 and np.mean(seed["folds"]) == pytest.approx(seed["value"])
        # After the last evaluation of a seed, what was reported is what its folds chose.
        assert one["reported"]["4"] == pytest.approx(one["seeds"][0]["value"]) and one["reported"]["8"] == pytest.approx(one["value"])
    assert not list(at_once.glob("**/checkpoints")) and not (at_once / "quick-base" / "best").exists()

    # Stopped in the middle of the second fold, and gone on with by the same command.
    listen, heard = trial._Listener.__call__, []

    def stopped(self, fold, epoch):
        listen(self, fold, epoch)
        heard.append((fold, epoch))
        if len(heard) == 3:
            raise Terminated

    monkeypatch.setattr(trial._Listener, "__call__", stopped)
    assert search(quick, in_parts, "--trials", "1", "--seeds", "2") == 143
    assert "d3gzsl search: stopped; the same command goes on" in capsys.readouterr().err
    assert heard == [(0, 1), (0, 2), (1, 1)] and [one["state"] for one in entry(in_parts)["trials"]] == ["begun"]
    fold = next(in_parts.glob("quick-base/trial-0000/seed-0/validation/fold-0/results.json"))
    before = fold.stat().st_mtime_ns
    assert search(quick, in_parts, "--trials", "1", "--seeds", "2") == 0
    assert fold.stat().st_mtime_ns == before and without_clock(entry(in_parts)) == without_clock(found)


def test_a_trial_that_looks_bad_is_stopped_early(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(database, "_STARTUP", 1)
    listen, heard = trial._Listener.__call__, {}

    def worse(self, fold, epoch):
        heard.setdefault(self._trial.number, []).append((fold, epoch))
        if self._trial.number:
            monkeypatch.setattr(trial, "merit", lambda metrics, criterion: 0.0)
        listen(self, fold, epoch)

    monkeypatch.setattr(trial._Listener, "__call__", worse)
    assert search(quick, tmp_path / "out", "--trials", "2") == 0
    assert heard == {0: [(0, 1), (0, 2), (1, 1), (1, 2)], 1: [(0, 1)]}
    own, early = entry(tmp_path / "out")["trials"]
    assert (own["state"], early["state"], early["value"], early["reported"]) == ("done", "stopped early", None, {"1": 0.0})
    assert "[2/2] quick:base, trial 1: stopped early; best " in capsys.readouterr().out
    assert not list((tmp_path / "out").glob("**/checkpoints"))
    # It is one of the trials: there is no other in its place.
    assert search(quick, tmp_path / "out", "--trials", "2") == 0
    assert "2 of 2 trials are done already" in capsys.readouterr().out


def test_in_a_fold_calibrated_h_is_at_the_gamma_of_all_folds():
    curve = {"gamma": np.array([2.0, 1.0, 0.0]), "unseen": np.array([1.0, 0.5, 0.0]), "seen": np.array([0.0, 0.25, 1.0])}
    one = Trial({"harmonic": 0.7, "zsl": 0.9}, curve)
    assert trial._in_fold(one, "zsl", 1.0, True) == 0.9 and trial._in_fold(one, "harmonic", 1.0, False) == 0.7
    for criterion, calibrates in (("calibrated", False), ("harmonic", True)):
        assert trial._in_fold(one, criterion, 1.0, calibrates) == pytest.approx(harmonic_mean(0.5, 0.25))


def test_every_run_of_a_trial_stops_before_the_test_rows(tmp_path, monkeypatch):
    fields = {"eval__retrain": True, "eval__selection": "validation", "eval__baselines": "eszsl"}
    quick = small.write_quick_config(tmp_path, **fields)
    asked = []

    def stopped(config, *_, **__):
        asked.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "train", stopped)
    assert search(quick, tmp_path / "out", "--trials", "1") == 130
    (config,) = asked
    assert (config.eval.selection, config.eval.retrain, config.eval.baselines) == ("validation", False, "")
