"""Euclidean norms of rows, safe to differentiate at a row of zeros."""

import jax
import jax.numpy as jnp

FLOOR = 1e-12


def row_norms(x: jax.Array, keepdims: bool = False) -> jax.Array:
    """||x_i||_2 of rows x (..., d): (...), or (..., 1) with `keepdims`; at least FLOOR.

    Clamped inside the square root: a row of zeros has the norm FLOOR and the gradient zero instead of NaN. No other bit differs.
    """
    return jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(x), axis=-1, keepdims=keepdims), FLOOR**2))
