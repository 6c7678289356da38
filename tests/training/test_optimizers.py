import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from d3gzsl_jax.training.optimizers import scale_by_adam


def double_precision_adam(gradients, beta1, beta2, epsilon=1e-8):
    """Directions of Adam as in the paper, in double."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        yield m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + epsilon)


@pytest.mark.parametrize(("beta1", "beta2"), [(0.5, 0.999), (0.9, 0.99), (0.0, 0.9)])
def test_directions_against_double_precision(rng, beta1, beta2):
    gradients = rng.normal(size=(50, 20)) * np.logspace(-6, 1, 20)
    adam = scale_by_adam(beta1, beta2)
    state = adam.init(jnp.zeros(20))
    for t, expected in enumerate(double_precision_adam(gradients, beta1, beta2), 1):
        ours, state = adam.update(jnp.asarray(gradients[t - 1], jnp.float32), state)
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_bias_correction_is_closer_than_optax(rng):
    """Why it is not optax.scale_by_adam: the second update's 1 - beta2**t."""
    gradients = rng.normal(size=(2, 1000))
    expected = list(double_precision_adam(gradients, 0.5, 0.999))[-1]
    errors = []
    for adam in (scale_by_adam(0.5, 0.999), optax.scale_by_adam(0.5, 0.999)):
        state = adam.init(jnp.zeros(1000))
        for g in gradients:
            ours, state = jax.jit(adam.update)(jnp.asarray(g, jnp.float32), state)
        errors.append(np.abs(ours - expected).max())
    assert errors[0] < 1e-6 < errors[1]
