"""Blocks of pairs: the same as all pairs at once, in bounded memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.losses import contrastive, pairwise
from tests.losses import oracles


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["released", "described"])
@pytest.mark.parametrize("rows_per_block", [1, 4, 30])
def test_blocks_change_nothing(rng, monkeypatch, variant, rows_per_block):
    n = 30
    a, b = (pairwise.unit_rows(jnp.asarray(rng.normal(size=(n, 5)), jnp.float32)) for _ in range(2))
    groups = jnp.asarray(rng.integers(0, 6, n))
    loss = lambda a, b: pairwise.pair_loss(a, b, groups, variant)  # noqa: E731
    contrast = lambda a, b: contrastive.instance_contrast(a, groups, 0.1) + 0 * b.sum()  # noqa: E731
    whole = [jax.value_and_grad(f, argnums=(0, 1))(a, b) for f in (loss, contrast)]
    monkeypatch.setattr(pairwise, "_BLOCK_BYTES", 4 * n * rows_per_block)
    blocks = [jax.value_and_grad(f, argnums=(0, 1))(a, b) for f in (loss, contrast)]
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7), blocks, whole)
    np.testing.assert_allclose(blocks[0][0], oracles.pairs(np.asarray(a, float), np.asarray(b, float), groups, variant), rtol=1e-5)


def test_memory_is_linear_in_the_rows():
    """Temporary memory of value and gradient, as compiled: four times the rows take at most about four times as much, far from the
    matrix of pairs."""

    def temporary(n):
        shape = jax.ShapeDtypeStruct((n, 2), jnp.float32)
        function = jax.grad(lambda a, b, g: pairwise.pair_loss(a, b, g, "released"), argnums=(0, 1))
        compiled = jax.jit(function).lower(shape, shape, jax.ShapeDtypeStruct((n,), jnp.int32)).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    large = temporary(80_000)
    assert large < 20 * pairwise._BLOCK_BYTES < 4 * 80_000**2 / 10
    assert large < 2 * temporary(20_000) + 4 * pairwise._BLOCK_BYTES


def test_sampled_pairs_are_weighted_by_the_chance_of_their_pair(rng):
    """Two sampled classes of five, one row each, and one real row: every kind of pair, by hand."""
    a, b = (pairwise.unit_rows(jnp.asarray(rng.normal(size=(3, 4)), jnp.float32)) for _ in range(2))
    labels = jnp.array([7, 8, 0])
    sample = pairwise.SampledPairs(labels, jnp.array([True, True, False]), 5 / 2, 5 * 4 / 2, 6)
    weights = np.array([[2.5, 10, 2.5], [10, 2.5, 2.5], [2.5, 2.5, 1]])
    losses = pairwise.entropy_of_logits(pairwise.half_cosine(a, b), (labels[:, None] == labels[None]).astype(jnp.float32))
    np.testing.assert_allclose(pairwise.pair_loss(a, b, labels, "released", sample), (weights * losses).sum() / 36, rtol=1e-5)
