"""Features of given classes by a trained generator, a few classes at a time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.training.structures import Params

_CHUNK_ROWS = 2048  # rows synthesized at a time


def synthesize_classes(
    framework: Framework, params: Params, key: jax.Array, semantics: jax.Array, labels: jax.Array, count: int,
    then: Callable[[Params, jax.Array], jax.Array] | None = None,
) -> jax.Array:
    """`count` rows of each class of `labels`, class-major (k count, dx), scaled as training rows are; to be jitted by the caller.

    The noise of a class follows from its id, so neither the chunks nor the other classes change its rows.

    Args:
        framework, params: the base method.
        key: of the noise.
        semantics: (C, da) by class id.
        labels: (k,) int32 class ids.
        count: rows per class.
        then: applied to (params, rows) before they are gathered, for example an embedding; then (k count, width).
    """
    then = then or (lambda params, rows: rows)

    def one_class(label: jax.Array) -> jax.Array:
        noise = jax.random.normal(jax.random.fold_in(key, label), (count, framework.sizes.noise))
        return then(params, framework.generate(params, framework.condition(params, semantics[label][None]), noise))

    if count == 0:
        return then(params, jnp.zeros((0, framework.sizes.features)))
    chunk = min(max(_CHUNK_ROWS // count, 1), labels.shape[0])
    rows = jax.lax.map(one_class, labels, batch_size=chunk)
    return rows.reshape(-1, rows.shape[-1])
