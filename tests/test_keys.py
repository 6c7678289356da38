import jax
import numpy as np
import pytest

from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.keys import normal_rows, root_key, stream
from d3gzsl_jax.training.draws import sample_rows, step_draws


def test_rows_do_not_repeat_within_a_batch_and_are_uniform():
    rows = np.asarray(jax.vmap(lambda s: sample_rows(root_key(0), s, 20, 2, 5))(np.arange(2000)))
    assert rows.shape == (2000, 2, 5)
    assert (np.diff(np.sort(rows, axis=-1), axis=-1) > 0).all()
    counts = np.bincount(rows.ravel(), minlength=20)
    assert abs(counts / counts.mean() - 1).max() < 0.15


def draws_of(seed, step, n_critic, batch, unseen_rows, noise):
    """The draws of an outer step of WGAN-GP with D3, of critic and generator phase."""
    base = WGAN(Sizes(features=3, semantics=2, noise=noise, seen=2))
    return step_draws(root_key(seed), step, base.phases(0), n_critic, batch, base.unseen_draws(), unseen_rows)


@pytest.mark.slow
def test_draws_are_their_own_per_step_and_update():
    (critic, generator), (later, _) = draws_of(0, 3, 2, 4, 6, 5), draws_of(0, 4, 2, 4, 6, 5)
    assert critic["noise"].shape == (2, 4, 5) and critic["interpolation"].shape == (2, 4, 1)
    assert generator["unseen_noise"].shape == (6, 5)
    everything = [critic["noise"][0], critic["noise"][1], generator["noise"], later["noise"][0]]
    assert len({np.asarray(x).tobytes() for x in everything}) == 4


def test_draws_keep_their_bits():
    """Recorded values, the first and the last of an array: were they to change, no run could be repeated with a newer version."""
    recorded = (
        {
            "noise": ((2, 4, 5), 1.4072858095169067, 0.2995563745498657),
            "interpolation": ((2, 4, 1), 0.012685775756835938, 0.5296299457550049),
            "unseen_noise": ((2, 6, 5), 1.4040299654006958, 0.11357530951499939),
        },
        {
            "noise": ((4, 5), -0.8784794211387634, 0.5221930146217346),
            "interpolation": ((4, 1), 0.6434950828552246, 0.1446385383605957),
            "unseen_noise": ((6, 5), 1.2059617042541504, 0.7326616048812866),
        },
    )
    for found, expected in zip(draws_of(7, 3, 2, 4, 6, 5), recorded, strict=True):
        assert set(found) == set(expected)
        for name, (shape, *values) in expected.items():
            array = np.asarray(found[name])
            assert array.shape == shape and array.dtype == np.float32
            # Uniform numbers are made of the bits alone; normal ones of a logarithm too, which is not the same everywhere.
            np.testing.assert_allclose(array.ravel()[[0, -1]], values, rtol=0 if name == "interpolation" else 1e-6)


def test_draws_are_standard():
    draws, _ = draws_of(1, 0, 4, 500, 500, 20)
    assert abs(float(draws["noise"].mean())) < 0.02 and abs(float(draws["noise"].std()) - 1) < 0.02
    alpha = draws["interpolation"]
    assert float(alpha.min()) >= 0 and float(alpha.max()) < 1 and abs(float(alpha.mean()) - 0.5) < 0.03


def test_streams_keep_their_bits():
    """A recorded value: were it to change, no run could be repeated with a newer version."""
    bits = jax.random.bits(stream(root_key(7), "rows"), (2,))
    assert np.asarray(bits).tolist() == [3461489629, 481309893]


@pytest.mark.parametrize("first", [0, 1, 977, 4000])
def test_some_rows_of_a_large_draw_are_those_of_the_whole(first):
    key = root_key(3)
    whole = jax.random.normal(key, (5000, 13))
    np.testing.assert_array_equal(normal_rows(key, first, 1000, 13), whole[first : first + 1000])


def test_rows_far_beyond_what_memory_holds_differ_from_those_before():
    """Places beyond 2**32 count on, in the upper half of the counter."""
    near, far = normal_rows(root_key(0), 0, 10, 64), normal_rows(root_key(0), 2**26, 10, 64)
    assert not np.isin(np.asarray(far), np.asarray(near)).any()
    across = normal_rows(root_key(0), 2**26 - 5, 10, 64)
    np.testing.assert_array_equal(across[5:], far[:5])
