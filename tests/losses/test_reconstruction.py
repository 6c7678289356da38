import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from d3gzsl_jax.losses import reconstruction
from tests.losses import oracles


def case(rng, low=0.02, high=0.98):
    return [rng.uniform(low, high, size=(5, 4)).astype(np.float32) for _ in range(2)]


def check_gradients(loss, oracle, *arrays):
    ours = jax.grad(loss, argnums=tuple(range(len(arrays))))(*map(jnp.asarray, arrays))
    for a, b in zip(ours, oracles.gradient(oracle, *arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_binary_cross_entropy_against_oracle(rng):
    arrays = case(rng)
    np.testing.assert_allclose(reconstruction.binary_cross_entropy(*arrays), oracles.binary_cross_entropy(*arrays), rtol=1e-6)
    check_gradients(reconstruction.binary_cross_entropy, oracles.binary_cross_entropy, *arrays)
    check_grads(reconstruction.binary_cross_entropy, tuple(map(jnp.asarray, arrays)), 1, ["fwd", "rev"], 1e-2, 1e-2)


def test_binary_cross_entropy_of_a_half_is_log_two_a_feature():
    loss = reconstruction.binary_cross_entropy(jnp.full((3, 7), 0.5), jnp.asarray(np.linspace(0, 1, 21).reshape(3, 7), jnp.float32))
    np.testing.assert_allclose(loss, 7 * np.log(2), rtol=1e-6)


SATURATED = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1e-30, 1e-13, 1.0 - 2.0**-24], [0.5, 0.0, 1.0]], np.float32)
TARGETS = np.array([[0.0, 1.0, 0.25], [0.0, 1.0, 0.25], [0.5, 0.5, 0.5], [0.5, 1e-3, 0.999]], np.float32)


def test_binary_cross_entropy_where_probabilities_are_zero_and_one():
    value, gradient = jax.value_and_grad(reconstruction.binary_cross_entropy)(jnp.asarray(SATURATED), jnp.asarray(TARGETS))
    np.testing.assert_allclose(value, oracles.binary_cross_entropy(SATURATED.astype(float), TARGETS), rtol=1e-6)
    p = SATURATED.astype(float)
    np.testing.assert_allclose(gradient, (p - TARGETS) / np.maximum(p * (1 - p), 1e-12) / 4, rtol=1e-5)
    right = (SATURATED == TARGETS) & np.isin(SATURATED, [0.0, 1.0])
    assert right.sum() == 2 and (np.asarray(gradient)[right] == 0).all()
    # By the features it is the difference of the two logarithms, each cut off.
    by_features = jax.grad(reconstruction.binary_cross_entropy, argnums=1)(jnp.asarray(SATURATED), jnp.asarray(TARGETS))
    assert by_features[0, 0] == 25.0 and by_features[1, 0] == -25.0 and np.isfinite(by_features).all()


def test_binary_cross_entropy_of_a_saturated_sigmoid_stays_finite():
    logits = jnp.array([[-200.0, -90.0, -10.0, 0.0, 10.0, 90.0, 200.0]])
    loss = lambda s, x: reconstruction.binary_cross_entropy(jax.nn.sigmoid(s), x)  # noqa: E731
    for target in (0.0, 0.3, 1.0):
        value, gradient = jax.value_and_grad(loss)(logits, jnp.full((1, 7), target))
        assert np.isfinite(value) and np.isfinite(gradient).all()
        np.testing.assert_allclose(gradient[0, 2:5], jax.nn.sigmoid(logits)[0, 2:5] - target, rtol=1e-5, atol=1e-7)


@pytest.mark.torch
def test_binary_cross_entropy_against_torch(rng):
    torch = pytest.importorskip("torch")
    p = np.concatenate([SATURATED, rng.uniform(size=(5, 3)).astype(np.float32)])
    x = np.concatenate([TARGETS, rng.uniform(size=(5, 3)).astype(np.float32)])
    theirs = torch.tensor(p, requires_grad=True)
    loss = torch.nn.functional.binary_cross_entropy(theirs, torch.tensor(x), reduction="sum") / len(p)
    loss.backward()
    value, gradient = jax.value_and_grad(reconstruction.binary_cross_entropy)(jnp.asarray(p), jnp.asarray(x))
    np.testing.assert_allclose(value, loss.item(), rtol=1e-6)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("variant", reconstruction.VARIANTS)
def test_semantic_reconstruction_against_oracle(rng, variant):
    arrays = case(rng, -1.0, 1.0)
    loss = lambda p, a: reconstruction.semantic_reconstruction(p, a, variant)  # noqa: E731
    oracle = lambda p, a: oracles.semantic_reconstruction(p, a, variant)  # noqa: E731
    np.testing.assert_allclose(loss(*arrays), oracle(*arrays), rtol=1e-6)
    check_gradients(loss, oracle, *arrays)


def test_semantic_reconstruction_closed_form():
    """A difference of c in each of k entries: k c^3 / (c sqrt k) = sqrt(k) c^2, or k c; in one entry alone: c^2, or c."""
    for k, c in ((4, 0.5), (1, 0.25)):
        a, p = jnp.zeros((3, 4)), jnp.zeros((3, 4)).at[:, :k].set(c)
        np.testing.assert_allclose(reconstruction.semantic_reconstruction(p, a), k**0.5 * c**2, rtol=1e-6)
        np.testing.assert_allclose(reconstruction.semantic_reconstruction(p, a, "described"), k * c, rtol=1e-6)


@pytest.mark.parametrize("variant", reconstruction.VARIANTS)
def test_semantic_reconstruction_of_rows_that_agree_has_no_gradient(rng, variant):
    """Nor of rows that differ by so little that the squares are below float32's numbers."""
    a = jnp.asarray(rng.uniform(size=(4, 3)), jnp.float32).at[1].set(0.0)
    p = a.at[1].set(1e-25).at[3].add(0.5)
    loss = lambda p: reconstruction.semantic_reconstruction(p, a, variant)  # noqa: E731
    value, gradient = jax.value_and_grad(loss)(p)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert (np.asarray(gradient)[[0, 2]] == 0).all() and (np.asarray(gradient)[3] != 0).all()
    if variant == "released":
        assert (np.abs(np.asarray(gradient)[1]) < 1e-6).all()


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="unknown variant 'l1'"):
        reconstruction.semantic_reconstruction(jnp.zeros((1, 2)), jnp.zeros((1, 2)), "l1")


@pytest.mark.parametrize(("loss", "power"), [(reconstruction.summed_absolute, 1), (reconstruction.summed_square, 2)])
def test_summed_differences_against_oracle_and_closed_form(rng, loss, power):
    arrays = case(rng, -2.0, 2.0)
    oracle = lambda p, x: oracles.summed_difference(p, x, power)  # noqa: E731
    np.testing.assert_allclose(loss(*arrays), oracle(*arrays), rtol=1e-6)
    check_gradients(loss, oracle, *arrays)
    value, gradient = jax.value_and_grad(loss)(jnp.full((6, 5), 0.5), jnp.zeros((6, 5)))
    np.testing.assert_allclose(value, 30 * 0.5**power)
    assert (np.asarray(gradient) == 1.0).all()
    assert (np.asarray(jax.grad(loss)(jnp.ones((2, 3)), jnp.ones((2, 3)))) == 0).all()


def test_mean_squared_against_oracle_and_closed_form(rng):
    p, a = rng.normal(size=(2, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(reconstruction.mean_squared(p, a), oracles.mean_squared(p, a), rtol=1e-6)
    np.testing.assert_allclose(reconstruction.mean_squared(jnp.full((4, 3), 0.5), jnp.full((4, 3), -1.0)), 2.25)
    check_grads(reconstruction.mean_squared, (jnp.asarray(p), jnp.asarray(a)), 1, ["rev"], 1e-2, 1e-2)
