"""config.precision: what is rounded, and that nothing else is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import digits
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.losses.pairwise import half_cosine
from d3gzsl_jax.networks import Embedding
from d3gzsl_jax.precision import PRECISIONS, product, scope
from d3gzsl_jax.settings import check


def operands(rng):
    return (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((5, 7), (7, 3)))


def rounded(x):
    return np.asarray(x.astype(jnp.bfloat16), np.float64)


def test_bfloat16_rounds_the_operands_and_sums_in_float32(rng):
    x, w = operands(rng)
    with scope("bfloat16"):
        found = jax.jit(product)(x, w)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, rounded(x) @ rounded(w), rtol=1e-5, atol=1e-6)
    with scope("float32"):
        exact = jax.jit(product)(x, w)
    np.testing.assert_allclose(exact, np.asarray(x, np.float64) @ np.asarray(w, np.float64), rtol=1e-5, atol=1e-6)
    assert np.abs(found - exact).max() > 1e-3


def test_gradients_of_bfloat16_products_are_products_of_rounded_operands(rng):
    x, w = operands(rng)
    pull = jnp.asarray(rng.normal(size=(2, 5, 3)), jnp.float32)
    x = jnp.stack([x, 2 * x])
    with scope("bfloat16"):
        of_x, of_w = jax.jit(lambda x, w, pull: jax.vjp(product, x, w)[1](pull))(x, w, pull)
    np.testing.assert_allclose(of_x, rounded(pull) @ rounded(w).T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_w, np.einsum("brk,brn->kn", rounded(x), rounded(pull)), rtol=1e-4, atol=1e-5)


def test_one_traced_function_serves_each_precision_with_its_own(rng):
    """A jitted function called in another scope is traced anew: no result of one precision is passed off as the other's."""
    x, w = operands(rng)
    function = jax.jit(product)
    with scope("float32"):
        before = function(x, w)
    with scope("bfloat16"):
        assert np.abs(function(x, w) - before).max() > 1e-3
    with scope("float32"):
        np.testing.assert_array_equal(function(x, w), before)


@pytest.mark.parametrize("name", PRECISIONS)
def test_parameters_stay_float32_and_losses_are_not_rounded(name, rng):
    x, _ = operands(rng)
    network = Embedding(width=4)
    with scope(name):
        params = network.init(jax.random.key(0), x)
        gradients = jax.jit(jax.grad(lambda p: network.apply(p, x).sum()))(params)
        unit = x / jnp.linalg.norm(x, axis=1, keepdims=True)
        cosines = jax.jit(half_cosine)(unit, unit)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, gradients))} == {jnp.dtype("float32")}
    exact = np.asarray(unit, np.float64)
    np.testing.assert_allclose(cosines, 0.5 + 0.5 * exact @ exact.T, atol=1e-6)


def test_an_unknown_precision_is_refused():
    config = digits.get_config()
    config.precision = "float16"
    with pytest.raises(UserError, match=r"config.precision='float16': expected one of float32, tf32, bfloat16; did you mean 'bfloat16'"):
        check(config)
