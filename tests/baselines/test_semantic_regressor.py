import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from d3gzsl_jax.baselines import semantic_regressor
from d3gzsl_jax.baselines.base import Training
from d3gzsl_jax.baselines.semantic_regressor import ClassNormalized, Linear, SemanticRegressor, class_norm, loss, unit

SEEN = np.array([1, 2, 4, 5], np.int32)


@pytest.fixture
def training(rng):
    """Rows around prototypes that are linear in the semantics; classes 0 and 3 are unseen."""
    semantics = rng.uniform(size=(6, 5)).astype(np.float32)
    prototypes = semantics @ rng.normal(size=(5, 8))
    labels = np.arange(80, dtype=np.int32) % 4
    features = prototypes[SEEN[labels]] + 0.05 * rng.normal(size=(80, 8))
    return Training(features.astype(np.float32), labels, semantics, SEEN)


def test_class_norm_standardises_over_seen_classes(rng):
    hidden = rng.normal(3.0, 2.0, size=(6, 7)).astype(np.float32)
    found = np.asarray(class_norm(jnp.asarray(hidden), jnp.asarray(SEEN)))
    np.testing.assert_allclose(found[SEEN].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found[SEEN].std(axis=0), 1, atol=1e-4)
    expected = (hidden - hidden[SEEN].mean(axis=0)) / np.sqrt(hidden[SEEN].var(axis=0) + 1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_class_norm_of_a_unit_that_is_the_same_for_all_classes_is_zero():
    assert not np.asarray(class_norm(jnp.full((4, 3), 2.5), jnp.arange(4))).any()


@pytest.mark.slow
def test_seen_prototypes_do_not_depend_on_unseen_semantics(training):
    model = SemanticRegressor(hidden=6, epochs=(2,), learning_rates=(1e-2,), scales=(5.0,), centered=(True,))
    other = dataclasses.replace(training, semantics=training.semantics.copy())
    other.semantics[[0, 3]] += 1.0
    (one,), (two,) = (list(model.fits(of, model.candidates, 0)) for of in (training, other))
    np.testing.assert_array_equal(one["prototypes"][SEEN], two["prototypes"][SEEN])
    assert np.abs(one["prototypes"][0] - two["prototypes"][0]).max() > 1e-3


@pytest.mark.slow
def test_proper_initialisation_gives_prototypes_of_unit_norm(rng):
    """Eq. 10: variance 1 / (hidden dx), so that an input of `hidden` standardised units gives a norm of 1 in expectation."""
    network = ClassNormalized(hidden=256, features=300, positive=False)
    semantics = jnp.asarray(rng.normal(size=(50, 40)), jnp.float32)
    params = network.init(jax.random.key(0), semantics, jnp.arange(50))
    assert params["params"]["output"]["kernel"].var() == pytest.approx(1 / (256 * 300), rel=0.02)
    prototypes = network.apply(params, semantics, jnp.arange(50))
    assert float(jnp.mean(jnp.sum(prototypes**2, axis=1))) == pytest.approx(1.0, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("network", [Linear(8, positive=False), ClassNormalized(6, 8, positive=False)])
def test_gradient_is_that_of_finite_differences(rng, network):
    semantics = jnp.asarray(rng.uniform(size=(4, 5)), jnp.float32)
    rows, labels = unit(jnp.asarray(rng.normal(size=(9, 8)), jnp.float32)), jnp.arange(9) % 4
    params = network.init(jax.random.key(1), semantics, jnp.arange(4))
    if "first" in params["params"]:  # prototypes of norm 1e-3 have no finite differences in float32
        params["params"]["output"]["kernel"] *= 10.0
    check_grads(lambda p: loss(network, p, semantics, rows, labels, 2.0), (params,), order=1, modes="rev", eps=1e-3, atol=2e-2, rtol=2e-2)


def test_loss_is_the_negative_log_likelihood_of_scaled_cosines(rng):
    network = Linear(8, positive=True)
    semantics = rng.uniform(size=(4, 5)).astype(np.float32)
    rows, labels = rng.normal(size=(9, 8)), np.arange(9) % 4
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    params = network.init(jax.random.key(1), semantics, jnp.arange(4))
    layer = params["params"]["output"]
    prototypes = np.maximum(semantics @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"]), 0)
    cosines = rows @ (prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True)).T
    p = np.exp(9.0 * cosines) / np.exp(9.0 * cosines).sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(9), labels]).mean()
    found = loss(network, params, jnp.asarray(semantics), jnp.asarray(rows, jnp.float32), jnp.asarray(labels), 3.0)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_zero_row_has_a_finite_direction_and_gradient():
    assert not np.asarray(unit(jnp.zeros((2, 3)))).any()
    assert np.isfinite(jax.grad(lambda x: unit(x).sum())(jnp.zeros((2, 3)))).all()


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [0, 16])
def test_fits_seen_and_carries_over_to_unseen(training, hidden):
    model = SemanticRegressor(hidden, epochs=(60,), learning_rates=(1e-2,), scales=(5.0,), centered=(True,), batch_size=20)
    (params,) = model.fits(training, model.candidates, 0)
    rows = jnp.asarray(training.features)
    logits = np.asarray(model.logits(params, rows))
    assert (SEEN[logits[:, SEEN].argmax(axis=1)] == SEEN[training.labels]).mean() > 0.9
    # logits are scale^2 times cosines
    assert np.abs(logits).max() <= 25.0 + 1e-3
    center = training.features.mean(axis=0)
    np.testing.assert_allclose(params["center"], center, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(params["prototypes"], axis=1), 25.0, rtol=1e-3)


@pytest.mark.slow
def test_a_snapshot_is_the_same_whatever_is_taken_with_it(training):
    model = SemanticRegressor(hidden=0, epochs=(1, 3), learning_rates=(1e-2,), scales=(5.0,), centered=(True,), batch_size=40)
    together = list(model.fits(training, model.candidates, 3))
    alone = [next(iter(model.fits(training, [candidate], 3))) for candidate in model.candidates]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one["prototypes"], other["prototypes"], rtol=1e-5, atol=1e-5)
    assert np.abs(together[0]["prototypes"] - together[1]["prototypes"]).max() > 1e-3


@pytest.mark.slow
def test_learning_rates_and_scales_share_a_compiled_fit(training):
    model = SemanticRegressor(hidden=3, epochs=(1,), learning_rates=(1e-3, 1e-2), scales=(3.0, 5.0), centered=(True,))
    before = semantic_regressor._fit._cache_size()
    assert len(list(model.fits(training, model.candidates, 0))) == math.prod((2, 2))
    assert semantic_regressor._fit._cache_size() == before + 1
