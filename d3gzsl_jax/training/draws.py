"""The random numbers and the row numbers of an outer step: keys end here, losses are given arrays."""

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.schedule import Draws, Phase
from d3gzsl_jax.keys import stream

StepDraws = tuple[dict[str, jax.Array], ...]
"""The draws of an outer step by phase: by name (B, ...), with a leading axis over the repeats where the phase has new batches."""


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
    return jnp.argsort(bits, axis=-1, stable=True)[:, :batch].astype(jnp.int32)
