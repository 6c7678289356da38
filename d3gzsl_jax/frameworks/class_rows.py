"""Rows of a table by index, where many rows share few entries."""

import functools
from collections.abc import Callable
from typing import cast

import jax
import jax.numpy as jnp
from jax import lax

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

    On an accelerator each is compared with all of them: a binary search is a loop of small steps, each of them a launch. On a CPU
    the comparisons would join what uses the place in one fusion, and the program that draws its batches itself, or that of
    several seeds, would then add up in another order than that of one seed (a last digit).
    """
    places = functools.partial(jnp.searchsorted, classes.seen)
    every = functools.partial(places, method="compare_all")
    return cast(jax.Array, lax.platform_dependent(labels, cpu=places, default=every))


def once_per_class(function: Callable[[jax.Array], jax.Array], classes: Classes, labels: jax.Array) -> jax.Array:
    """`function` of the semantics of rows of seen classes: semantics (n, da) to (n, d), for labels (..., n) to (..., n, d).

    Computed once per seen class where that is clearly less than once per row, which changes nothing but rounding.
    """
    if 2 * classes.seen.shape[0] > labels.size:
        return function(classes.semantics[labels])
    index = seen_index(classes, labels)
    return take_rows(function(classes.semantics[classes.seen]), index.reshape(-1)).reshape(*labels.shape, -1)
