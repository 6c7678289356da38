import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from d3gzsl_jax.losses import variational
from tests.losses import oracles


def case(rng, count):
    return [rng.normal(size=(5, 3)).astype(np.float32) for _ in range(count)]


def check_gradients(loss, oracle, arrays):
    ours = jax.grad(loss, argnums=tuple(range(len(arrays))))(*map(jnp.asarray, arrays))
    for a, b in zip(ours, oracles.gradient(oracle, *arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_kl_against_oracle(rng):
    arrays = case(rng, 2)
    np.testing.assert_allclose(variational.summed_gaussian_kl(*arrays), oracles.gaussian_kl(*arrays), rtol=1e-5)
    np.testing.assert_allclose(variational.gaussian_kl(*arrays), oracles.gaussian_kl(*arrays) / 5, rtol=1e-5)
    check_gradients(variational.summed_gaussian_kl, oracles.gaussian_kl, arrays)
    check_gradients(variational.gaussian_kl, lambda m, v: oracles.gaussian_kl(m, v) / 5, arrays)
    check_grads(variational.gaussian_kl, tuple(map(jnp.asarray, arrays)), 1, ["rev"], 1e-2, 1e-2)


def test_kl_closed_forms():
    """Of the prior 0, with gradient 0; of N(m, 1) m^2 / 2 a dimension; of N(0, s) (s - 1 - log s) / 2."""
    value, gradients = jax.value_and_grad(variational.gaussian_kl, argnums=(0, 1))(jnp.zeros((4, 3)), jnp.zeros((4, 3)))
    assert value == 0.0 and all((np.asarray(gradient) == 0).all() for gradient in gradients)
    np.testing.assert_allclose(variational.gaussian_kl(jnp.full((4, 3), 2.0), jnp.zeros((4, 3))), 6.0, rtol=1e-6)
    kl = variational.summed_gaussian_kl(jnp.zeros((4, 3)), jnp.full((4, 3), np.log(3.0), jnp.float32))
    np.testing.assert_allclose(kl, 12 * (2 - np.log(3)) / 2, rtol=1e-5)


@pytest.mark.parametrize("spread", variational.SPREADS)
@pytest.mark.parametrize("width", [3, 1])
def test_samples_against_the_definition(rng, spread, width):
    mean, log_variance, noise = case(rng, 3)
    noise = noise[:, :width]
    scale = np.sqrt(np.exp(log_variance.astype(float))) if spread == "deviation" else np.exp(log_variance.astype(float))
    sample = lambda m, v: variational.sample_latent(m, v, jnp.asarray(noise), spread)  # noqa: E731
    np.testing.assert_allclose(sample(mean, log_variance), mean + noise * scale, rtol=1e-5, atol=1e-6)
    by_mean, by_log_variance = jax.grad(lambda m, v: sample(m, v).sum(), argnums=(0, 1))(jnp.asarray(mean), jnp.asarray(log_variance))
    assert (np.asarray(by_mean) == 1).all()
    np.testing.assert_allclose(by_log_variance, noise * scale * (0.5 if spread == "deviation" else 1.0), rtol=1e-5, atol=1e-6)


def test_samples_have_the_spread_that_the_kl_assumes(rng):
    noise = jnp.asarray(rng.normal(size=(40_000, 1)), jnp.float32)
    sample = variational.sample_latent(jnp.full((1, 1), 3.0), jnp.full((1, 1), np.log(4.0), jnp.float32), noise)
    np.testing.assert_allclose([sample.mean(), sample.std()], [3.0, 2.0], rtol=0.02)


def test_an_unknown_spread_is_refused():
    with pytest.raises(ValueError, match="unknown spread 'released'"):
        variational.sample_latent(jnp.zeros((1, 2)), jnp.zeros((1, 2)), jnp.zeros((1, 2)), "released")


def test_alignment_against_oracle(rng):
    arrays = case(rng, 4)
    np.testing.assert_allclose(variational.distribution_alignment(*arrays), oracles.distribution_alignment(*arrays), rtol=1e-5)
    check_gradients(variational.distribution_alignment, oracles.distribution_alignment, arrays)


def test_alignment_closed_form():
    """Means 3 apart, deviations e^0 = 1 and e^(log 5) = 5: a distance of 5 in one dimension."""
    log_variance = jnp.full((7, 1), 2 * np.log(5.0), jnp.float32)
    distance = variational.distribution_alignment(jnp.full((7, 1), 3.0), jnp.zeros((7, 1)), jnp.zeros((7, 1)), log_variance)
    np.testing.assert_allclose(distance, 35.0, rtol=1e-6)


def test_alignment_of_latents_that_agree_is_zero_with_zero_gradient(rng):
    mean, log_variance = map(jnp.asarray, case(rng, 2))
    arguments = mean, log_variance, mean, log_variance
    value, gradients = jax.value_and_grad(variational.distribution_alignment, argnums=(0, 1, 2, 3))(*arguments)
    np.testing.assert_allclose(value, 0.0, atol=1e-11)
    assert all((np.asarray(gradient) == 0).all() for gradient in gradients)


@pytest.mark.parametrize(("factor", "start", "end"), [(0.25, 0, 93), (2.37, 21, 75), (8.13, 6, 22)])
def test_warm_up_of_the_published_schedules(factor, start, end):
    traced = jax.jit(lambda epoch: variational.warm_up(epoch, factor, start, end))
    for epoch in (0, start, start + 1, (start + end) // 2, end - 1, end, end + 1, 500):
        expected = factor * min(max((epoch - start) / (end - start), 0.0), 1.0)
        np.testing.assert_allclose(traced(jnp.int32(epoch)), expected, rtol=2e-7)
    assert traced(jnp.int32(start)) == 0.0 and traced(jnp.int32(end)) == np.float32(factor)


def test_a_warm_up_without_epochs_is_refused():
    with pytest.raises(ValueError, match="from epoch 5 to 5"):
        variational.warm_up(0, 1.0, 5, 5)
