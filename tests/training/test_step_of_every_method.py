"""The outer step of every base method: order of its updates, how often a group is stepped, and that D3 off leaves it bit for bit."""

import chex
import jax
import jax.numpy as jnp
import pytest

from d3gzsl_jax.frameworks import registry
from d3gzsl_jax.frameworks.adam import AdamState
from d3gzsl_jax.frameworks.structures import UpdateInputs
from tests import small
from tests.training.test_step import compiled_update, inputs_of, one_step

FRAMEWORKS = pytest.mark.parametrize("framework", list(registry.FRAMEWORKS))


def updates_of(p):
    """Phase, update, batch and draws of every update of the first outer step, in their order."""
    (batches, draws), first, batch = inputs_of(p), 0, None
    for phase, drawn in zip(p.objective.framework.phases(0), draws, strict=True):
        for i in range(phase.count(p.n_critic)):
            at = lambda tree, i: jax.tree.map(lambda leaf: leaf[i], tree)  # noqa: E731
            batch, own = (at(batches, first), at(drawn, i)) if phase.new_batch else (batch, drawn)
            first += phase.new_batch
            yield from ((phase, of, batch, own) for of in phase.updates)


@pytest.mark.slow
@FRAMEWORKS
def test_updates_come_in_order_and_each_sees_what_those_before_it_changed(framework):
    """The fused step equals its updates one after another, the generator's on the LAST batch; an update changes its groups alone."""
    p = small.problem(framework=framework)
    state, step = p.state, list(updates_of(p))
    for phase, of, batch, draws in step:
        before = state
        given = p.constants.teacher, p.constants.classes, batch, draws
        state, _ = compiled_update(phase, of, p.objective, p.optimization, before, *given)
        resting = set(state.params) - set(p.objective.groups_of(of))
        chex.assert_trees_all_equal(*({group: at.params[group] for group in resting} for at in (state, before)))
    fused, _ = one_step(p, p.state)
    for group, params in fused.params.items():
        # The comparator has gradients that are zero but for rounding, of which Adam makes steps (docs/devices.md).
        chex.assert_trees_all_close(params, state.params[group], rtol=0, atol=1e-4 if group == "comparator" else 5e-6)
    if len(step) == 1:
        return
    # With what the others were at the start instead, the last update would have led elsewhere.
    stale = before.replace(params=before.params | {group: p.state.params[group] for group in resting})
    wrong, _ = compiled_update(phase, of, p.objective, p.optimization, stale, *given)
    difference = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), *({g: at.params[g] for g in of.groups} for at in (wrong, fused)))
    assert max(jax.tree.leaves(difference)) > 1e-5


@FRAMEWORKS
def test_every_group_is_stepped_as_often_as_the_method_says(framework):
    p = small.problem(framework=framework)
    state, _ = one_step(p, p.state)
    is_adam = lambda opt: isinstance(opt, AdamState)  # noqa: E731
    adams = {group: opt if is_adam(opt) else opt[1] for group, opt in state.opt_state.items()}
    assert all(is_adam(adam) for adam in adams.values())
    base, n = p.objective.framework, p.n_critic
    if framework not in ("wgan", "fclswgan", "cegzsl"):
        counts = dict.fromkeys(p.objective.groups, 0)
        for phase in base.phases(0):
            for of in phase.updates:
                counts |= {group: counts[group] + phase.count(n) for group in p.objective.groups_of(of)}
        assert {group: int(adam.count) for group, adam in adams.items()} == counts
        return
    student = {"student_head": n + 1, "confidence": n + 1}
    if framework == "cegzsl":  # E is the student's embedding
        student |= {"embedding": n, "projection": n, "comparator": n}
    else:
        student |= {"student_embedding": n + 1}
    assert {group: int(adam.count) for group, adam in adams.items()} == {"generator": 1, "critic": n} | student
    assert int(state.step) == 1
    if framework == "fclswgan":
        chex.assert_trees_all_equal(state.params["seen_classifier"], p.state.params["seen_classifier"])


@pytest.mark.optimized
@pytest.mark.slow
@FRAMEWORKS
def test_all_weights_zero_leaves_exactly_the_base_method(framework):
    """The same parameters, bit for bit, as a step that knows of no D3, from the same initial ones; and nothing of D3 is there."""
    off = small.problem(framework=framework, weight_cls=0.0, weight_od=0.0, weight_be=0.0, weight_kl=0.0)
    base, optimization, classes, method = off.objective.framework, off.optimization, off.constants.classes, off.state.method
    assert off.objective.unseen_rows(classes) == 0
    on = small.problem(framework=framework).state.params
    chex.assert_trees_all_equal(off.state.params, {group: on[group] for group in off.state.params})
    trained = set(base.init(off.constants.root))
    frozen = {"seen_classifier"} if framework == "fclswgan" else set(small.first_stage(base, off.constants.root))
    assert set(off.state.params) == trained | frozen
    assert set(off.state.opt_state) == trained

    def loss(trained, phase, of, params, batch, draws, made):
        merged = params | trained
        fakes = base.make(phase, merged, classes, batch, draws, method, 0)[0] if made is None else made
        embed = (lambda x: base.embed(merged, x)) if base.embedding_groups else (lambda x: None)
        learns = set(base.embedding_groups) & set(of.groups)
        inputs = UpdateInputs(
            classes=classes, batch=batch, fakes=fakes, draws=draws, state=method, epoch=jnp.int32(0),
            real_embedding=embed(batch.features), fake_embedding=None if learns else embed(fakes),
        )
        return base.loss(of.name, merged, inputs)[0]

    def turn(phase, carry, batch, draws, made=None):
        for of in phase.updates:
            params, opt_state = carry
            gradient = jax.grad(loss)({group: params[group] for group in of.groups}, phase, of, params, batch, draws, made)
            carry = optimization.apply(of.groups, params, opt_state, gradient, jnp.int32(0))
        return carry

    @jax.jit
    def plain(params, opt_state, batches, draws):
        carry, first, own = (params, opt_state), 0, batches
        for phase, drawn in zip(base.phases(0), draws, strict=True):
            if not phase.new_batch:
                carry = turn(phase, carry, jax.tree.map(lambda leaf: leaf[-1], own), drawn)
                continue
            own = jax.tree.map(lambda leaf, first=first, phase=phase: leaf[first : first + phase.count(off.n_critic)], batches)
            made = base.make(phase, carry[0], classes, own, drawn, method, 0)[0] if phase.made_ahead else None
            carry, _ = jax.lax.scan(lambda c, of, phase=phase: (turn(phase, c, *of), None), carry, (own, drawn, made))
            first += phase.count(off.n_critic)
        return carry[0]

    expected = plain(off.state.params, off.state.opt_state, *inputs_of(off))
    ours, _ = one_step(off, off.state)
    chex.assert_trees_all_equal(ours.params, expected)
