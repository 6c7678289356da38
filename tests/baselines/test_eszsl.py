import numpy as np
import pytest

from d3gzsl_jax.baselines.base import Training
from d3gzsl_jax.baselines.eszsl import ESZSL, Bilinear


def test_bilinear_solves_its_normal_equations(rng):
    """V is the stationary point of ||X V S^T - Y||^2 + l ||X V||^2 + g ||V S^T||^2 + g l ||V||^2."""
    x, labels, s = rng.normal(size=(20, 5)), rng.integers(0, 4, 20), rng.normal(size=(4, 3))
    y = 2.0 * np.eye(4)[labels] - 1
    v = Bilinear.of(x, labels, s).solve(0.7, 0.3)
    residual = (x.T @ x + 0.7 * np.eye(5)) @ v @ (s.T @ s + 0.3 * np.eye(3)) - x.T @ y @ s
    np.testing.assert_allclose(residual, 0, atol=1e-9)


@pytest.mark.parametrize("ridge", [1e-3, 1e3])
def test_bilinear_with_fewer_rows_and_classes_than_dimensions(rng, ridge):
    """Both Gram matrices are singular: the ridges alone make the solution unique."""
    x, labels, s = rng.normal(size=(6, 9)), rng.integers(0, 3, 6), rng.normal(size=(3, 7))
    y = 2.0 * np.eye(3)[labels] - 1
    left = np.linalg.solve(x.T @ x + ridge * np.eye(9), x.T @ y @ s)
    expected = np.linalg.solve(s.T @ s + 0.1 * np.eye(7), left.T).T
    np.testing.assert_allclose(Bilinear.of(x, labels, s).solve(ridge, 0.1), expected, rtol=1e-6, atol=1e-9)


def test_scores_are_by_original_id_in_the_order_of_candidates(rng):
    seen = np.array([0, 2, 3], np.int32)
    semantics = rng.normal(size=(4, 5)).astype(np.float32)
    training = Training(rng.normal(size=(12, 6)).astype(np.float32), np.arange(12, dtype=np.int32) % 3, semantics, seen)
    model = ESZSL(exponents=(-1, 1))
    assert [tuple(one.values()) for one in model.candidates] == [(0.1, 0.1), (0.1, 10.0), (10.0, 0.1), (10.0, 10.0)]
    rows = rng.normal(size=(2, 6)).astype(np.float32)
    for candidate, params in zip(model.candidates, model.fits(training, model.candidates, 0), strict=True):
        v = Bilinear.of(training.features, training.labels, semantics[seen]).solve(*candidate.values())
        np.testing.assert_allclose(model.logits(params, rows), rows @ v @ semantics.T, rtol=1e-4, atol=1e-6)
