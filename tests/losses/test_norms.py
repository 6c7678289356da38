import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.losses.norms import FLOOR, row_norms


def test_row_norms(rng):
    x = rng.normal(size=(3, 5)).astype(np.float32)
    np.testing.assert_allclose(row_norms(jnp.asarray(x)), np.linalg.norm(x.astype(float), axis=-1), rtol=1e-6)
    assert row_norms(jnp.asarray(x), keepdims=True).shape == (3, 1)


def test_a_row_of_zeros_has_the_floor_and_no_gradient():
    value, gradient = jax.value_and_grad(lambda x: row_norms(x).sum())(jnp.zeros((1, 4)))
    np.testing.assert_allclose(value, FLOOR, rtol=1e-6)
    assert (np.asarray(gradient) == 0).all()
