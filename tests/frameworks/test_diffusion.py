import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.diffusion import Diffusion, time_embedding
from tests.conftest import GOLDEN

DIFFUSION = Diffusion(4, 0.1, 20.0)
N, WIDTH = 9, 5


def tables():
    of_clean, of_noised, log_variance = DIFFUSION.posterior_tables
    return {
        "sqrt_alphas_bar": DIFFUSION.signal, "sigmas_bar": DIFFUSION.noise, "sqrt_alphas": DIFFUSION.kept, "sigmas": DIFFUSION.added,
        "posterior_mean_coef1": of_clean, "posterior_mean_coef2": of_noised, "posterior_log_variance_clipped": log_variance,
        "time_embedding": time_embedding(4, 6),
    }


@pytest.mark.parametrize("name", tables())
def test_the_schedule_is_the_recorded_one(name):
    with np.load(GOLDEN / "zerodiff.npz") as recording:
        recorded = recording[f"schedule/{name}"]
    table = tables()[name]
    assert table.dtype == np.float32 and table.shape == recorded.shape
    np.testing.assert_allclose(table, recorded, rtol=2e-7, atol=1e-7)


def test_the_lowest_level_has_no_noise():
    """In float32; in double there would be 1e-4 of it."""
    assert DIFFUSION.signal[0] == 1.0 and DIFFUSION.noise[0] == 0.0
    assert np.all(np.diff(DIFFUSION.signal) < 0)


@pytest.mark.parametrize("steps", [1, 2, 4, 50])
def test_tables_of_any_number_of_steps_are_finite(steps):
    diffusion = Diffusion(steps, 0.1, 20.0)
    assert all(len(table) == steps + 1 for table in (diffusion.signal, diffusion.noise, diffusion.kept, diffusion.added))
    assert all(len(table) == steps and np.isfinite(table).all() for table in diffusion.posterior_tables)
    assert np.isfinite(diffusion.signal).all() and np.isfinite(diffusion.noise).all()
    of_clean, of_noised, _ = diffusion.posterior_tables
    assert of_clean[0] == 1.0 and of_noised[0] == 0.0


def rows(rng, count):
    return [rng.normal(size=(N, WIDTH)).astype(np.float32) for _ in range(count)]


def test_a_pair_is_a_row_at_its_level_and_one_further(rng):
    x, diffuse, step = rows(rng, 3)
    level = np.arange(N) % 4
    noised, further = DIFFUSION.pair(jnp.asarray(x), jnp.asarray(level), jnp.asarray(diffuse), jnp.asarray(step))
    for i, t in enumerate(level):
        expected = DIFFUSION.signal[t] * x[i] + np.sqrt(1 - DIFFUSION.signal[t] ** 2) * diffuse[i]
        np.testing.assert_allclose(noised[i], expected, rtol=1e-6, atol=1e-6)
        b = DIFFUSION.variance[t + 1]
        np.testing.assert_allclose(further[i], np.sqrt(1 - b) * expected + np.sqrt(b) * step[i], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(noised[level == 0], x[level == 0])


def test_the_posterior_is_that_of_two_gaussians(rng):
    """The product of p(x_{t+1} | x_t) and p(x_t | x_0), in double: its mean and its variance."""
    clean, noised, noise = rows(rng, 3)
    level = np.arange(N) % 4
    found = np.asarray(DIFFUSION.posterior(*map(jnp.asarray, (clean, noised, level, noise))))
    b = DIFFUSION.variance[1:].astype(float)
    left = np.cumprod(1 - b)
    for i, t in enumerate(level):
        if t == 0:
            np.testing.assert_array_equal(found[i], clean[i])
            continue
        precision = (1 - b[t]) / b[t] + 1 / (1 - left[t - 1])
        mean = (np.sqrt(1 - b[t]) / b[t] * noised[i] + np.sqrt(left[t - 1]) / (1 - left[t - 1]) * clean[i]) / precision
        np.testing.assert_allclose(found[i], mean + noise[i] / np.sqrt(precision), rtol=1e-4, atol=1e-5)


def test_leading_axes_and_one_level_for_all(rng):
    clean, noised, noise = (jnp.asarray(of) for of in rows(rng, 3))
    level = jnp.arange(N) % 4
    stacked = lambda *arrays: [jnp.stack([of, of]) for of in arrays]  # noqa: E731
    both = DIFFUSION.posterior(*stacked(clean, noised, level, noise))
    np.testing.assert_array_equal(both[1], DIFFUSION.posterior(clean, noised, level, noise))
    alike = DIFFUSION.posterior(clean, noised, jnp.int32(2), noise)
    np.testing.assert_array_equal(alike, DIFFUSION.posterior(clean, noised, jnp.full(N, 2), noise))
    np.testing.assert_array_equal(DIFFUSION.signal_at(jnp.asarray([0, 3])), DIFFUSION.signal[[0, 3]])


@pytest.mark.parametrize("width", [1, 2, 5, 6])
def test_an_embedding_of_time_is_cosines_then_sines(width):
    found, half = time_embedding(3, width), width // 2
    assert found.shape == (3, width)
    for t in range(3):
        angles = [t * 10000 ** (-k / half) for k in range(half)]
        np.testing.assert_allclose(found[t], [*np.cos(angles), *np.sin(angles), *[0.0] * (width % 2)], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "low", "high", "why"),
    [
        (4, 0.1, 300.0, "nothing would be left of a row before the last noise level; give smaller rates"),
        (1000, 0.1, 40.0, "nothing would be left"), (4, 300.0, 20.0, "nothing would be left"), (4, 3e38, 3e38, "nothing would be left"),
        (4, 0.0, 1e-9, "neighbouring noise levels would be the same; give larger rates"), (1000, 0.0, 1e-3, "neighbouring noise levels"),
    ],
)  # fmt: skip
def test_rates_that_float32_cannot_compute_with_are_said(steps, low, high, why):
    said = Diffusion(steps, low, high).problem()
    assert said.startswith(f"beta_max={high:g}: with timesteps={steps} and beta_min={low:g}, in 32-bit numbers, ") and why in said


@pytest.mark.parametrize(("steps", "low", "high"), [(1, 0.1, 20.0), (4, 0.1, 20.0), (1000, 0.1, 20.0), (4, 0.0, 40.0), (2, 1.0, 0.5)])
def test_other_rates_are_not(steps, low, high):
    assert Diffusion(steps, low, high).problem() == ""
