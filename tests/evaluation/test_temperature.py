"""The temperature of a softmax."""

import numpy as np
import pytest
from scipy.special import softmax

from d3gzsl_jax.evaluation.temperature import best_temperature


@pytest.mark.parametrize("temperature", [0.02, 1.0, 30.0])
def test_scores_of_known_probabilities_are_brought_back_to_them(temperature):
    """Labels are drawn by the softmax of the logits; scores are these times a temperature."""
    rng = np.random.default_rng(0)
    logits = 2.0 * rng.standard_normal((20000, 5))
    labels = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((20000, 1))).argmax(axis=1)
    assert best_temperature([(temperature * logits, labels, labels > 2)]) == pytest.approx(temperature, rel=0.05)


def test_rows_of_seen_and_of_held_out_classes_weigh_alike():
    scores, right = np.array([[1.0, 0.0]] * 101), np.array([0] * 100 + [1])
    halves = best_temperature([(scores, right, right == 1)])
    assert halves > 1e3  # as many wrong as right, by weight: nothing is known
    assert best_temperature([(scores, right, np.zeros(101, bool))]) == pytest.approx(1.0 / np.log(100.0), rel=0.01)
