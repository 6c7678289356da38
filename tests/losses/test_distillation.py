import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from d3gzsl_jax.losses import distillation as d
from d3gzsl_jax.losses import pairwise
from d3gzsl_jax.losses.classification import classification_loss
from tests.losses import oracles

N, SEEN, WIDTH = 9, 4, 6
VARIANTS = pytest.mark.parametrize("variant", d.VARIANTS)


def case(seed=0):
    rng = np.random.default_rng(seed)
    f = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    labels = jnp.asarray(rng.integers(0, SEEN, N), jnp.int32)
    return {"t": f(N, SEEN), "v": f(N, SEEN), "te": f(N, WIDTH), "se": f(N, WIDTH), "h": f(N, 2),
            "c": jax.nn.sigmoid(f(N)), "y": labels}  # fmt: skip


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6)


def losses(variant):
    """Each loss as a function of the arrays it is differentiated by."""
    x = case()
    return {
        "cls": (lambda v: classification_loss(v, x["y"]), x["v"]),
        "be": (lambda e: d.embedding_distillation(pairwise.unit_rows(x["te"]), e, x["y"], variant), x["se"]),
        "kl": (lambda v: d.label_distillation(x["t"], v, variant, 2.0), x["v"]),
        "kl by teacher": (lambda t: d.label_distillation(t, x["v"], variant, 2.0), x["t"]),
        "od by student": (lambda h: d.batch_ood_distillation(x["c"], h, x["y"], SEEN, variant), x["h"]),
        "od by confidence": (lambda c: d.batch_ood_distillation(c, x["h"], x["y"], SEEN, variant), x["c"]),
    }


def test_classification_against_oracle():
    x = case()
    close(classification_loss(x["v"], x["y"]), oracles.classification(np.asarray(x["v"], float), x["y"]))


@VARIANTS
def test_embedding_distillation_against_oracle(variant):
    x = case()
    ours = d.embedding_distillation(pairwise.unit_rows(x["te"]), x["se"], x["y"], variant)
    close(ours, oracles.pairs(np.asarray(x["te"], float), np.asarray(x["se"], float), x["y"], variant))


@VARIANTS
@pytest.mark.parametrize("tau", [1.0, 3.0])
def test_label_distillation_against_oracle(variant, tau):
    x = case()
    t, v = np.asarray(x["t"], float), np.asarray(x["v"], float)
    close(d.label_distillation(x["t"], x["v"], variant, tau), oracles.label_distillation(t, v, variant, tau))


@VARIANTS
@pytest.mark.parametrize("target", d.TARGETS)
def test_batch_ood_against_oracle(variant, target):
    x = case()
    groups = d.pair_groups(x["y"], 3, target)
    expected = np.asarray(x["y"]) if target == "class" else np.array([0] * 3 + [1] * (N - 3))
    np.testing.assert_array_equal(groups, expected)
    ours = d.batch_ood_distillation(x["c"], x["h"], groups, SEEN, variant)
    close(ours, oracles.batch_ood(np.asarray(x["c"], float), np.asarray(x["h"], float), expected, variant))


@pytest.mark.parametrize("kind", d.SCORES)
def test_scores_against_oracle(kind):
    t = case()["t"]
    close(d.in_distribution_score(t, kind), oracles.score(np.asarray(t, float), kind))
    check_grads(lambda t: d.in_distribution_score(t, kind), (t,), 1, ["rev"], 1e-2, 1e-2)


@VARIANTS
@pytest.mark.parametrize("name", list(losses("released")))
def test_gradients(variant, name):
    loss, at = losses(variant)[name]
    check_grads(loss, (at,), 1, ["rev"], 2e-2, 2e-2)


@VARIANTS
def test_zero_rows_have_finite_gradients(variant):
    """A student whose ReLU is dead for a row embeds it at 0: no NaN."""
    x = case()
    embedding = x["se"].at[2].set(0.0)
    gradient = jax.grad(lambda e: d.embedding_distillation(pairwise.unit_rows(x["te"]), e, x["y"], variant))(embedding)
    assert np.isfinite(gradient).all()


def test_label_distillation_is_zero_at_the_teacher():
    x = case()
    for variant in d.VARIANTS:
        close(d.label_distillation(x["t"], x["t"], variant), 0.0)


def test_released_pair_losses_have_their_floors():
    """S in [0, 1] used as a logit: a matching pair costs at least log(1 + 1/e), a differing one at least log 2."""
    one, opposite = jnp.ones((1, 1)), -jnp.ones((1, 1))
    np.testing.assert_allclose(pairwise.pair_loss(one, one, jnp.zeros(1), "released"), np.log(1 + np.exp(-1)), rtol=1e-6)
    np.testing.assert_allclose(pairwise.entropy_of_logits(pairwise.half_cosine(one, opposite), 0.0)[0, 0], np.log(2), rtol=1e-6)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_released_pair_losses_never_fall_below_their_floors(seed):
    x = case(seed)
    same = float((x["y"][:, None] == x["y"][None]).mean())
    floor = same * 0.3132616 + (1 - same) * 0.6931471
    assert d.embedding_distillation(pairwise.unit_rows(x["te"]), x["se"], x["y"]) >= floor - 1e-6
    assert d.batch_ood_distillation(x["c"], x["h"], x["y"], SEEN) >= floor - 1e-6


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), variant=st.sampled_from(d.VARIANTS))
def test_pair_losses_do_not_depend_on_row_order_or_label_names(seed, variant):
    x = case(seed)
    order = np.random.default_rng(seed).permutation(N)
    renamed = (x["y"] * 7 + 3)[order]
    unit = pairwise.unit_rows(x["te"])
    close(d.embedding_distillation(unit[order], x["se"][order], renamed, variant), d.embedding_distillation(unit, x["se"], x["y"], variant))
    close(d.batch_ood_distillation(x["c"][order], x["h"][order], renamed, 7 * SEEN, variant), d.batch_ood_distillation(x["c"], x["h"], x["y"], SEEN, variant))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), variant=st.sampled_from(d.VARIANTS))
def test_row_losses_permute_with_rows_and_classes(seed, variant):
    x = case(seed)
    rng = np.random.default_rng(seed)
    order, classes = rng.permutation(N), rng.permutation(SEEN)
    position = jnp.asarray(np.argsort(classes), jnp.int32)
    close(
        classification_loss(x["v"][order][:, classes], position[x["y"][order]]), classification_loss(x["v"], x["y"])
    )
    close(
        d.label_distillation(x["t"][order][:, classes], x["v"][order][:, classes], variant, 2.0),
        d.label_distillation(x["t"], x["v"], variant, 2.0),
    )


def test_unknown_names_are_refused():
    x = case()
    with pytest.raises(ValueError, match="relased"):
        d.label_distillation(x["t"], x["v"], "relased")
    with pytest.raises(ValueError, match="relased"):
        pairwise.pair_loss(x["t"], x["v"], x["y"], "relased")
    with pytest.raises(ValueError, match="entropy"):
        d.in_distribution_score(x["t"], "entropy")
    with pytest.raises(ValueError, match="batch"):
        d.pair_groups(x["y"], 3, "batch")
