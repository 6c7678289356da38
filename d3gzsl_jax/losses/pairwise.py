"""Batch-wide losses over pairs of rows: an (n, m) similarity matrix against equality of labels, in memory linear in the rows.
Never an (n, m, d) tensor."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from d3gzsl_jax.precision import EXACT

NORM_FLOOR = 1e-8
PROBABILITY_FLOOR = 1e-6
# A block of rows against all columns is at most this large (or one row): what more there is comes block after block, and again in
# the backward pass. Up to a batch of 4096 that is one block.
_BLOCK_BYTES = 64 * 2**20


class SampledPairs(NamedTuple):
    """Rows of which the synthesized ones belong to n sampled classes out of u, each class as likely as any other.

    A pair counts by one over the chance that the sample holds it (Horvitz and Thompson 1952), so that the expectation of the loss
    is that over the rows of all u classes.

    Attributes:
        labels: (n,) class ids.
        synthesized: (n,) bool.
        once: u / n, for pairs with one sampled class in them.
        twice: u (u - 1) / (n (n - 1)), for pairs of two different sampled classes.
        count: rows there would be with all classes.
    """

    labels: jax.Array
    synthesized: jax.Array
    once: float
    twice: float
    count: int  # type: ignore[assignment]  # hides tuple.count


def unit_rows(x: jax.Array, floor: float = NORM_FLOOR) -> jax.Array:
    """Rows of x (n, d) divided by their norm, the norm clamped at `floor` (so a zero row stays zero, with finite gradient)."""
    squares = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    return x / jnp.sqrt(jnp.maximum(squares, floor**2))


def by_rows(function: Callable[..., Any], columns: int, *rows: jax.Array) -> Any:
    """`function` of the slices of `rows` (leading axis n), each result (n, ...), where a slice meets `columns` others inside.

    What is formed inside, (n, columns), is bounded: where it would be large, blocks of rows are done one after another and formed
    again in the backward pass instead of being kept. The result is the same.
    """
    size = max(_BLOCK_BYTES // (4 * columns), 1)
    if size >= rows[0].shape[0]:
        return jax.vmap(function)(*rows)
    return jax.lax.map(jax.checkpoint(lambda slices: function(*slices)), rows, batch_size=size)


def half_cosine(a: jax.Array, b: jax.Array) -> jax.Array:
    """S_ij = (1 + a_i . b_j) / 2 in [0, 1] for unit rows a (..., d) and b (m, d); (..., m), float32 whatever the networks' are."""
    return 0.5 * (1.0 + jnp.matmul(a, b.T, precision=EXACT))


def entropy_of_logits(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """max(s, 0) - s y + log(1 + exp(-|s|)), entry by entry: binary cross-entropy of logits s against y in {0, 1}."""
    return jnp.maximum(logits, 0.0) - logits * targets + jnp.log1p(jnp.exp(-jnp.abs(logits)))


def entropy_of_probabilities(probabilities: jax.Array, targets: jax.Array) -> jax.Array:
    """Binary cross-entropy of probabilities against y in {0, 1}, entry by entry, probabilities clipped to [1e-6, 1 - 1e-6]."""
    p = jnp.clip(probabilities, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    return -(targets * jnp.log(p) + (1.0 - targets) * jnp.log1p(-p))


def pair_loss(
    a: jax.Array, b: jax.Array, groups: jax.Array, variant: str, sample: SampledPairs | None = None
) -> jax.Array:
    """Mean cross-entropy, over all pairs of rows, of S_ij = (1 + a_i . b_j) / 2 against T_ij = [group_i = group_j].

    Args:
        a, b: (n, d) unit rows.
        groups: (n,) ids.
        variant: 'released' uses S itself as a logit, as the published code does, so that the loss of a matching pair is at
            least log(1 + 1/e) = 0.313 and that of a differing one at least log 2 = 0.693; 'described' uses S as a probability.
        sample: what the rows are a sample of; None: of nothing, every pair counts once.
    """
    entropies = {"released": entropy_of_logits, "described": entropy_of_probabilities}
    if variant not in entropies:
        raise ValueError(f"unknown variant {variant!r}, expected 'released' or 'described'")

    def row(a: jax.Array, group: jax.Array, label: jax.Array, synthesized: jax.Array) -> jax.Array:
        losses = entropies[variant](half_cosine(a, b), (group == groups).astype(jnp.float32))
        if sample is None:
            return jnp.sum(losses)
        of_two = jnp.where(label == sample.labels, sample.once, sample.twice)
        weights = jnp.where(synthesized, jnp.where(sample.synthesized, of_two, sample.once), 1.0)
        weights = jnp.where(~synthesized & sample.synthesized, sample.once, weights)
        return jnp.sum(weights * losses)

    own = (groups, groups) if sample is None else (sample.labels, sample.synthesized)
    count = a.shape[0] if sample is None else sample.count
    return jnp.sum(by_rows(row, b.shape[0], a, groups, *own) / count) / count
