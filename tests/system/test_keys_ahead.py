import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.keys import root_key, stream
from d3gzsl_jax.system.keys_ahead import KeysAhead


def drawn(sizes, key, scale):
    """Arrays by keys folded several times over, of a name and of a number, and what has none."""
    found = {str(size): scale * jax.random.normal(jax.random.fold_in(stream(key, "normal"), size), (size, 3)) for size in sizes}
    one, other = jax.random.split(stream(key, "split"))
    return found | {
        "uniform": jax.random.uniform(one, (4,)), "rows": jax.random.permutation(other, 9), "key": jax.random.key_data(one),
        "zeros": jnp.zeros(5),
    }  # fmt: skip


def test_it_is_what_one_program_makes_for_every_seed():
    ahead, together = KeysAhead(drawn), jax.jit(drawn, static_argnums=0)
    for seed in (0, 7):
        key = root_key(seed)
        ours, theirs = ahead(((3, 20),), key, jnp.float32(0.5)), together((3, 20), key, jnp.float32(0.5))
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_equal_arguments_are_traced_once():
    traced = []
    ahead = KeysAhead(lambda size, key, given: (traced.append(size), jax.random.normal(key, (size,)) + given)[1])
    for seed in range(3):
        ahead((4,), root_key(seed), jnp.zeros(4))
    assert traced == [4]
    ahead((5,), root_key(0), jnp.zeros(5))
    assert traced == [4, 5]
