"""The random numbers and the row numbers of an outer step: keys end here, losses are given arrays."""


import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.structures import Draws, StepDraws
from d3gzsl_jax.keys import stream


def update_draws(key: jax.Array, batch: int, unseen_rows: int, noise: int) -> Draws:
    """The draws of one update from its key: shapes (batch, noise), (batch, 1), (unseen_rows, noise)."""
    return Draws(
        noise=jax.random.normal(stream(key, "noise"), (batch, noise), jnp.float32),
        interpolation=jax.random.uniform(stream(key, "interpolation"), (batch, 1), jnp.float32),
        unseen_noise=jax.random.normal(stream(key, "unseen_noise"), (unseen_rows, noise), jnp.float32),
    )



def step_draws(
    root: jax.Array, step: jax.Array, n_critic: int, batch: int, unseen_rows: int, noise: int
) -> StepDraws:
    """The draws of outer step `step`: n_critic critic updates, then the generator update."""
    key = jax.random.fold_in(stream(root, "draws"), step)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n_critic + 1))
    draw = lambda k: update_draws(k, batch, unseen_rows, noise)  # noqa: E731
    return StepDraws(critic=jax.vmap(draw)(keys[:-1]), generator=draw(keys[-1]))



def sample_rows(root: jax.Array, step: jax.Array, rows: int, n_critic: int, batch: int) -> jax.Array:
    """Row numbers (n_critic, batch) int32 of outer step `step`: uniform in [0, rows), without replacement within a batch.

    Each row gets 32 random bits and the `batch` smallest win, ties going to the lower row. data/batches.py computes the same
    numbers in TensorFlow; a test holds the two together.
    """
    key = jax.random.fold_in(stream(root, "rows"), step)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n_critic))
    bits = jax.vmap(lambda k: jax.random.bits(k, (rows,), jnp.uint32))(keys)
    return jnp.argsort(bits, axis=-1, stable=True)[:, :batch].astype(jnp.int32)

