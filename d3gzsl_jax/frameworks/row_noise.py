"""Noise that a row has by what it holds: drawn from a key that is made of the bits of its features.

Where a published method draws noise for the rows it predicts, the same row gets the same noise here each time: in whatever batch,
on whatever device, in training's evaluation and in a later prediction from a file.
"""

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.keys import root_key, stream


def row_noise(features: jax.Array, width: int) -> jax.Array:
    """N(0, I) for each row, (n, width) float32: equal rows have equal noise, others, however near, noise of their own.

    Args:
        features: (n, dx), looked at in float32, so that a run in double precision has the same noise; -0.0 is 0.0.
        width: of the noise.
    """
    features = jnp.asarray(features, jnp.float32)
    bits = jax.lax.bitcast_convert_type(jnp.where(features == 0.0, jnp.float32(0.0), features), jnp.uint32)
    # Two sums, of integers and so in any order the same, of what each value in its place is scrambled to: 64 bits.
    place = jnp.arange(features.shape[-1], dtype=jnp.uint32)[None] * np.uint32(0x9E3779B9)
    first = _scrambled(bits ^ place)
    second = _scrambled(first + place)
    base = stream(root_key(0), "row noise")

    def of_row(first: jax.Array, second: jax.Array) -> jax.Array:
        return jax.random.normal(jax.random.fold_in(jax.random.fold_in(base, first), second), (width,), jnp.float32)

    return jax.vmap(of_row)(jnp.sum(first, axis=-1, dtype=jnp.uint32), jnp.sum(second, axis=-1, dtype=jnp.uint32))


def _scrambled(bits: jax.Array) -> jax.Array:
    """A bijection of 32 bits in which each bit depends on all: MurmurHash3's last step."""
    bits = (bits ^ (bits >> 16)) * np.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * np.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)
