"""The linear form of L_od's pairs against all pairs, in double precision and in JAX."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from d3gzsl_jax.losses import pairwise
from d3gzsl_jax.losses.pairwise import SampledPairs, pair_loss, unit_rows
from d3gzsl_jax.losses.plane_pairs import class_sums, plane_pair_loss
from tests.losses import oracles

KINDS = pytest.mark.parametrize("kind", ["normal", "identical", "opposite", "certain", "uncertain"])


def rows(angles, dtype=jnp.float32):
    return jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1), dtype)


def problem(kind, n=37, classes=11, seed=0):
    """Unit rows a, b (n, 2) and labels."""
    rng = np.random.default_rng(seed)
    labels = jnp.asarray(rng.integers(0, classes, n), jnp.int32)
    if kind in ("certain", "uncertain"):  # confidences of 0 and 1 alone, large logits; of about one half
        c = jnp.asarray(rng.integers(0, 2, n) if kind == "certain" else rng.uniform(0.499, 0.501, n), jnp.float32)
        h = jnp.asarray(rng.normal(size=(n, 2)) * (1e4 if kind == "certain" else 1e-3), jnp.float32)
        return unit_rows(jax.nn.softmax(h)), unit_rows(jax.nn.softmax(jnp.stack([c, 1.0 - c], axis=-1))), labels
    a, b = rng.uniform(-np.pi, np.pi, (2, n))
    if kind != "normal":
        a, b = np.full(n, 0.7), np.full(n, 0.7 + (np.pi if kind == "opposite" else 0.0))
    return rows(a), rows(b), labels


def sample_of(labels, synthesized, once=2.5, twice=10.0):
    return SampledPairs(labels, synthesized, once, twice, 3 * len(labels))


def exact(a, b, groups, sample=None):
    """The loss and its derivatives by a and b, in double precision, of all pairs."""
    a, b, n = np.asarray(a, float), np.asarray(b, float), len(a)
    s, match = (1 + a @ b.T) / 2, np.asarray(groups)[:, None] == np.asarray(groups)
    weights = np.ones((n, n)) / n**2
    if sample is not None:
        labels, made = np.asarray(sample.labels), np.asarray(sample.synthesized)
        of_two = np.where(labels[:, None] == labels, sample.once, sample.twice)
        weights = np.where(made[:, None] & made, of_two, np.where(made[:, None] | made, sample.once, 1.0)) / sample.count**2
    by_s = weights * (1 / (1 + np.exp(-s)) - match) / 2
    return (weights * (np.logaddexp(0, s) - match * s)).sum(), by_s @ b, by_s.T @ a


def along_the_circle(gradient, unit):
    """The part of a gradient (n, 2) that making unit rows leaves."""
    unit = np.asarray(unit, float)
    return np.sum(np.asarray(gradient, float) * np.stack([-unit[:, 1], unit[:, 0]], axis=1), axis=1)


@KINDS
@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("target", ["class", "domain"])
def test_value_and_gradient_are_those_of_all_pairs(kind, sampled, target):
    a, b, labels = problem(kind)
    made = labels >= 6
    groups, sample = labels if target == "class" else made.astype(jnp.int32), sample_of(labels, made) if sampled else None
    found = jax.jit(jax.value_and_grad(lambda a, b: plane_pair_loss(a, b, groups, 11, sample), (0, 1)))(a, b)
    pairs = jax.jit(jax.value_and_grad(lambda a, b: pair_loss(a, b, groups, "released", sample), (0, 1)))(a, b)
    value, *gradients = exact(a, b, groups, sample)
    np.testing.assert_allclose(found[0], value, rtol=1e-6)
    np.testing.assert_allclose(found[0], pairs[0], rtol=1e-6)
    for of, by_pairs, by_exact, unit in zip(found[1], pairs[1], gradients, (a, b), strict=True):
        expected = along_the_circle(by_exact, unit)
        size = max(np.abs(by_exact).max(), 0.05 / len(a))  # what single pairs add, where their sum is next to nothing
        np.testing.assert_allclose(along_the_circle(of, unit), expected, atol=2e-6 * size)
        np.testing.assert_allclose(along_the_circle(by_pairs, unit), expected, atol=4e-6 * size)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.sampled_from([1, 2, 50]), classes=st.sampled_from([1, 2, 40, 3000]))
def test_any_rows_cost_what_their_pairs_cost(seed, n, classes):
    a, b, labels = problem("normal", n, classes, seed)
    np.testing.assert_allclose(plane_pair_loss(a, b, labels, classes), pair_loss(a, b, labels, "released"), rtol=1e-6)


@pytest.mark.parametrize(("angle", "cosine"), [(0.0, 1.0), (np.pi / 2, 0.0), (np.pi, -1.0), (-np.pi / 3, 0.5)])
def test_one_row_by_hand(angle, cosine):
    s = (1 + cosine) / 2
    found = plane_pair_loss(rows(np.array([0.3])), rows(np.array([0.3 + angle])), jnp.zeros(1, jnp.int32), 1)
    np.testing.assert_allclose(found, np.log1p(np.exp(s)) - s, rtol=1e-6)


def test_two_rows_of_two_classes_by_hand():
    found = plane_pair_loss(rows(np.array([0, np.pi])), rows(np.array([0, 0])), jnp.array([3, 9]), 10)
    matching, other = np.log1p(np.exp(-1)), np.log(2)  # S = 1 matching, S = 0 otherwise; S = 1 differing, S = 0 matching
    np.testing.assert_allclose(found, (matching + np.log1p(np.e) + 2 * other) / 4, rtol=1e-6)


@pytest.mark.parametrize("target", ["class", "domain"])
def test_against_the_oracle(target):
    rng = np.random.default_rng(3)
    labels = np.array([7, 7, 8, 8, 0, 1, 1, 2, 5])
    groups = labels if target == "class" else (labels < 6).astype(int)
    a, b = (rows(rng.uniform(-np.pi, np.pi, 9)) for _ in range(2))
    expected = oracles.pairs(np.asarray(a, float), np.asarray(b, float), groups, "released")
    np.testing.assert_allclose(plane_pair_loss(a, b, jnp.asarray(groups), 9), expected, rtol=1e-6)


@pytest.mark.parametrize("sampled", [False, True])
def test_gradients(sampled):
    a, b, labels = problem("normal", 7)
    sample = sample_of(labels, labels >= 6) if sampled else None
    of_angles = lambda x: jnp.stack([jnp.cos(x), jnp.sin(x)], axis=1)  # noqa: E731
    loss = lambda x, y: plane_pair_loss(of_angles(x), of_angles(y), labels, 11, sample)  # noqa: E731
    angles = [jnp.arctan2(v[:, 1], v[:, 0]) for v in (a, b)]
    check_grads(loss, angles, 1, ["rev"], 1e-2, 1e-2)


@pytest.mark.parametrize("sampled", [False, True])
def test_in_double_precision_the_series_ends_below_1e_12(sampled):
    a, b, labels = problem("normal")
    with jax.enable_x64():
        a, b = (unit_rows(jnp.asarray(np.asarray(v), jnp.float64)) for v in (a, b))
        sample = sample_of(labels, labels >= 6) if sampled else None
        found, gradients = jax.value_and_grad(lambda a, b: plane_pair_loss(a, b, labels, 11, sample), (0, 1))(a, b)
        assert found.dtype == jnp.float64
        value, *expected = exact(a, b, labels, sample)
        np.testing.assert_allclose(found, value, rtol=2e-12)
        for of, by_exact, unit in zip(gradients, expected, (a, b), strict=True):
            by_angle = along_the_circle(by_exact, unit)
            np.testing.assert_allclose(along_the_circle(of, unit), by_angle, atol=1e-9 * np.abs(by_angle).max())


@pytest.mark.parametrize("drawn", [1, 2, 3])
@pytest.mark.parametrize("target", ["class", "domain"])
def test_the_mean_over_all_samples_is_the_loss_of_all_classes(drawn, target):
    """Four unseen classes (3 to 6) of two rows, and three real rows; of one class alone L_od is not unbiased, but what pairs give."""
    labels = np.array([3, 3, 4, 4, 5, 5, 6, 6, 0, 0, 2])
    a, b, _ = problem("normal", len(labels))
    groups = lambda ids: jnp.asarray(ids if target == "class" else (ids < 3).astype(int))  # noqa: E731
    once, twice = 4 / drawn, 12 / (drawn * (drawn - 1)) if drawn > 1 else 0.0
    found = []
    for chosen in itertools.combinations(range(3, 7), drawn):
        rows = np.flatnonzero(np.isin(labels, chosen) | (labels < 3))
        own = labels[rows]
        sample = SampledPairs(jnp.asarray(own), jnp.asarray(own >= 3), once, twice, len(labels))
        found.append(plane_pair_loss(a[rows], b[rows], groups(own), 7, sample))
        np.testing.assert_allclose(found[-1], pair_loss(a[rows], b[rows], groups(own), "released", sample), rtol=1e-6)
    if drawn > 1:
        np.testing.assert_allclose(np.mean(found), pair_loss(a, b, groups(labels), "released"), rtol=2e-6)


def test_large_weights_leave_the_digits():
    """50 of 20,000 classes drawn: pairs of two of them count 163,000 times, and are not what a difference of such sums is made of."""
    n, drawn, total = 50 * 5 + 64, 50, 20_000
    labels = jnp.asarray(np.concatenate([np.repeat(np.arange(1000, 1050), 5), np.random.default_rng(0).integers(0, 1000, 64)]))
    a, b, _ = problem("normal", n)
    sample = SampledPairs(labels, labels >= 1000, total / drawn, total * (total - 1) / (drawn * (drawn - 1)), 5 * total + 64)
    value, *_ = exact(a, b, labels, sample)
    np.testing.assert_allclose(plane_pair_loss(a, b, labels, 1050, sample), value, rtol=1e-6)


@pytest.mark.parametrize("classes", [1, 2, 7, 200, 21_000])
def test_class_sums(classes, rng):
    values, labels = rng.normal(size=(3, 2, 100)), rng.integers(0, classes, 100)
    found = np.asarray(class_sums(jnp.asarray(values, jnp.float32), jnp.asarray(labels), classes))
    found = np.sort(found.reshape(3, 2, -1), axis=-1)
    expected = np.stack([values[..., labels == label].sum(axis=-1) for label in range(classes)], axis=-1)
    filled = np.zeros(found.shape)
    filled[..., :classes] = expected
    np.testing.assert_allclose(found, np.sort(filled, axis=-1), rtol=1e-5, atol=1e-6)


def test_seeds_at_once_are_each_by_themselves():
    several = [problem("normal", seed=seed) for seed in range(3)]
    a, b, labels = (jnp.stack(of) for of in zip(*several, strict=True))
    found = jax.jit(jax.vmap(lambda a, b, labels: plane_pair_loss(a, b, labels, 11)))(a, b, labels)
    np.testing.assert_allclose(found, [plane_pair_loss(*one, 11) for one in several], rtol=1e-6)


@pytest.mark.parametrize("sampled", [False, True])
def test_memory_is_linear_in_the_rows_and_no_class_by_row_array_is_formed(sampled):
    n, classes = 5256, 21_000

    def loss(a, b, labels):
        return plane_pair_loss(a, b, labels, classes, sample_of(labels, labels >= 1000) if sampled else None)

    shape = jax.ShapeDtypeStruct((n, 2), jnp.float32)
    compiled = jax.jit(jax.grad(loss, (0, 1))).lower(shape, shape, jax.ShapeDtypeStruct((n,), jnp.int32)).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 4 * n * classes / (4 if sampled else 8)
    assert "scatter" not in compiled.as_text()
    assert 4 * n * classes > pairwise._BLOCK_BYTES
