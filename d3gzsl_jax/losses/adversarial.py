"""WGAN-GP terms (Gulrajani et al. 2017, arXiv 1704.00028; used for features by Xian et al. 2018, arXiv 1712.00981)."""

import jax
import jax.numpy as jnp


def interpolate(real: jax.Array, fake: jax.Array, alpha: jax.Array) -> jax.Array:
    """x_hat = alpha x + (1 - alpha) x_tilde, row by row.

    Args:
        real, fake: (B, d) float32.
        alpha: (B, 1) in [0, 1).
    """
    return alpha * real + (1.0 - alpha) * fake


def wasserstein_loss(real_scores: jax.Array, fake_scores: jax.Array) -> jax.Array:
    """mean D(x_tilde, a) - mean D(x, a), which the critic minimises; scores are (B,)."""
    return jnp.mean(fake_scores) - jnp.mean(real_scores)


def gradient_penalty(gradients: jax.Array) -> jax.Array:
    """mean_i (||g_i||_2 - 1)^2 for the critic's gradients g (B, d) at the interpolates. The weight is the caller's.

    The norm is clamped inside the square root, so a row whose gradient is exactly zero contributes 1 and a zero gradient
    instead of NaN.
    """
    norm = jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(gradients), axis=-1), 1e-24))
    return jnp.mean(jnp.square(norm - 1.0))


def generator_adversarial_loss(fake_scores: jax.Array) -> jax.Array:
    """- mean D(x_tilde, a), which the generator minimises; scores are (B,)."""
    return -jnp.mean(fake_scores)
