"""The random numbers and the row numbers of an outer step: keys end here, losses are given arrays."""

import jax
import jax.numpy as jnp
from jax import lax

from d3gzsl_jax.frameworks.schedule import Draws, Phase
from d3gzsl_jax.keys import stream

StepDraws = tuple[dict[str, jax.Array], ...]
"""The draws of an outer step by phase: by name (B, ...), with a leading axis over the repeats where the phase has new batches."""
SORTED_ROWS = 2**15
"""Of so many rows all are sorted, which takes milliseconds: what follows is then compiled alike in the programs of one seed and of
several, whose last digits differ after the faster way."""


def update_draws(key: jax.Array, draws: Draws, batch: int, unseen_draws: Draws, unseen_rows: int) -> dict[str, jax.Array]:
    """The draws of one batch from its key: those of the phase, (batch, ...), and D3's, (unseen_rows, ...)."""
    found = {name: draw.sample(stream(key, name), batch) for name, draw in draws.items()}
    return found | {name: draw.sample(stream(key, name), unseen_rows) for name, draw in unseen_draws.items()}


def step_draws(
    root: jax.Array, step: jax.Array, phases: tuple[Phase, ...], n_critic: int, batch: int, unseen_draws: Draws, unseen_rows: int
) -> StepDraws:
    """The draws of outer step `step`. Repeats of phases are numbered through, and each has a key of its own."""
    counts = [phase.count(n_critic) for phase in phases]
    key = jax.random.fold_in(stream(root, "draws"), step)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(sum(counts)))
    found, first = [], 0
    for phase, count in zip(phases, counts, strict=True):
        further = unseen_draws if phase.distilled else {}
        draw = lambda k, phase=phase, further=further: update_draws(k, phase.draws, batch, further, unseen_rows)  # noqa: E731
        found.append(jax.vmap(draw)(keys[first : first + count]) if phase.new_batch else draw(keys[first]))
        first += count
    return tuple(found)


def sample_rows(root: jax.Array, step: jax.Array, rows: int, batches: int, batch: int) -> jax.Array:
    """Row numbers (batches, batch) int32 of outer step `step`: uniform in [0, rows), without replacement within a batch.

    Each row gets 32 random bits and the `batch` smallest win, ties going to the lower row. data/batches.py computes the same
    numbers in TensorFlow; a test holds the two together.
    """
    key = jax.random.fold_in(stream(root, "rows"), step)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(batches))
    bits = jax.vmap(lambda k: jax.random.bits(k, (rows,), jnp.uint32))(keys)
    return smallest(bits, batch)


def smallest(bits: jax.Array, count: int) -> jax.Array:
    """The places (..., count) int32 of the smallest of uint32 bits (..., n), ascending, of equal ones the lower place first.

    On a CPU XLA finds the largest few of floats without sorting all of them; of integers it does not. So the bits are turned into
    floats of the reverse order (`_descending`), which do not tell the upper 1/128 of all numbers apart. Those are not among the
    smallest half of many: the chance is under 1e-100. Up to `SORTED_ROWS`, and where more than half are taken, all are sorted.
    """
    if bits.shape[-1] <= SORTED_ROWS or 2 * count > bits.shape[-1]:
        return jnp.argsort(bits, axis=-1, stable=True)[..., :count].astype(jnp.int32)
    return lax.top_k(_descending(bits), count)[1].astype(jnp.int32)


_NORMAL = 0x7F000000
"""How many positive normal float32 there are, the first of them with the pattern _FIRST."""
_FIRST = 0x00800000


def _descending(bits: jax.Array) -> jax.Array:
    """Finite, normal float32 in the reverse order of uint32 bits: each has its own but the largest 2**25 + 1, which share one."""
    rank = jnp.maximum(~bits, jnp.uint32(2**25)) - jnp.uint32(2**25)  # 0 .. 2 * _NORMAL
    negative = jnp.uint32(2**31 + _FIRST + _NORMAL - 1) - rank
    positive = rank - jnp.uint32(_NORMAL) + jnp.uint32(_FIRST)
    return lax.bitcast_convert_type(jnp.where(rank < _NORMAL, negative, positive), jnp.float32)
