"""Several seeds as one program: each as `Loop` trains it alone, step by step."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.frameworks import registry
from d3gzsl_jax.training.joint_loop import JointLoop
from d3gzsl_jax.training.loop import Loop
from tests import small

SEEDS = (0, 1, 4)


@functools.cache
def problems(framework="wgan", **options):
    """They have rows and classes in common; root, parameters and teacher are each one's own."""
    found = [small.problem(seed=seed, framework=framework, **options) for seed in SEEDS]
    return found, Loop(found[0].objective, found[0].optimization, found[0].n_critic, found[0].batch)


@functools.cache
def joint_of(framework, way):
    return JointLoop(problems(framework)[1], way)


def alone(loop, p, count):
    state = jax.tree.map(jnp.array, p.state)
    return loop.run(state, loop.empty_tally(state, p.constants, None), p.constants, None, 0, count)


def together(joint, loop, found, lengths):
    """State and tally of each."""
    state = joint.stack([jax.tree.map(jnp.array, p.state) for p in found])
    tally = joint.stack([loop.empty_tally(p.state, p.constants, None) for p in found])
    constants = joint.stack([p.constants for p in found])
    for count in lengths:
        state, tally = joint.run(state, tally, constants, None, 0, count)
    return [(joint.one(state, i), joint.one(tally, i)) for i in range(len(found))]


@pytest.mark.slow
@pytest.mark.optimized
@pytest.mark.parametrize("framework", registry.FRAMEWORKS)
def test_mapped_seeds_have_the_bits_of_each_alone(framework):
    found, loop = problems(framework)
    joint = joint_of(framework, "map")
    for p, of_seed in zip(found, together(joint, loop, found, (1, 7)), strict=True):  # over the end of an epoch
        chex.assert_trees_all_equal(of_seed, alone(loop, p, 8))


@pytest.mark.slow
@pytest.mark.optimized
@pytest.mark.parametrize("framework", ["wgan", "cegzsl"])
def test_batched_seeds_are_each_alone_up_to_rounding(framework):
    """Within 0.01 learning rates after a step; over more of them what rounding began with has grown, in norms and losses less."""
    found, loop = problems(framework)
    joint = joint_of(framework, "vmap")
    for p, (state, tally) in zip(found, together(joint, loop, found, (1,)), strict=True):
        expected, told = alone(loop, p, 1)
        chex.assert_trees_all_close(state.params, expected.params, rtol=0, atol=0.01 * 1e-3)
        chex.assert_trees_all_close(tally.sums, told.sums, rtol=1e-3, atol=1e-5)
    for p, (state, tally) in zip(found, together(joint, loop, found, (3, 4)), strict=True):
        _, told = alone(loop, p, 7)
        assert int(state.step) == 7 and int(tally.count) == 7 and int(tally.bad_step) == -1
        chex.assert_trees_all_close(tally.norms, told.norms, rtol=0.05)
        assert all(float(norm) > 0.0 for norm in jax.tree.leaves(tally.norms))
        means, expected = (np.array(jax.tree.leaves(one.means())) for one in (tally, told))
        np.testing.assert_allclose(means, expected, rtol=0.05, atol=1e-3)


@pytest.mark.slow
def test_what_is_shared_has_no_axis_over_seeds_and_nothing_need_be_taught():
    found, loop = problems(weight_cls=0.0, weight_od=0.0, weight_be=0.0, weight_kl=0.0)
    for p in found:
        p.constants = p.constants.replace(teacher={}, rows=p.constants.rows.replace(teacher=None))
    joint = JointLoop(loop, "vmap")
    constants, state = joint.stack([p.constants for p in found]), joint.stack([p.state for p in found])
    assert constants.rows.features.shape == found[0].constants.rows.features.shape and constants.root.shape == (3,)
    assert state.step.shape == () and {leaf.shape[0] for leaf in jax.tree.leaves(state.params)} == {3}
    for p, (after, _) in zip(found, together(joint, loop, found, (1,)), strict=True):
        chex.assert_trees_all_close(after.params, alone(loop, p, 1)[0].params, rtol=0, atol=0.01 * 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["map", "vmap"])
def test_the_seed_that_breaks_down_is_known(way):
    found, loop = problems()
    outputs = found[1].constants.rows.teacher
    rows = found[1].constants.rows.replace(teacher=outputs.replace(logits=outputs.logits * jnp.nan))
    broken = dataclasses.replace(found[1], constants=found[1].constants.replace(rows=rows))
    tallies = [tally for _, tally in together(joint_of("wgan", way), loop, [found[0], broken, found[2]], (2,))]
    assert [int(tally.bad_step) for tally in tallies] == [-1, 0, -1]
    with pytest.raises(DivergenceError, match="outer step 0, critic update 1: not finite: kl, od"):
        tallies[1].check()


def test_auto_is_for_the_device():
    assert JointLoop(problems()[1]).maps == (jax.default_backend() == "cpu")
