import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.structures import Batch, Classes, UpdateInputs
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.losses import adversarial
from tests.losses import oracles


def test_gradient_penalty_against_oracle(rng):
    gradients = rng.normal(size=(7, 5)).astype(np.float32)
    np.testing.assert_allclose(adversarial.gradient_penalty(gradients), oracles.gradient_penalty(gradients), rtol=1e-6)


def test_gradient_penalty_gradients(rng):
    check_grads(adversarial.gradient_penalty, (jnp.asarray(rng.normal(size=(7, 5)), jnp.float32),), 1, ["rev"], 1e-2, 1e-2)


def test_gradient_penalty_of_a_zero_gradient_is_one_and_stays_finite():
    value, gradient = jax.value_and_grad(adversarial.gradient_penalty)(jnp.zeros((3, 4)))
    assert value == 1.0 and np.isfinite(gradient).all()


def test_wasserstein_and_generator_losses(rng):
    real, fake = rng.normal(size=(2, 9)).astype(np.float32)
    np.testing.assert_allclose(adversarial.wasserstein_loss(real, fake), sum(fake) / 9 - sum(real) / 9, rtol=1e-5)
    np.testing.assert_allclose(adversarial.generator_adversarial_loss(fake), -sum(fake) / 9, rtol=1e-5)
    check_grads(adversarial.wasserstein_loss, (jnp.asarray(real), jnp.asarray(fake)), 1, ["rev"], 1e-2, 1e-2)
    check_grads(adversarial.generator_adversarial_loss, (jnp.asarray(fake),), 1, ["rev"], 1e-2, 1e-2)


def test_interpolate_ends():
    real, fake = jnp.ones((2, 3)), jnp.zeros((2, 3))
    np.testing.assert_array_equal(adversarial.interpolate(real, fake, jnp.array([[1.0], [0.0]])), [[1, 1, 1], [0, 0, 0]])


def _critic_case(rng):
    base = WGAN(Sizes(features=6, semantics=3, noise=2, seen=1, generator_hidden=5, critic_hidden=7))
    params = jax.tree.map(lambda leaf: leaf * 30.0, base.init(jax.random.key(3)))
    array = lambda *shape: jnp.asarray(rng.uniform(size=shape), jnp.float32)  # noqa: E731
    real, fakes, semantics, interpolation = array(8, 6), array(8, 6), array(8, 3), array(8, 1)
    inputs = UpdateInputs(
        classes=Classes(semantics=semantics, seen=jnp.arange(8), unseen=jnp.arange(0)),  # a class a row
        batch=Batch(features=real, labels=jnp.arange(8), teacher=None), fakes=fakes, draws={"interpolation": interpolation},
        state={}, epoch=jnp.int32(0),
    )
    return base, params, inputs


@pytest.mark.slow
def test_critic_loss_shares_its_first_layer_exactly(rng):
    """The shared products change nothing: same loss and gradients as the definition, which runs the critic three times."""
    base, params, inputs = _critic_case(rng)

    def plain(params):
        real, fakes, share = inputs.batch.features, inputs.fakes, inputs.draws["interpolation"]
        critic = lambda x: base.critic.apply(params["critic"], x, inputs.classes.semantics)  # noqa: E731
        mixed = share * real + (1 - share) * fakes
        gradients = jax.grad(lambda x: critic(x).sum())(mixed)
        penalty = 10.0 * jnp.mean((jnp.linalg.norm(gradients, axis=1) - 1) ** 2)
        return critic(fakes).mean() - critic(real).mean() + penalty

    shared = lambda params: base.critic_loss(params, inputs)[0]  # noqa: E731
    ours, theirs = jax.value_and_grad(shared)(params), jax.value_and_grad(plain)(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5), ours, theirs)


def test_linear_critic_has_the_closed_form_penalty(rng):
    """With a hidden layer that stays positive the critic is linear, D = w.x + c, and the penalty is 10 (||w|| - 1)^2."""
    base, params, inputs = _critic_case(rng)
    positive = jax.tree.map(jnp.abs, params["critic"])
    _, terms = base.critic_loss({"critic": positive}, inputs)
    tree = positive["params"]
    w = tree["hidden_features"]["kernel"] @ tree["output"]["kernel"][:, 0]
    np.testing.assert_allclose(terms["gradient_penalty"], 10 * (np.linalg.norm(w) - 1) ** 2, rtol=1e-4)


def _two_layers(rng, rows=8, features=6, hidden=7):
    array = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    share = jnp.asarray(rng.uniform(size=(rows, 1)), jnp.float32)
    return array(features, hidden), array(rows, hidden), array(hidden), array(hidden), array(2, rows, features), share


def _plain_differences(kernel, conditioned, bias, output, pairs, share):
    def critic(x, c):
        u = x @ kernel + c + bias
        return jnp.where(u > 0, u, 0.2 * u) @ output

    with jax.numpy_rank_promotion("allow"):
        mixed = share * pairs[0] + (1 - share) * pairs[1]
        gradients = jax.vmap(jax.grad(critic))(mixed, conditioned)
        penalty = jnp.mean((jnp.linalg.norm(gradients, axis=1) - 1) ** 2)
        return jax.vmap(critic)(pairs[0], conditioned) - jax.vmap(critic)(pairs[1], conditioned), penalty


def test_differences_row_by_row_are_those_of_the_definition(rng):
    """Values, and derivatives by everything where each row pulls with a weight of its own."""
    arrays, pulls = _two_layers(rng), jnp.asarray(rng.normal(size=8), jnp.float32)

    def pulled(function):
        def loss(*arrays):
            rows, penalty = function(*arrays)
            return rows @ pulls + 0.7 * jnp.square(penalty)

        return jax.value_and_grad(loss, argnums=range(5))(*arrays)

    ours = lambda *arrays: adversarial.two_layer_critic_differences(0.2, *arrays)  # noqa: E731
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), ours(*arrays), _plain_differences(*arrays))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5), pulled(ours), pulled(_plain_differences))


def test_differences_have_the_means_of_the_loss(rng):
    arrays = _two_layers(rng)
    rows, penalty = adversarial.two_layer_critic_differences(0.2, *arrays)
    loss, same = adversarial.two_layer_critic_loss(0.2, *arrays)
    np.testing.assert_allclose(-rows.mean(), loss, rtol=1e-5)
    assert penalty == same


def test_what_cancels_is_exactly_zero(rng):
    """Units that real and synthesized rows activate alike move neither bias nor conditions, whatever the rows pull with."""
    kernel, conditioned, bias, output, pairs, share = _two_layers(rng)
    conditioned = conditioned.at[:, :3].add(100.0).at[:, 3:5].add(-100.0)
    pulls = jnp.asarray(rng.normal(size=8), jnp.float32)

    def loss(conditioned, bias):
        return adversarial.two_layer_critic_differences(0.2, kernel, conditioned, bias, output, pairs, share)[0] @ pulls

    of_conditions, of_bias = jax.jit(jax.grad(loss, argnums=(0, 1)))(conditioned, bias)
    assert np.all(np.asarray(of_conditions)[:, :5] == 0.0) and np.all(np.asarray(of_bias)[:5] == 0.0)
    assert np.any(np.asarray(of_bias)[5:] != 0.0)
