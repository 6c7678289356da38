"""Rows of a table by index, where many rows share few entries."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.structures import Classes
from d3gzsl_jax.precision import EXACT


@jax.custom_vjp
def take_rows(table: jax.Array, index: jax.Array) -> jax.Array:
    """table[index] for a table (m, d) and index (n,), with a derivative that is a product with the (n, m) one-hot matrix instead of
    a scatter: a scatter adds row after row on a CPU, and in no fixed order on a GPU."""
    return table[index]


def _forward(table: jax.Array, index: jax.Array) -> tuple[jax.Array, tuple[jax.Array, int]]:
    return table[index], (index, table.shape[0])


def _backward(kept: tuple[jax.Array, int], pulls: jax.Array) -> tuple[jax.Array, None]:
    index, count = kept
    hot = (jnp.arange(count)[:, None] == index[None, :]).astype(pulls.dtype)
    return jnp.matmul(hot, pulls, precision=EXACT), None


take_rows.defvjp(_forward, _backward)


def seen_index(classes: Classes, labels: jax.Array) -> jax.Array:
    """The place (..., n) of each label (..., n) among the seen classes.

    Each is compared with all of them: a binary search is a loop of small steps, and on a GPU each of them a launch.
    """
    return jnp.searchsorted(classes.seen, labels, method="compare_all")


def once_per_class(function: Callable[[jax.Array], jax.Array], classes: Classes, labels: jax.Array) -> jax.Array:
    """`function` of the semantics of rows of seen classes: semantics (n, da) to (n, d), for labels (..., n) to (..., n, d).

    Computed once per seen class where that is clearly less than once per row, which changes nothing but rounding.
    """
    if 2 * classes.seen.shape[0] > labels.size:
        return function(classes.semantics[labels])
    index = seen_index(classes, labels)
    return take_rows(function(classes.semantics[classes.seen]), index.reshape(-1)).reshape(*labels.shape, -1)
