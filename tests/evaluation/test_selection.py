"""Choices on folds: exact gammas against brute force, and the candidate with the highest mean."""

import numpy as np
import pytest

from d3gzsl_jax.evaluation.curves import Best, area, trade_off
from d3gzsl_jax.evaluation.metrics import harmonic_mean, mean_over_classes, per_class_accuracy
from d3gzsl_jax.evaluation.selection import Trial, at_gamma, best_gamma, choose, means_over_folds

SEEN, UNSEEN = np.arange(3), np.arange(3, 5)


def best_of(logits):
    return Best(
        SEEN[logits[:, SEEN].argmax(1)], logits[:, SEEN].max(1), UNSEEN[logits[:, UNSEEN].argmax(1)], logits[:, UNSEEN].max(1)
    )


def case(rng):
    """Logits and labels of seen and of unseen rows; coarse values, so that margins tie."""
    logits = [np.round(rng.normal(size=(n, 5)), 1) for n in (12, 9)]
    labels = [rng.choice(SEEN, 12), rng.choice(UNSEEN, 9)]
    return logits, labels


def curve_of(logits, labels):
    return trade_off(best_of(logits[0]), labels[0], best_of(logits[1]), labels[1], SEEN, UNSEEN)


def brute(logits, labels, gamma):
    """U and S with gamma subtracted from the seen logits, ties to the seen class."""
    found = []
    for rows, truth, classes in zip(logits, labels, (SEEN, UNSEEN), strict=True):
        best = best_of(rows)
        is_seen = best.seen_logit - best.unseen_logit >= gamma
        predicted = np.where(is_seen, best.seen_class, best.unseen_class)
        found.append(mean_over_classes(per_class_accuracy(predicted, truth, classes)))
    return found[1], found[0]


def test_accuracies_at_any_gamma(rng):
    for _ in range(50):
        logits, labels = case(rng)
        curve = curve_of(logits, labels)
        for gamma in np.concatenate([rng.uniform(-4, 4, 20), curve["gamma"]]):
            np.testing.assert_allclose(at_gamma(curve, gamma), brute(logits, labels, gamma), atol=1e-12)


@pytest.mark.slow
def test_the_best_gamma_over_folds_is_the_best_of_all(rng):
    for _ in range(30):
        cases = [case(rng) for _ in range(3)]
        gamma, found = best_gamma([curve_of(*one) for one in cases])
        mean = lambda g, cases=cases: np.mean([harmonic_mean(*brute(*one, g)) for one in cases])  # noqa: E731
        assert mean(gamma) == pytest.approx(found, abs=1e-12)
        assert all(mean(other) <= found + 1e-12 for other in np.linspace(-5, 5, 400))


def test_a_gamma_comes_from_the_middle_of_those_that_are_as_good():
    seen = Best(np.array([0, 1, 2]), np.array([2.0, 2.0, 2.0]), np.array([3, 3, 3]), np.zeros(3))
    unseen = Best(np.array([0, 0]), np.array([-4.0, -4.0]), np.array([3, 4]), np.zeros(2))
    curve = trade_off(seen, np.array([0, 1, 2]), unseen, np.array([3, 4]), SEEN, UNSEEN)
    gamma, found = best_gamma([curve])
    assert found == 1.0 and gamma == pytest.approx(-1.0)  # everything is right for gammas in (-4, 2]
    assert area(curve["unseen"], curve["seen"]) == pytest.approx(1.0)


def trial(harmonic, curve, **others):
    return Trial({"harmonic": harmonic, "unseen": 0.5, "seen": 0.5, "zsl": 0.5, "ausuc": 0.5} | others, curve)


def test_the_candidate_with_the_highest_mean_is_chosen(rng):
    curve = curve_of(*case(rng))
    trials = {(5, 0): [trial(0.9, curve), trial(0.1, curve)], (10, 0): [trial(0.6, curve), trial(0.5, curve)]}
    trials[20, 0] = [trial(0.5, curve, zsl=0.9), trial(0.6, curve, zsl=0.9)]  # the mean of epoch 10, later
    found = choose(trials, "harmonic")
    assert (found.epoch, found.classifier_epochs) == (10, 0)
    assert found.metrics["harmonic"] == pytest.approx(0.55)
    assert choose(trials, "zsl").epoch == 20


def test_a_candidate_that_could_not_be_measured_is_not_chosen(rng):
    curve = curve_of(*case(rng))
    trials = {(5, 5): [trial(float("nan"), curve)], (10, 5): [trial(0.0, curve)]}
    assert choose(trials, "harmonic").epoch == 10


def test_means_hold_the_calibrated_figure(rng):
    curves = [curve_of(*case(rng)) for _ in range(2)]
    gamma, metrics = means_over_folds([trial(0.2, curves[0]), trial(0.4, curves[1])])
    assert metrics["harmonic"] == pytest.approx(0.3)
    assert metrics["calibrated"] == pytest.approx(np.mean([harmonic_mean(*map(float, at_gamma(c, gamma))) for c in curves]))
