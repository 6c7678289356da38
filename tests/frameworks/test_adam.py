import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from d3gzsl_jax.frameworks.adam import AmsgradState, adam_directions, scale_by_adam, scale_by_amsgrad


def double_precision_amsgrad(gradients, beta1, beta2, epsilon=1e-8):
    """Directions in double: the maximum is of the second moment as it is, its bias is corrected after."""
    m = v = largest = 0.0
    for t, g in enumerate(gradients, 1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        largest = np.maximum(largest, v)
        yield m / (1 - beta1**t) / (np.sqrt(largest / (1 - beta2**t)) + epsilon)


def falling(rng, updates):
    """Gradients whose size falls a hundredfold, so that the largest second moment is soon not the last."""
    return rng.normal(size=(updates, 20)) * np.logspace(0, -2, updates)[:, None] * np.logspace(-6, 1, 20)


@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.9, 0.9), (0.5, 0.99), (0.0, 0.9)])
def test_amsgrad_against_double_precision(rng, beta1, beta2):
    gradients = falling(rng, 50)
    amsgrad = scale_by_amsgrad(beta1, beta2)
    state, update = amsgrad.init(jnp.zeros(20)), jax.jit(amsgrad.update)
    for g, expected in zip(gradients, double_precision_amsgrad(gradients, beta1, beta2), strict=True):
        ours, state = update(jnp.asarray(g, jnp.float32), state)
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)
    assert (np.asarray(state.nu_max) > np.asarray(state.nu)).any()
    assert isinstance(state, AmsgradState) and state.count == 50


def test_amsgrad_is_adam_while_the_second_moment_grows(rng):
    gradients = rng.normal(size=20) * 1.1 ** np.arange(30)[:, None]
    transformations = [scale_by_adam(0.9, 0.999), scale_by_amsgrad(0.9, 0.999)]
    states = [transformation.init({"w": jnp.zeros(20)}) for transformation in transformations]
    for g in gradients:
        made = []
        for i, transformation in enumerate(transformations):
            directions, states[i] = jax.jit(transformation.update)({"w": jnp.asarray(g, jnp.float32)}, states[i])
            made.append(directions["w"])
        np.testing.assert_array_equal(*made)


@pytest.mark.parametrize("scale_by", [scale_by_adam, scale_by_amsgrad])
def test_directions_are_those_of_the_update_that_left_the_state(rng, scale_by):
    transformation = scale_by(0.9, 0.99)
    state = transformation.init(jnp.zeros(20))
    for g in falling(rng, 10):
        ours, state = transformation.update(jnp.asarray(g, jnp.float32), state)
        np.testing.assert_array_equal(adam_directions(state, 0.9, 0.99), ours)


@pytest.mark.torch
def test_amsgrad_against_torch(rng):
    """50 updates of torch.optim.Adam(amsgrad=True), parameters within a thousandth of one learning rate; optax's own does not get there."""
    torch = pytest.importorskip("torch")
    rate, gradients = 0.1, falling(rng, 50).astype(np.float32)
    theirs = torch.nn.Parameter(torch.zeros(20))
    optimizer = torch.optim.Adam([theirs], lr=rate, betas=(0.9, 0.9), amsgrad=True)
    for g in gradients:
        theirs.grad = torch.tensor(g)
        optimizer.step()

    def fitted(transformation):
        params, state, update = jnp.zeros(20), transformation.init(jnp.zeros(20)), jax.jit(transformation.update)
        for g in gradients:
            directions, state = update(jnp.asarray(g), state)
            params = params - rate * directions
        return np.abs(np.asarray(params) - theirs.detach().numpy()).max() / rate

    assert fitted(scale_by_amsgrad(0.9, 0.9)) < 1e-3
    with jax.numpy_dtype_promotion("standard"):  # Optax mixes types
        assert fitted(optax.scale_by_amsgrad(0.9, 0.9)) > 0.1
