"""The centre loss of FREE (Chen et al. 2021, arXiv 2107.13807): rows near the centre of their own class, far from another's.

Rows are points (B, da), each class has a centre, (S, da); classes are counted by their places among the seen ones.
"""

import jax
import jax.numpy as jnp

from d3gzsl_jax.precision import EXACT


def squared_distances(points: jax.Array, centers: jax.Array) -> jax.Array:
    """||m_i - c_k||^2 as |m|^2 + |c|^2 - 2 m . c: (B, S), float32 whatever the networks' products are.

    Args:
        points: (B, da).
        centers: (S, da).
    """
    squares = jnp.sum(jnp.square(points), axis=1, keepdims=True) + jnp.sum(jnp.square(centers), axis=1)[None]
    return squares - 2.0 * jnp.matmul(points, centers.T, precision=EXACT)


def nearest_other(distances: jax.Array, own: jax.Array) -> jax.Array:
    """The place (B,) of the nearest centre that is not a row's own; there are at least two.

    Args:
        distances: (B, S).
        own: (B,) places.
    """
    is_own = jnp.arange(distances.shape[1])[None] == own[:, None]
    return jnp.argmin(jnp.where(is_own, jnp.inf, distances), axis=1)


def center_loss(distances: jax.Array, own: jax.Array, other: jax.Array, margin: float, own_share: float) -> jax.Array:
    """(1/B) sum_i max(0, margin + w d_i,own - (1 - w) d_i,other), ().

    Args:
        distances: (B, S), d.
        own, other: (B,) places of the two centres; where they are the same, the two terms partly cancel.
        margin: of the hinge.
        own_share: w in [0, 1].
    """
    at = lambda places: jnp.take_along_axis(distances, places[:, None], axis=1)[:, 0]  # noqa: E731
    return jnp.sum(jnp.maximum(margin + own_share * at(own) - (1.0 - own_share) * at(other), 0.0)) / distances.shape[0]
