"""Where every random number of a run comes from.

A key is fold_in(root, name), then the outer step, then the inner iteration. So no draw depends on how many devices run, how
many steps are fused into a call, or whether the run was resumed. Threefry is named explicitly, and system/startup.py fixes the two
process-wide settings that would change its bits.
"""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32


def root_key(seed: int) -> jax.Array:
    """The key of a run, from its seed in [0, 2**32)."""
    return jax.random.key(seed, impl="threefry2x32")


def stream(root: jax.Array, name: str) -> jax.Array:
    """The key of a named stream: fold_in of the CRC-32 of the name, which is the same on every machine."""
    return jax.random.fold_in(root, zlib.crc32(name.encode()))


def normal_rows(key: jax.Array, first: int, rows: int, width: int) -> jax.Array:
    """Rows first to first + rows of jax.random.normal(key, (any number of rows, width)), to the bit, without the others.

    An element's bits are threefry of its place in the array alone (jax_threefry_partitionable), and what is made of them here is
    what jax.random does; a test holds the two together.
    """
    begin = first * width
    low = jnp.uint32(begin % 2**32) + jnp.arange(rows * width, dtype=jnp.uint32)
    high = jnp.uint32(begin // 2**32) + (low < jnp.uint32(begin % 2**32)).astype(jnp.uint32)
    return _normal_at(key, high, low).reshape(rows, width)


def normal_row(key: jax.Array, row: jax.Array, width: int) -> jax.Array:
    """Row `row`, () int32, of jax.random.normal(key, (rows, width)) of less than 2^32 numbers, to the bit; (width,), for vmap."""
    low = row.astype(jnp.uint32) * jnp.uint32(width) + jnp.arange(width, dtype=jnp.uint32)
    return _normal_at(key, jnp.zeros_like(low), low)


@jax.jit
def _normal_at(key: jax.Array, high: jax.Array, low: jax.Array) -> jax.Array:
    both = threefry_2x32(jax.random.key_data(key), jnp.concatenate([high, low]))
    bits = both[: len(high)] ^ both[len(high) :]
    lowest = np.nextafter(np.float32(-1.0), np.float32(0.0))
    uniform = jax.lax.bitcast_convert_type((bits >> 9) | np.uint32(0x3F800000), jnp.float32) - np.float32(1.0)
    uniform = jnp.maximum(lowest, uniform * (np.float32(1.0) - lowest) + lowest)
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(uniform)
