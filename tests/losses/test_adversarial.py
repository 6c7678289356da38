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
