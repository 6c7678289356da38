import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from d3gzsl_jax.losses import contrastive
from d3gzsl_jax.losses.pairwise import unit_rows
from tests.losses import oracles


def units(rng, *shape):
    return unit_rows(jnp.asarray(rng.normal(size=shape), jnp.float32))


@pytest.mark.parametrize("tau", [0.1, 1.0])
@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 1, 2, 0, 5], [3] * 8, list(range(8)), [0, 0, 1, 2, 3, 4, 5, 6]])
def test_instance_contrast_against_oracle(rng, labels, tau):
    z = units(rng, 8, 5)
    ours = contrastive.instance_contrast(z, jnp.asarray(labels), tau)
    np.testing.assert_allclose(ours, oracles.instance_contrast(np.asarray(z, float), labels, tau), rtol=2e-5, atol=1e-6)


def test_instance_contrast_closed_form():
    """Two rows of each of n orthogonal classes: - log(e^(1/tau) / (e^(1/tau) + 2 (n - 1)))."""
    z, labels = jnp.repeat(jnp.eye(4), 2, axis=0), jnp.repeat(jnp.arange(4), 2)
    np.testing.assert_allclose(contrastive.instance_contrast(z, labels, 0.5), np.log(1 + 6 * np.exp(-2.0)), rtol=1e-5)


@pytest.mark.slow
def test_instance_contrast_drops_anchors_without_positives(rng):
    """A lone row is no anchor, but stays among the others' negatives."""
    z, labels = units(rng, 6, 4), jnp.array([0, 0, 1, 1, 2, 3])
    loss = lambda z: contrastive.instance_contrast(z, labels, 0.1)  # noqa: E731
    without = contrastive.instance_contrast(z[:4], labels[:4], 0.1)
    assert loss(z) > without
    assert np.isfinite(jax.grad(loss)(z)).all()


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_instance_contrast_of_singletons_only_is_zero_with_zero_gradient(rng, rows):
    z, labels = units(rng, rows, 4), jnp.arange(rows)
    value, gradient = jax.value_and_grad(lambda z: contrastive.instance_contrast(z, labels, 0.1))(z)
    assert value == 0.0 and (np.asarray(gradient) == 0).all()


def test_instance_contrast_gradients(rng):
    labels = jnp.array([0, 0, 1, 1, 1, 2])
    check_grads(lambda z: contrastive.instance_contrast(z, labels, 0.7), (units(rng, 6, 4),), 1, ["rev"], 1e-2, 1e-2)


def test_instance_contrast_of_large_logits_stays_finite(rng):
    z, labels = units(rng, 6, 3), jnp.array([0, 0, 1, 1, 2, 2])
    value, gradient = jax.value_and_grad(lambda z: contrastive.instance_contrast(z, labels, 1e-4))(z)
    assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_instance_contrast_knows_no_order_and_no_names(seed):
    rng = np.random.default_rng(seed)
    z, labels = units(rng, 7, 3), jnp.asarray(rng.integers(0, 4, 7))
    order = rng.permutation(7)
    renamed = jnp.asarray(rng.permutation(100)[:4])[labels]
    expected = contrastive.instance_contrast(z, labels, 0.2)
    np.testing.assert_allclose(contrastive.instance_contrast(z[order], renamed[order], 0.2), expected, rtol=1e-4, atol=1e-6)


def test_class_contrast_against_oracle_and_closed_form(rng):
    scores, index = jnp.asarray(rng.normal(size=(6, 4)), jnp.float32), jnp.array([0, 1, 2, 3, 3, 0])
    ours = contrastive.class_contrast(scores, index, 0.3)
    np.testing.assert_allclose(ours, oracles.classification(np.asarray(scores, float) / 0.3, index), rtol=1e-5)
    np.testing.assert_allclose(contrastive.class_contrast(jnp.full((6, 4), 2.5), index, 0.1), np.log(4), rtol=1e-6)
    check_grads(lambda s: contrastive.class_contrast(s, index, 0.7), (scores,), 1, ["rev"], 1e-2, 1e-2)


def pairs(rng, n=7, m=5, k=6):
    f = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    return f(n, k), f(m, k), f(k)


def plain(rows, columns, weights):
    return jax.nn.leaky_relu(rows[:, None] + columns[None], 0.2) @ weights


def test_pair_scores_against_oracle(rng):
    case = pairs(rng)
    np.testing.assert_allclose(contrastive.pair_scores(*case, 0.2), oracles.pair_scores(*case, 0.2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows_in_a_block", [1, 2, 3, 7, 100])
def test_pair_scores_and_their_gradients_do_not_depend_on_the_blocks(rng, monkeypatch, rows_in_a_block):
    """Against automatic differentiation of the definition, with and without a partial last block."""
    case = pairs(rng)
    monkeypatch.setattr(contrastive, "_BLOCK_BYTES", rows_in_a_block * 4 * case[1].size)
    pulls = jnp.asarray(rng.normal(size=(7, 5)), jnp.float32)
    ours, theirs = (
        jax.value_and_grad(lambda *x, f=f: (f(*x) * pulls).sum(), argnums=(0, 1, 2))(*case)
        for f in (lambda *x: contrastive.pair_scores(*x, 0.2), plain)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, theirs)


def test_pair_scores_gradients(rng):
    check_grads(lambda *x: contrastive.pair_scores(*x, 0.2), pairs(rng), 1, ["rev"], 1e-2, 1e-2)


def test_pair_scores_form_no_array_of_all_pairs(monkeypatch):
    """Forward and backward, no intermediate is larger than a block or the inputs."""
    n, m, k = 64, 48, 32
    monkeypatch.setattr(contrastive, "_BLOCK_BYTES", 4 * 4 * m * k)
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((n, k), (m, k), (k,))]
    traced = jax.make_jaxpr(jax.grad(lambda *x: contrastive.pair_scores(*x, 0.2).sum(), argnums=(0, 1, 2)))(*shapes)

    def sizes(jaxpr):
        for equation in jaxpr.eqns:
            yield from (variable.aval.size for variable in equation.outvars)
            for parameter in equation.params.values():
                if hasattr(parameter, "jaxpr"):
                    yield from sizes(parameter.jaxpr)

    assert max(sizes(traced.jaxpr)) <= 4 * m * k < n * m * k
