import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from d3gzsl_jax.losses.mutual_learning import mutual_learning
from tests.losses import oracles


def verdicts(rng, rows=7):
    return [jnp.asarray(rng.normal(size=rows), jnp.float32) for _ in range(3)], jnp.asarray(rng.uniform(size=rows), jnp.float32)


def test_against_oracle(rng):
    verdict, certainty = verdicts(rng)
    np.testing.assert_allclose(mutual_learning(*verdict, certainty), oracles.mutual_learning(*verdict, certainty), rtol=1e-5)


def test_closed_form():
    """Each of the three pairs counts twice, once for either critic; an uncertain critic of noised rows not at all."""
    one, two = jnp.ones(4), jnp.zeros(4)
    assert mutual_learning(one, two, one, jnp.ones(4)) == 4.0
    assert mutual_learning(one, two, one, jnp.zeros(4)) == 0.0
    assert mutual_learning(one, one, two, jnp.ones(4)) == 4.0
    assert mutual_learning(one, one, one, jnp.ones(4)) == 0.0


def test_each_critic_learns_by_the_derivative_of_one_square(rng):
    """As if the value were half of what it is: of the two squares of a pair one moves the one critic, the other the other."""
    verdict, certainty = verdicts(rng)
    half = lambda *w: oracles.mutual_learning(*w, certainty) / 2  # noqa: E731
    for at in range(3):
        ours, halved = (jax.grad(f, argnums=at)(*verdict) for f in (lambda *w: mutual_learning(*w, certainty), half))
        np.testing.assert_allclose(ours, halved, rtol=1e-5, atol=1e-6)
    check_grads(half, tuple(verdict), 1, ["rev"], 1e-2, 1e-2)


def test_of_critics_that_agree_it_has_no_gradient():
    same = jnp.asarray([0.3, -2.0])
    gradients = jax.grad(mutual_learning, argnums=(0, 1, 2))(same, same, same, jnp.ones(2))
    assert all(np.array_equal(gradient, [0.0, 0.0]) for gradient in gradients)
