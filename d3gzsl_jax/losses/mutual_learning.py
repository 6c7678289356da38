"""Mutual learning of ZeroDiff's critics (Ye et al. 2025, arXiv 2406.02929): each is drawn towards what the others say of a row."""

import jax
import jax.numpy as jnp


def mutual_learning(by_features: jax.Array, by_noised: jax.Array, by_representation: jax.Array, certainty: jax.Array) -> jax.Array:
    """mean_i [u_i (e(W_0, W_t) + e(W_c, W_t)) + e(W_0, W_c)], (), with e(p, q) = (p - sg(q))^2 + (q - sg(p))^2.

    W is what a critic makes of a row: its score of the real row minus that of the synthesized one of its class. sg: as a constant,
    so that either critic of a pair learns from the other, each by the derivative of one square.

    Args:
        by_features, by_noised, by_representation: (B,), W_0, W_t and W_c, of the critics of features and semantics, of features at
            a noise level, and of features and representations.
        certainty: (B,), u, how much the critic of noised rows counts at the row's noise level.
    """
    of_noised = certainty * (_each_other(by_features, by_noised) + _each_other(by_representation, by_noised))
    return jnp.mean(of_noised + _each_other(by_features, by_representation))


def _each_other(one: jax.Array, other: jax.Array) -> jax.Array:
    constant = jax.lax.stop_gradient
    return jnp.square(one - constant(other)) + jnp.square(other - constant(one))
