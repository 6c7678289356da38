"""The rows of batches are the smallest bits, found without a sort where they are many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.keys import root_key
from d3gzsl_jax.training import draws
from d3gzsl_jax.training.draws import _descending, sample_rows, smallest


@pytest.fixture
def without_sort(monkeypatch):
    """The way of many rows, for few."""
    monkeypatch.setattr(draws, "SORTED_ROWS", 255)


def sorted_all(bits, count):
    return np.argsort(np.asarray(bits), axis=-1, kind="stable")[..., :count]


@pytest.mark.parametrize(("rows", "count"), [(300, 64), (441, 64), (1003, 64), (7057, 256), (512, 256), (100, 16), (300, 200), (9, 12)])
@pytest.mark.parametrize("way", ["sorted", "without_sort"])
def test_the_smallest_bits_are_those_of_a_sort(rows, count, way, rng, request):
    if way != "sorted":
        request.getfixturevalue(way)
    bits = jnp.asarray(rng.integers(0, 2**32, (5, rows), dtype=np.uint32))
    found = jax.jit(smallest, static_argnums=1)(bits, count)
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(found, sorted_all(bits, count))


def test_of_equal_bits_the_lower_row_is_first(rng, without_sort):
    """Also at the ends of the numbers, where a float would be none, infinite or rounded to zero."""
    edges = [0, 1, 2, 2**23, 2**24 - 1, 2**31 - 2**24, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2**25 - 1]
    bits = jnp.asarray(rng.choice(edges, (3, 1000)).astype(np.uint32))
    np.testing.assert_array_equal(smallest(bits, 500), sorted_all(bits, 500))


def test_floats_are_in_the_reverse_order_of_the_bits(rng):
    ends = np.concatenate([at + np.arange(-3, 4) for at in (2**31 - 2**24, 2**31, 2**31 + 2**24, 2**32 - 2**25 - 5)])
    bits = np.unique(np.concatenate([np.arange(4), ends, rng.integers(0, 2**32 - 2**25, 1000)])).astype(np.uint32)
    floats = np.asarray(jax.jit(_descending)(jnp.asarray(bits)))
    assert (np.diff(floats) < 0).all() and np.isfinite(floats).all() and np.abs(floats).min() >= np.finfo(np.float32).tiny
    last = np.asarray(_descending(jnp.asarray([2**32 - 2**25 - 1, 2**32 - 1], jnp.uint32)))
    assert last[0] == last[1] < floats[-1]


def test_rows_of_seeds_at_once_are_those_of_each_seed(without_sort):
    keys = jax.vmap(root_key)(jnp.arange(3))
    of = lambda key: sample_rows(key, 7, 400, 5, 32)  # noqa: E731
    np.testing.assert_array_equal(jax.vmap(of)(keys), [of(key) for key in keys])


def test_a_cpu_sorts_nothing_of_many_rows():
    text = jax.jit(lambda key: sample_rows(key, 0, draws.SORTED_ROWS + 1, 5, 64)).lower(root_key(0)).compile().as_text()
    assert "TopK" in text and " sort(" not in text
