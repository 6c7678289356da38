"""Features of given classes by a trained generator, a few classes at a time."""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.keys import normal_rows

_CHUNK_ROWS = 2048  # rows synthesized at a time
_PART_BYTES = 2**28  # of rows that are handed out, and of what they are made of


def synthesize_classes(
    framework: Framework, params: Params, key: jax.Array, semantics: jax.Array, labels: jax.Array, count: int,
    then: Callable[[Params, jax.Array], jax.Array] | None = None,
) -> jax.Array:
    """`count` rows of each class of `labels`, class-major (k count, dx), scaled as training rows are; `synthesize` is it compiled.

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


synthesize = jax.jit(synthesize_classes, static_argnums=(0, 5))
"""`synthesize_classes`, compiled."""


def parts_of_classes(
    framework: Framework, params: Params, key: jax.Array, semantics: jax.Array, labels: np.ndarray, count: int
) -> Iterator[np.ndarray]:
    """What `synthesize_classes` makes, in parts (n, dx) one after another, for any number of rows: never more than _PART_BYTES are
    there at once. Arguments as there; `labels` are on the host."""
    sizes = framework.sizes
    class_bytes = 4 * count * (sizes.noise + sizes.generator_hidden + sizes.features)
    labels = np.asarray(labels, np.int32)
    if class_bytes <= _PART_BYTES:  # whole classes, as many as are made together anyway, or a multiple of that
        together = max(_CHUNK_ROWS // count, 1)
        size = together * max(_PART_BYTES // (class_bytes * together), 1)
        for start in range(0, len(labels), size):
            yield np.asarray(synthesize(framework, params, key, semantics, labels[start : start + size], count))
        return
    for label in labels.tolist():
        for first in range(0, count, _CHUNK_ROWS):
            noise = normal_rows(jax.random.fold_in(key, label), first, min(_CHUNK_ROWS, count - first), sizes.noise)
            yield np.asarray(_generate(framework, params, semantics[label][None], noise))


@functools.partial(jax.jit, static_argnums=0)
def _generate(framework: Framework, params: Params, semantics: jax.Array, noise: jax.Array) -> jax.Array:
    return framework.generate(params, framework.condition(params, semantics), noise)
