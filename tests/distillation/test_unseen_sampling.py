"""A step on a sample of the unseen classes."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.distillation.unseen_sampling import narrow, sample_unseen, widen
from d3gzsl_jax.frameworks.structures import Batch, Classes
from d3gzsl_jax.keys import root_key
from d3gzsl_jax.training.loop import Loop
from tests import small


def step_of(p, state=None, step=0):
    loop = Loop(p.objective, p.optimization, p.n_critic, p.batch)
    state = (state or p.state).replace(step=jnp.int32(step))
    return jax.jit(lambda state: loop.one_step(state, p.constants, None))(state)


def test_every_class_is_drawn_as_often_as_any_other():
    classes = Classes(semantics=jnp.zeros((12, 2)), seen=jnp.arange(4), unseen=jnp.arange(4, 12))
    draw = jax.jit(jax.vmap(lambda step: sample_unseen(root_key(0), step, classes, 3).unseen))
    drawn = np.asarray(draw(jnp.arange(2000)))
    assert (np.diff(drawn, axis=1) > 0).all() and drawn.min() >= 4
    counts = np.bincount(drawn.ravel(), minlength=12)[4:] / 2000
    np.testing.assert_allclose(counts, 3 / 8, atol=0.05)


def test_all_classes_are_no_sample():
    classes = Classes(semantics=jnp.zeros((12, 2)), seen=jnp.arange(4), unseen=jnp.arange(4, 12))
    assert sample_unseen(root_key(0), 0, classes, 0) is classes and sample_unseen(root_key(0), 0, classes, 8) is classes


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"variant": "described"}, {"target": "domain"}])
@pytest.mark.parametrize("count", [2, 3])
def test_terms_over_all_samples_average_to_the_terms_of_all_classes(options, count):
    """Exactly unbiased: the mean over every possible sample is the value over all classes, for each term and its gradient."""
    p = small.problem(**options)
    whole, classes = p.objective, p.constants.classes
    d3, base = whole.distillation, whole.framework
    batch = jax.tree.map(lambda leaf: leaf[:16], p.constants.rows)
    noise = jax.random.normal(jax.random.key(2), (len(classes.unseen), d3.n_syn, base.sizes.noise))

    def terms(params, chosen):
        some = classes.replace(unseen=classes.unseen[jnp.asarray(chosen)])
        rows = noise[jnp.asarray(chosen)].reshape(-1, base.sizes.noise)
        unseen = base.synthesize(params, classes.semantics[d3.unseen_labels(some)], {"noise": rows})
        embedding = d3.embed(params, jnp.concatenate([unseen, batch.features]))
        found = d3.terms(params, p.constants.teacher, some, batch, unseen, embedding)
        return jnp.stack([found[name] for name in ("cls", "od", "be", "kl")])

    jacobian = lambda chosen: (terms(p.state.params, chosen), jax.jacrev(terms)(p.state.params, chosen))  # noqa: E731
    exact = jacobian(tuple(range(4)))
    samples = [jacobian(chosen) for chosen in itertools.combinations(range(4), count)]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *samples)
    chex.assert_trees_all_close(mean, exact, rtol=2e-5, atol=2e-6)
    spread = max(float(jnp.abs(sample[0] - exact[0])[:2].max()) for sample in samples)
    assert spread > 1e-4  # each sample on its own is off


@pytest.mark.slow
def test_the_loop_steps_on_the_sample_of_its_step():
    """The sampled step is a step on a problem that has only those classes, but for the weights."""
    p = small.problem(unseen_per_step=2)
    assert p.objective.unseen_rows(p.constants.classes) == 4
    a, b = step_of(p, step=0)[0], step_of(p, step=1)[0]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((a.params, b.params)))
    again = step_of(p, step=0)[0]
    chex.assert_trees_all_equal(a.params, again.params)


@pytest.mark.slow
def test_a_narrowed_head_moves_its_own_columns_only():
    p = small.problem(unseen_per_step=2, head="sampled")
    classes = sample_unseen(p.constants.root, 0, p.constants.classes, 2)
    assert p.objective.distillation.narrows(classes)
    after, terms = step_of(p)
    rest = np.setdiff1d(np.arange(12), np.concatenate([classes.seen, classes.unseen]))
    assert len(rest) == 2 and np.isfinite(jax.tree.leaves(terms)[0]).all()
    for tree in ("params", "mu", "nu"):
        pick = lambda s, t=tree: s.params["student_head"] if t == "params" else getattr(s.opt_state["student_head"], t)  # noqa: E731
        old, new = (pick(state)["params"] for state in (p.state, after))
        moved = np.asarray(jnp.abs(new["classifier"]["linear"]["kernel"] - old["classifier"]["linear"]["kernel"])).max(axis=0) > 0
        assert not moved[rest].any() and moved[np.asarray(classes.unseen)].all()
        np.testing.assert_array_equal(new["ood"]["linear"]["kernel"][rest], old["ood"]["linear"]["kernel"][rest])
    assert after.params["student_head"]["params"]["classifier"]["linear"]["bias"].shape == (12,)


def test_narrowing_and_widening_is_the_identity():
    p = small.problem()
    classes = p.constants.classes.replace(unseen=p.constants.classes.unseen[jnp.array([1, 3])])
    batches = jax.tree.map(lambda leaf: leaf[:16], p.constants.rows)
    few, own, narrowed = narrow(p.state, classes, batches)
    assert isinstance(narrowed, Batch) and own.unseen.tolist() == [8, 9] and own.semantics.shape[0] == 10
    np.testing.assert_array_equal(own.semantics[narrowed.labels], classes.semantics[batches.labels])
    chex.assert_trees_all_equal(widen(few, p.state, classes), p.state)


def test_a_narrowed_step_with_columns_of_weight_one_is_a_step_on_fewer_classes():
    """The head's scale, against its definition: each sampled column counted u / n times in the softmax and in H."""
    p = small.problem()
    d3, params = p.objective.distillation, p.state.params
    embedding = jnp.asarray(np.random.default_rng(0).normal(size=(5, 14)), jnp.float32)
    scale = jnp.where(jnp.arange(12) < 8, 1.0, 3.0)
    head = d3._head(params)
    logits, log_probabilities, ood = head.apply(params["student_head"], embedding, scale)
    repeated = np.concatenate([np.arange(8), np.repeat(np.arange(8, 12), 3)])
    expected = jax.nn.log_softmax(logits[:, repeated])
    np.testing.assert_allclose(log_probabilities[:, repeated], expected, rtol=1e-5, atol=1e-6)
    of = params["student_head"]["params"]["ood"]["linear"]
    np.testing.assert_allclose(ood, expected @ of["kernel"][repeated] + of["bias"][None], rtol=1e-4, atol=1e-5)
