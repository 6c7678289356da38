import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from d3gzsl_jax.frameworks.adam import running_sum, scale_by_adam
from d3gzsl_jax.frameworks.schedule import AdamRule
from d3gzsl_jax.training.optimizers import Optimization


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
        with jax.numpy_dtype_promotion("standard"):  # Optax mixes types
            for g in gradients:
                ours, state = jax.jit(adam.update)(jnp.asarray(g, jnp.float32), state)
        errors.append(np.abs(ours - expected).max())
    assert errors[0] < 1e-6 < errors[1]


def test_the_running_sum_starts_anew_with_the_epoch(rng):
    gradients = rng.normal(size=(7, 4)).astype(np.float32)
    epochs = [0, 0, 0, 1, 1, 3, 3]
    transformation = running_sum()
    state = transformation.init(jnp.zeros(4))
    for i, (g, epoch) in enumerate(zip(gradients, epochs, strict=True)):
        ours, state = jax.jit(transformation.update)(jnp.asarray(g), state, epoch=jnp.int32(epoch))
        first = epochs.index(epoch)
        np.testing.assert_allclose(ours, gradients[first : i + 1].sum(0), rtol=1e-5, atol=1e-6)


def test_only_summed_groups_see_the_sum(rng):
    """Two groups with the same gradients: one Adam is given them, the other the sum since the epoch began."""
    optimization = Optimization(
        learning_rates={"plain": 0.1, "summed": 0.1}, factors={}, decay_every=20, steps_per_epoch=2,
        rules={"summed": AdamRule(summed="epoch")},
    )
    params = {"plain": jnp.zeros(4), "summed": jnp.zeros(4), "frozen": jnp.ones(4)}
    opt_state = optimization.init(params)
    assert set(opt_state) == {"plain", "summed"}
    gradients, history = rng.normal(size=(5, 4)).astype(np.float32), {"plain": [], "summed": []}
    for step, g in zip((0, 0, 1, 2, 2), gradients, strict=True):  # outer steps 0 and 1 are epoch 0
        of_both = {"plain": jnp.asarray(g), "summed": jnp.asarray(g)}
        params, opt_state = optimization.apply(("plain", "summed"), params, opt_state, of_both, jnp.int32(step))
        history["plain"].append(g)
        history["summed"].append(g + (history["summed"][-1] if history["summed"] and len(history["summed"]) != 3 else 0))
    for group, fed in history.items():
        expected = -0.1 * sum(double_precision_adam(np.array(fed, float), 0.5, 0.999))
        np.testing.assert_allclose(params[group], expected, rtol=1e-4)
    np.testing.assert_array_equal(params["frozen"], 1.0)
