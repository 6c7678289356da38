"""Noise that follows from what a row holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.row_noise import row_noise


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(3).random((37, 11)).astype(np.float32)


def test_equal_rows_have_equal_noise_and_others_their_own(rows):
    noise = np.asarray(row_noise(np.concatenate([rows, rows[:5]]), 6))
    assert noise.dtype == np.float32 and noise.shape == (42, 6)
    np.testing.assert_array_equal(noise[:5], noise[37:])
    assert len(np.unique(noise[:37].ravel())) == 37 * 6


@pytest.mark.parametrize("change", ["last bit", "two swapped", "sign", "zero more", "row of zeros"])
def test_the_smallest_change_changes_it_all(rows, change):
    one = rows[:1].copy()
    other = {
        "last bit": lambda: np.nextafter(one, np.float32(2.0)) * (np.arange(11) == 4) + one * (np.arange(11) != 4),
        "two swapped": lambda: one[:, [1, 0, *range(2, 11)]],
        "sign": lambda: one * np.where(np.arange(11) == 0, -1, 1),
        "zero more": lambda: np.concatenate([one, np.zeros((1, 1))], axis=1),
        "row of zeros": lambda: np.zeros_like(one),
    }[change]()
    a, b = (np.asarray(row_noise(row.astype(np.float32), 2000))[0] for row in (one, other))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1 and not np.isnan(b).any()


def test_neither_place_nor_batch_nor_compilation_nor_width_of_numbers_matters(rows):
    noise = np.asarray(row_noise(rows, 6))
    order = np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_array_equal(row_noise(rows[order], 6), noise[order])
    for at in range(0, len(rows), 5):
        np.testing.assert_array_equal(row_noise(rows[at : at + 5], 6), noise[at : at + 5])
    np.testing.assert_array_equal(row_noise(np.concatenate([rows, np.zeros((7, 11), np.float32)]), 6)[:37], noise)
    np.testing.assert_array_equal(jax.jit(row_noise, static_argnums=1)(rows, 6), noise)
    np.testing.assert_array_equal(jax.vmap(lambda x: row_noise(x, 6))(jnp.stack([rows, rows]))[1], noise)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(row_noise(jnp.asarray(rows, jnp.float64), 6), noise)


def test_zero_has_one_sign(rows):
    minus = np.where(np.arange(11) == 2, np.float32(-0.0), rows)
    np.testing.assert_array_equal(row_noise(minus, 6), row_noise(np.abs(minus), 6))


def test_it_is_standard_normal():
    """Over rows on a coarse grid, whose bits differ in few places."""
    grid = np.stack(np.meshgrid(*[np.arange(16) / 16] * 3), axis=-1).reshape(-1, 3).astype(np.float32)
    noise = np.asarray(row_noise(grid, 8), float)
    n = noise.size
    assert abs(noise.mean()) < 4 / np.sqrt(n) and abs(noise.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((noise**4).mean() - 3) < 4 * np.sqrt(96 / n)
    assert np.abs(np.corrcoef(noise.T) - np.eye(8)).max() < 4 / np.sqrt(len(grid))
    assert abs(np.corrcoef(noise[:-1, 0], noise[1:, 0])[0, 1]) < 4 / np.sqrt(len(grid))
    assert len(np.unique(noise[:, 0])) > 4090  # as many as rows, but for chance
