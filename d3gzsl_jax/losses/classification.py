"""Classification losses: cross-entropy of logits, and its weighted form over log-probabilities (L_cls)."""

import jax
import jax.numpy as jnp


def classification_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """L_cls: mean negative log-likelihood of log_softmax(logits) (n, C) at labels (n,), original ids."""
    return negative_log_likelihood(jax.nn.log_softmax(logits), labels)



def negative_log_likelihood(
    log_probabilities: jax.Array, labels: jax.Array, weights: jax.Array | None = None, count: int = 0
) -> jax.Array:
    """Mean of - log p at the labels.

    Args:
        log_probabilities: (n, C).
        labels: (n,) columns.
        weights: (n,) how many rows each one stands for, and `count` how many all stand for; None: 1 each.
    """
    chosen = jnp.take_along_axis(log_probabilities, labels[:, None], axis=-1)[:, 0]
    return -jnp.mean(chosen) if weights is None else -jnp.sum(weights * chosen) / count

