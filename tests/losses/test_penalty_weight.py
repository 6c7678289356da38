import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.losses.penalty_weight import LARGEST_EXPONENT, adapted_exponent, penalty_weight


@pytest.mark.parametrize(
    ("mean", "step"),
    [(0.0, -1), (0.98, -1), (1.0, -1), (1.001, 0), (1.02, 0), (1.05, 0), (1.0500001, 1), (3.0, 1), (np.inf, 1), (np.nan, 0)],
)
def test_the_exponent_follows_the_mean(mean, step):
    adapted = jax.jit(adapted_exponent)(jnp.int32(7), jnp.float32(mean))
    assert adapted == 7 + step and adapted.dtype == jnp.int32


def test_the_exponent_stays_within_its_bounds():
    for bound, mean in ((LARGEST_EXPONENT, 2.0), (-LARGEST_EXPONENT, 0.5)):
        assert adapted_exponent(jnp.int32(bound), jnp.float32(mean)) == bound
        weight = penalty_weight(10.0, jnp.int32(bound))
        assert np.isfinite(weight) and weight > np.finfo(np.float32).tiny


def test_the_weight_is_that_of_repeated_products_in_double():
    """As the published code has it: multiplied by 1.1 or divided by it, in double."""
    weights = jax.jit(jax.vmap(lambda exponent: penalty_weight(10.0, exponent)))
    up, down = [10.0], [10.0]
    for _ in range(300):
        up.append(up[-1] * 1.1)
        down.append(down[-1] / 1.1)
    np.testing.assert_allclose(weights(jnp.arange(301)), up, rtol=1e-7)
    np.testing.assert_allclose(weights(-jnp.arange(301)), down, rtol=1e-7)
    assert penalty_weight(10.0, jnp.int32(0)) == 10.0
