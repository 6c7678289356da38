import jax
import numpy as np
import pytest

from d3gzsl_jax.keys import normal_rows, root_key, stream
from d3gzsl_jax.training.draws import sample_rows, step_draws


def test_rows_do_not_repeat_within_a_batch_and_are_uniform():
    rows = np.asarray(jax.vmap(lambda s: sample_rows(root_key(0), s, 20, 2, 5))(np.arange(2000)))
    assert rows.shape == (2000, 2, 5)
    assert (np.diff(np.sort(rows, axis=-1), axis=-1) > 0).all()
    counts = np.bincount(rows.ravel(), minlength=20)
    assert abs(counts / counts.mean() - 1).max() < 0.15


@pytest.mark.slow
def test_draws_are_their_own_per_step_and_update():
    one, two = step_draws(root_key(0), 3, 2, 4, 6, 5), step_draws(root_key(0), 4, 2, 4, 6, 5)
    assert one.critic.noise.shape == (2, 4, 5) and one.critic.interpolation.shape == (2, 4, 1)
    assert one.generator.unseen_noise.shape == (6, 5)
    everything = [one.critic.noise[0], one.critic.noise[1], one.generator.noise, two.critic.noise[0]]
    assert len({np.asarray(x).tobytes() for x in everything}) == 4


def test_draws_are_standard():
    draws = step_draws(root_key(1), 0, 4, 500, 500, 20)
    assert abs(float(draws.critic.noise.mean())) < 0.02 and abs(float(draws.critic.noise.std()) - 1) < 0.02
    alpha = draws.critic.interpolation
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
