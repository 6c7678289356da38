"""Features of given classes by a trained generator, a few classes at a time."""

import functools
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.schedule import Draw
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.keys import normal_row, normal_rows, stream

_CHUNK_ROWS = 2048  # rows synthesized at a time
_PART_BYTES = 2**28  # of rows that are handed out, and of what they are made of


def synthesize_classes(
    framework: Framework, params: Params, key: jax.Array, semantics: jax.Array, labels: jax.Array, count: int,
    represented: bool = False,
) -> jax.Array:
    """`count` rows of each class of `labels`, class-major (k count, dx), scaled as training rows are; `synthesize` is it compiled.

    The noise of a class follows from its id, so neither the chunks nor the other classes change its rows.

    Args:
        framework, params: the base method.
        key: of the noise.
        semantics: (C, da) by class id.
        labels: (k,) int32 class ids.
        count: rows per class.
        represented: whether they are made as the final classifier sees them, (k count, width).
    """
    make = framework.represent_synthesized if represented else framework.synthesize

    def one_class(label: jax.Array) -> jax.Array:
        draws = {name: draw.sample(at, count) for name, draw, at in _draws(framework, key, label)}
        return make(params, semantics[label][None], draws)

    if count == 0:
        one = jax.eval_shape(lambda: synthesize_classes(framework, params, key, semantics, labels, 1, represented))
        return jnp.zeros((0, one.shape[1]))
    chunk = min(max(_CHUNK_ROWS // count, 1), labels.shape[0])
    rows = jax.lax.map(one_class, labels, batch_size=chunk)
    return rows.reshape(-1, rows.shape[-1])


synthesize = jax.jit(synthesize_classes, static_argnums=(0, 5, 6))
"""`synthesize_classes`, compiled."""


def parts_of_classes(
    framework: Framework, params: Params, key: jax.Array, semantics: jax.Array, labels: np.ndarray, count: int
) -> Iterator[np.ndarray]:
    """What `synthesize_classes` makes, in parts (n, dx) one after another, for any number of rows: never more than _PART_BYTES are
    there at once. Arguments as there; `labels` are on the host."""
    noise = sum(math.prod(draw.shape) for draw in framework.synthesis_draws().values())
    class_bytes = 4 * count * (noise + framework.hidden_per_row + framework.sizes.features)
    labels = np.asarray(labels, np.int32)
    if class_bytes <= _PART_BYTES:  # whole classes, as many as are made together anyway, or a multiple of that
        together = max(_CHUNK_ROWS // count, 1)
        size = together * max(_PART_BYTES // (class_bytes * together), 1)
        for start in range(0, len(labels), size):
            yield np.asarray(synthesize(framework, params, key, semantics, labels[start : start + size], count))
        return
    for label in labels.tolist():
        for first in range(0, count, _CHUNK_ROWS):
            rows = min(_CHUNK_ROWS, count - first)
            draws = {
                name: normal_rows(at, first, rows, math.prod(draw.shape)).reshape(rows, *draw.shape)
                for name, draw, at in _draws(framework, key, label)
            }
            yield np.asarray(_synthesize(framework, params, semantics[label][None], draws))


def synthesize_rows(
    framework: Framework, params: Params, key: jax.Array, semantics: jax.Array, labels: jax.Array, places: jax.Array
) -> jax.Array:
    """Any rows (b, width) that `synthesize_classes` would make, as the final classifier sees them, up to the last digits of
    products of other shapes.

    Args:
        framework, params, key, semantics: as there.
        labels: (b,) int32 class ids.
        places: (b,) int32, the number of each row among those of its class.
    """

    def draws_of(label: jax.Array, place: jax.Array) -> dict[str, jax.Array]:
        return {
            name: normal_row(at, place, math.prod(draw.shape)).reshape(draw.shape)
            for name, draw, at in _draws(framework, key, label)
        }

    return framework.represent_synthesized(params, semantics[labels], jax.vmap(draws_of)(labels, places))


def _draws(framework: Framework, key: jax.Array, label: jax.Array | int) -> Iterator[tuple[str, Draw, jax.Array]]:
    """The draws of the rows of a class, by name, each with its key. The noise, which most methods have alone, has the key of the
    class itself."""
    of_class = jax.random.fold_in(key, label)
    for name, draw in framework.synthesis_draws().items():
        if draw.kind != "normal":
            raise ValueError(f"{type(framework).__name__}.synthesis_draws: {name} is {draw.kind}; only normal draws go in parts")
        yield name, draw, of_class if name == "noise" else stream(of_class, name)


@functools.partial(jax.jit, static_argnums=0)
def _synthesize(framework: Framework, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
    return framework.synthesize(params, semantics, draws)
