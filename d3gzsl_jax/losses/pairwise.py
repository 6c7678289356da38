"""Batch-wide pair losses: an (n, m) similarity matrix against equality of labels. Never an (n, m, d) tensor."""

import jax
import jax.numpy as jnp

NORM_FLOOR = 1e-8
PROBABILITY_FLOOR = 1e-6


def unit_rows(x: jax.Array, floor: float = NORM_FLOOR) -> jax.Array:
    """Rows of x (n, d) divided by their norm, the norm clamped at `floor` (so a zero row stays zero, with finite gradient)."""
    squares = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    return x / jnp.sqrt(jnp.maximum(squares, floor**2))


def half_cosine(a: jax.Array, b: jax.Array) -> jax.Array:
    """S_ij = (1 + a_i . b_j) / 2 in [0, 1] for unit rows a (n, d) and b (m, d); (n, m)."""
    return 0.5 * (1.0 + a @ b.T)


def equal_pairs(a: jax.Array, b: jax.Array) -> jax.Array:
    """T_ij = [a_i = b_j] as float32 (n, m), for labels a (n,) and b (m,)."""
    return (a[:, None] == b[None, :]).astype(jnp.float32)


def bce_logits(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean of max(s, 0) - s y + log(1 + exp(-|s|)) over all entries: binary cross-entropy of logits s against y in {0, 1}."""
    return jnp.mean(jnp.maximum(logits, 0.0) - logits * targets + jnp.log1p(jnp.exp(-jnp.abs(logits))))


def bce_probability(probabilities: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean binary cross-entropy of probabilities against y in {0, 1}, probabilities clipped to [1e-6, 1 - 1e-6]."""
    p = jnp.clip(probabilities, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    return -jnp.mean(targets * jnp.log(p) + (1.0 - targets) * jnp.log1p(-p))


def pair_loss(similarity: jax.Array, targets: jax.Array, variant: str) -> jax.Array:
    """Cross-entropy of rescaled cosines S (n, m) in [0, 1] against T (n, m) in {0, 1}.

    Args:
        variant: 'released' uses S itself as a logit, as the published code does, so that the loss of a matching pair is at
            least log(1 + 1/e) = 0.313 and that of a differing one at least log 2 = 0.693; 'described' uses S as a probability.
    """
    if variant == "released":
        return bce_logits(similarity, targets)
    if variant == "described":
        return bce_probability(similarity, targets)
    raise ValueError(f"unknown variant {variant!r}, expected 'released' or 'described'")
