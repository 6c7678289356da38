"""Calibrated stacking: gamma off the seen logits, as a parameter of the predictor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.evaluation.calibration import calibrated_logits, offset
from d3gzsl_jax.evaluation.curves import Best, trade_off
from d3gzsl_jax.evaluation.selection import Trial, at_gamma, choose, means_over_folds


class Linear:
    """A predictor as others are: logits by a method of parameters and rows."""

    def logits(self, params, features):
        return features @ params


def test_gamma_is_taken_off_the_seen_classes():
    rng = np.random.default_rng(0)
    rows, params = rng.standard_normal((5, 3)).astype(np.float32), rng.standard_normal((3, 4)).astype(np.float32)
    at, seen = offset(0.5, np.array([1, 3]), 4), np.array([[0.0, 0.5, 0.0, 0.5]], np.float32)
    np.testing.assert_array_equal(at, seen)
    of = calibrated_logits(Linear().logits)
    plain = np.asarray(of.as_they_are(params, at, rows))
    np.testing.assert_allclose(plain, rows @ params, rtol=1e-6)
    np.testing.assert_array_equal(of.logits(params, at, rows), plain - seen)
    np.testing.assert_array_equal(of.logits(params, np.zeros((1, 4), np.float32), rows), plain)


def test_predictors_that_differ_in_gamma_are_one_program():
    traces = []

    def logits(params, features):
        traces.append(0)
        return features @ params

    predict = jax.jit(calibrated_logits(logits).logits)
    for gamma in (0.0, 0.5, -2.0):
        predict(jnp.eye(3), offset(gamma, np.array([0]), 3), jnp.ones((2, 3)))
    assert len(traces) == 1


def curve(seed):
    rng = np.random.default_rng(seed)
    best = lambda: Best(rng.choice([0, 1], 40), rng.standard_normal(40), rng.choice([2, 3], 40), rng.standard_normal(40))  # noqa: E731
    labels = rng.choice([0, 1], 40), rng.choice([2, 3], 40)
    return trade_off(best(), labels[0], best(), labels[1], np.array([0, 1]), np.array([2, 3]))


def test_figures_of_folds_are_at_gamma_where_the_run_predicts_at_it():
    trials = [Trial({"unseen": 0.1, "seen": 0.9, "harmonic": 0.18, "zsl": 0.5, "ausuc": 0.4}, curve(seed)) for seed in (0, 1)]
    gamma, plain = means_over_folds(trials)
    same, found = means_over_folds(trials, calibrates=True)
    assert gamma == same and plain["harmonic"] == pytest.approx(0.18) and found["calibrated"] == plain["calibrated"]
    for index, name in enumerate(("unseen", "seen")):
        assert found[name] == pytest.approx(np.mean([at_gamma(trial.curve, gamma)[index] for trial in trials]))
    assert found["harmonic"] == found["calibrated"] and (found["zsl"], found["ausuc"]) == (plain["zsl"], plain["ausuc"])


def test_a_candidate_that_needs_calibration_is_chosen_only_where_it_gets_it():
    balanced = {"gamma": np.array([1.0, 0.0]), "unseen": np.array([0.5, 0.5]), "seen": np.array([0.0, 0.5])}
    better = {"gamma": np.array([1.0, 0.0]), "unseen": np.array([0.9, 0.0]), "seen": np.array([0.9, 1.0])}
    metrics = {"zsl": 0.5, "ausuc": 0.5}
    trials = {
        (1, 0): [Trial({"unseen": 0.5, "seen": 0.5, "harmonic": 0.5} | metrics, balanced)],
        (2, 0): [Trial({"unseen": 0.0, "seen": 1.0, "harmonic": 0.0} | metrics, better)],
    }
    assert choose(trials, "harmonic").epoch == 1
    chosen = choose(trials, "harmonic", calibrates=True)
    assert (chosen.epoch, chosen.metrics["harmonic"]) == (2, pytest.approx(0.9))
