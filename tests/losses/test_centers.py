"""The centre loss against numpy, closed forms and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.losses import centers
from tests.losses import oracles

MARGIN, SHARE = 0.3, 0.7


def case(rng, rows=9, classes=5, width=4):
    points, table = rng.normal(size=(rows, width)), rng.normal(size=(classes, width))
    own = rng.integers(0, classes, rows)
    return points, table, own, (own + rng.integers(0, classes, rows)) % classes


def loss_of(points, table, own, other, margin=MARGIN, share=SHARE):
    points, table = jnp.asarray(points, jnp.float32), jnp.asarray(table, jnp.float32)
    own, other = jnp.asarray(own), None if other is None else jnp.asarray(other)
    distances = centers.squared_distances(points, table)
    other = centers.nearest_other(distances, own) if other is None else other
    return centers.center_loss(distances, own, other, margin, share)


@pytest.mark.parametrize("nearest", [False, True])
def test_value_and_gradients_against_the_oracle(rng, nearest):
    points, table, own, other = case(rng)
    other = None if nearest else other
    value, found = jax.jit(jax.value_and_grad(loss_of, (0, 1)))(points, table, own, other)
    oracle = lambda points, table: oracles.center_loss(points, table, own, other, MARGIN, SHARE)  # noqa: E731
    assert oracle(points, table) > 0
    np.testing.assert_allclose(value, oracle(points, table), rtol=1e-5)
    for ours, theirs in zip(found, oracles.gradient(oracle, points, table), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    closed = ~np.asarray(found[0]).any(axis=1)
    assert not closed.all() and (nearest or closed.any())


def test_closed_forms():
    table = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    point, own = np.array([[1.0, 0.0]]), np.array([0])
    np.testing.assert_allclose(centers.squared_distances(jnp.asarray(point), jnp.asarray(table)), [[1.0, 4.0, 26.0]])
    assert int(centers.nearest_other(jnp.array([[1.0, 4.0, 26.0]]), jnp.array([0]))[0]) == 1
    assert int(centers.nearest_other(jnp.array([[1.0, 4.0, 26.0]]), jnp.array([1]))[0]) == 0
    np.testing.assert_allclose(loss_of(point, table, own, [1], margin=1.5), 1.5 + 0.7 * 1 - 0.3 * 4, rtol=1e-6)
    assert loss_of(point, table, own, [2]) == 0.0  # far enough away: 0.3 + 0.7 - 7.8 < 0
    np.testing.assert_allclose(loss_of(point, table, own, own), 0.3 + 0.4 * 1, rtol=1e-6)  # another may be the same
    np.testing.assert_allclose(loss_of(point, table, own, [2], share=1.0), 0.3 + 1.0, rtol=1e-6)
    by_point, by_table = jax.grad(loss_of, (0, 1))(point, table, own, [2])
    assert not by_point.any() and not by_table.any()


def test_the_nearest_other_is_the_hardest_of_them(rng):
    points, table, own, _ = case(rng, rows=20)
    hardest = np.max([[loss_of(points[i : i + 1], table, own[i : i + 1], [k]) for k in range(5) if k != own[i]] for i in range(20)], axis=1)
    np.testing.assert_allclose(loss_of(points, table, own, None), hardest.mean(), rtol=1e-5)
