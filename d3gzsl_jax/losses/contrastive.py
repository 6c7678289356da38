"""The two contrastive terms of CE-GZSL (Han et al. 2021, arXiv 2103.16173), and the scores of all pairs the second one needs."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from d3gzsl_jax.losses.classification import classification_loss
from d3gzsl_jax.losses.pairwise import by_rows
from d3gzsl_jax.precision import EXACT

# Size of a block of `pair_scores`, unless one row of it is larger (n or m vectors of K): about what stays in the caches of a CPU.
_BLOCK_BYTES = 8 * 2**20
_MASKED = -1e30  # a logit no softmax sees; finite, so that a lone anchor gives no NaN


def instance_contrast(projections: jax.Array, labels: jax.Array, temperature: float) -> jax.Array:
    """L_ins: each row against all others, those of its own class being its positives (supervised contrastive loss).

    For anchor i with positives P(i) (same label, not itself): - mean_{p in P(i)} log softmax_{k != i}(z_i . z_k / tau)_p; the mean
    over the anchors that have a positive. Anchors without one are dropped; with none left the loss is 0.

    Args:
        projections: (n, d) unit rows z.
        labels: (n,) class ids.
        temperature: tau > 0.
    """

    def anchor(row: jax.Array, label: jax.Array, itself: jax.Array) -> tuple[jax.Array, jax.Array]:
        others = jnp.arange(labels.shape[0]) != itself
        logits = jnp.matmul(row, projections.T, precision=EXACT) / temperature
        normalizer = jax.nn.logsumexp(jnp.where(others, logits, _MASKED))
        positive = (label == labels) & others
        count = positive.sum()
        mean_positive = jnp.sum(jnp.where(positive, logits, 0.0)) / jnp.maximum(count, 1).astype(jnp.float32)
        return jnp.where(count > 0, normalizer - mean_positive, 0.0), count > 0

    losses, anchors = by_rows(anchor, labels.shape[0], projections, labels, jnp.arange(labels.shape[0]))
    return jnp.sum(losses) / jnp.maximum(anchors.sum(), 1).astype(jnp.float32)


def class_contrast(scores: jax.Array, seen_index: jax.Array, temperature: float) -> jax.Array:
    """L_cl: mean negative log-likelihood of softmax(F([h_i, a_c]) / tau) over the seen classes c.

    Args:
        scores: (n, |S|) comparator scores; a constant added to all of them changes nothing.
        seen_index: (n,) positions of the rows' classes among the seen ones.
        temperature: tau > 0.
    """
    return classification_loss(scores / temperature, seen_index)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def pair_scores(rows: jax.Array, columns: jax.Array, weights: jax.Array, slope: float) -> jax.Array:
    """sum_k w_k LReLU(r_ik + c_jk), (n, m): a two-layer network on every pair of a row and a column.

    With Linear([h, a]) = h W_h + a W_a + bias, the first layer of all n m pairs is the sum of n and of m vectors. They are added
    block by block, in bounded memory, never as (n m, K); the backward pass forms the blocks again instead of keeping them.

    Args:
        rows: (n, K), h W_h.
        columns: (m, K), a W_a + bias.
        weights: (K,) of the second layer; its bias is the caller's.
        slope: of the leaky ReLU for negative arguments, and at 0 (as in PyTorch); in [0, 1].
    """

    def scores(row: jax.Array) -> jax.Array:
        total = row[None] + columns
        return jnp.matmul(jnp.maximum(total, slope * total), weights, precision=EXACT)

    return _blocks(scores, columns, rows)


def _blocks(function: Callable[..., jax.Array], others: jax.Array, *inputs: jax.Array) -> jax.Array:
    """`function` of each leading slice of the inputs, as many at a time as keep (slices, *others.shape) in bounds."""
    size = max(_BLOCK_BYTES // (4 * others.size), 1)
    return jax.lax.map(lambda slices: function(*slices), inputs, batch_size=min(size, inputs[0].shape[0]))


def _slopes(rows: jax.Array, columns: jax.Array, pulls: jax.Array, slope: float) -> jax.Array:
    """sum_j g_ij LReLU'(r_ik + c_jk), (n, K), for pulls g (n, m)."""
    exact = functools.partial(jnp.matmul, precision=EXACT)
    return _blocks(lambda row, pull: exact(pull, jnp.where(row[None] + columns > 0.0, 1.0, slope)), columns, rows, pulls)


def _forward(
    rows: jax.Array, columns: jax.Array, weights: jax.Array, slope: float
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    return pair_scores(rows, columns, weights, slope), (rows, columns, weights)


def _backward(slope: float, kept: tuple[jax.Array, ...], pulls: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    rows, columns, weights = kept
    row_slopes, column_slopes = _slopes(rows, columns, pulls, slope), _slopes(columns, rows, pulls.T, slope)
    # LReLU(x) = x LReLU'(x): the gradient of the weights needs no third pass over the pairs.
    of_weights = jnp.sum(rows * row_slopes, axis=0) + jnp.sum(columns * column_slopes, axis=0)
    return row_slopes * weights[None], column_slopes * weights[None], of_weights


pair_scores.defvjp(_forward, _backward)
