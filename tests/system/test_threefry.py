import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from d3gzsl_jax.system.threefry import threefry, unroll


@pytest.mark.parametrize(
    ("key", "counters", "expected"),
    [
        ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers(key, counters, expected):
    """Of Random123's kat_vectors, for 20 rounds."""
    found = threefry(*(jnp.uint32(part) for part in (*key, *counters)))
    assert tuple(int(part) for part in found) == expected


def test_jax_makes_the_same_bits():
    unroll()
    key, counters = jnp.array([3, 2**31 + 5], jnp.uint32), jnp.arange(2001, dtype=jnp.uint32)
    found = jax.jit(lambda key, counters: threefry_2x32(key, counters))(key, counters)
    padded = np.append(np.arange(2001, dtype=np.uint32), np.uint32(0))
    with np.errstate(over="ignore"):
        ours = np.concatenate(threefry(np.uint32(3), np.uint32(2**31 + 5), *np.split(padded, 2)))[:2001]
    np.testing.assert_array_equal(found, ours)
    assert "while" not in jax.jit(lambda key: jax.random.normal(key, (8,))).lower(jax.random.key(0)).as_text()
