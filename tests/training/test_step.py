import dataclasses
from typing import ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.frameworks import registry
from d3gzsl_jax.frameworks.finite_check import check_finite
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.training.draws import sample_rows, step_draws
from d3gzsl_jax.training.joint_loop import JointLoop
from d3gzsl_jax.training.loop import Loop, fetch_batches
from d3gzsl_jax.training.step import train_step, update
from tests import small

compiled_step = jax.jit(train_step, static_argnums=(0, 1, 2))  # once for all tests with equal problems
compiled_update = jax.jit(update, static_argnums=(0, 1, 2, 3))


def inputs_of(p, step=0):
    """Batches and draws of an outer step, these by phase."""
    batches = fetch_batches(p.objective, p.constants, jnp.int32(step), None, p.n_critic, p.batch)
    base, rows = p.objective.framework, p.objective.unseen_rows(p.constants.classes)
    return batches, step_draws(p.constants.root, step, base.phases(0), p.n_critic, p.batch, base.unseen_draws(), rows)


def one_step(p, state, step=0):
    batches, draws = inputs_of(p, step)
    base = p.objective.framework
    return compiled_step(
        p.objective, p.optimization, base.phases(0), state, p.constants.teacher, p.constants.classes, batches, draws
    )


def jitted_update(phase, p, state, batch, draws):
    of = small.update_of(p.objective.framework, phase)
    return compiled_update(*of, p.objective, p.optimization, state, p.constants.teacher, p.constants.classes, batch, draws)


def copy(tree):
    return jax.tree.map(jnp.array, tree)


FRAMEWORKS = pytest.mark.parametrize("framework", list(registry.FRAMEWORKS))
# A critic phase, then a generator phase, each of one update.
GANS = pytest.mark.parametrize("framework", ["wgan", "fclswgan", "cegzsl"])


def loop_of(p):
    return Loop(p.objective, p.optimization, p.n_critic, p.batch)


def run(p, lengths, inputs=None):
    """The state and tally after calls of these lengths."""
    loop, state = loop_of(p), copy(p.state)
    tally, done = loop.empty_tally(state, p.constants, inputs), 0
    for count in lengths:
        state, tally = loop.run(state, tally, p.constants, inputs, done, count)
        done += count
    return state, tally


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cls", "od", "be", "kl"])
def test_a_term_without_weight_is_not_computed(name):
    p = small.problem(**{f"weight_{name}": 0.0})
    _, terms = one_step(p, p.state)
    assert name not in terms["critic"] and len({"cls", "od", "be", "kl"} & set(terms["critic"])) == 3


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"variant": "described"}, {"score": "energy"}, {"score": "max_logit"}, {"target": "domain"},
                                     {"variant": "described", "temperature": 4.0}, {"n_syn": 0}])  # fmt: skip
def test_options_reach_the_step(options):
    p, default = small.problem(**options), small.problem()
    ours, terms = one_step(p, p.state)
    theirs, _ = one_step(default, default.state)
    assert np.isfinite(jax.tree.leaves(terms)[0]).all()
    difference = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), ours.params, theirs.params)
    assert max(jax.tree.leaves(difference)) > 1e-6


@dataclasses.dataclass(frozen=True)
class TracedWGAN(WGAN):
    """Notes each time its critic loss is traced."""

    traces: ClassVar[list[str]] = []

    def critic_loss(self, params, inputs):
        self.traces.append("critic")
        return super().critic_loss(params, inputs)


@pytest.mark.slow
def test_one_trace_for_calls_of_any_length_and_for_equal_loops():
    """Seeds and repeated runs make the objects anew; what is compiled they share."""
    counts = []
    for seed in (0, 1, 2):
        p = small.problem(seed)
        p.objective = dataclasses.replace(p.objective, framework=TracedWGAN(p.objective.framework.sizes))
        loop, state = loop_of(p), copy(p.state)
        tally = loop.empty_tally(state, p.constants, None)
        for start, count in ((0, 1), (1, 3), (4, 2)):
            state, tally = loop.run(state, tally, p.constants, None, start, count)
            tally = loop.empty_tally(state, p.constants, None)
        assert int(state.step) == 6
        counts.append(len(TracedWGAN.traces))
    assert counts[0] > 0 and set(counts) == {counts[0]}


def test_the_objects_of_a_run_are_equal_by_their_fields_and_hashable():
    one, other = (loop_of(small.problem(seed)) for seed in (0, 1))
    assert one == other and hash(one) == hash(other)
    changed = dataclasses.replace(one.optimization, learning_rates={**one.optimization.learning_rates, "critic": 2e-3})
    assert dataclasses.replace(one, optimization=changed) != one
    assert JointLoop(one) == JointLoop(other) and hash(JointLoop(one)) == hash(JointLoop(other))


@pytest.mark.slow
@FRAMEWORKS
def test_same_seed_same_bits_and_splitting_into_calls_changes_nothing(framework):
    p = small.problem(framework=framework)
    one = run(p, [9])  # over the end of an epoch, where CE-GZSL's running sum starts anew
    two = run(p, [1, 6, 2])
    again = run(p, [9])
    chex.assert_trees_all_equal(one, two)
    chex.assert_trees_all_equal(one, again)
    other, _ = run(small.problem(seed=1, framework=framework), [9])
    assert any(np.any(a != b) for a, b in zip(jax.tree.leaves(one[0].params), jax.tree.leaves(other.params), strict=True))


@pytest.mark.optimized
@pytest.mark.slow
def test_row_numbers_and_on_device_sampling_give_the_same_run(problem):
    p = problem
    rows = jnp.stack([sample_rows(p.constants.root, s, 100, p.n_critic, p.batch) for s in range(4)])
    chex.assert_trees_all_equal(run(p, [4]), run(p, [4], rows))


@pytest.mark.slow
def test_streamed_features_give_the_same_run_up_to_rounding(problem):
    p = problem
    rows = jnp.stack([sample_rows(p.constants.root, s, 100, p.n_critic, p.batch) for s in range(4)])
    streamed = (p.constants.rows.features[rows], p.constants.rows.labels[rows])
    state, _ = run(p, [4], streamed)
    chex.assert_trees_all_close(state.params, run(p, [4])[0].params, rtol=0, atol=1e-5)


@pytest.mark.slow
@FRAMEWORKS
def test_the_step_can_be_mapped_over_seeds(framework):
    """A leading seed axis on state and root key: two seeds as one program, each as on its own."""
    p, q = small.problem(seed=0, framework=framework), small.problem(seed=1, framework=framework)

    def step(state, root):
        constants = p.constants.replace(root=root)
        return loop_of(p).one_step(state, constants, None)[0].params

    states = jax.tree.map(lambda *leaves: jnp.stack(leaves), p.state, q.state)
    mapped = jax.jit(jax.vmap(step))(states, jnp.stack([p.constants.root, q.constants.root]))
    for i, one in enumerate((p, q)):
        single = jax.jit(step)(one.state, one.constants.root)
        chex.assert_trees_all_close(jax.tree.map(lambda leaf, i=i: leaf[i], mapped), single, rtol=0, atol=1e-5)


def test_not_finite_names_step_update_and_term(problem):
    p = problem
    broken = p.constants.replace(
        rows=p.constants.rows.replace(teacher=p.constants.rows.teacher.replace(logits=p.constants.rows.teacher.logits * jnp.nan))
    )
    p.constants = broken
    _, tally = run(p, [3])
    with pytest.raises(DivergenceError, match=r"outer step 0, critic update 1: not finite: kl, od;"):
        tally.check()


def test_parameters_of_the_last_update_are_looked_at_too(problem):
    broken = jax.tree.map(lambda leaf: leaf * jnp.nan, problem.state.params["generator"])
    check_finite(problem.state.params, "step 5")
    with pytest.raises(DivergenceError, match="step 5: not finite: parameters of generator"):
        check_finite(problem.state.params | {"generator": broken}, "step 5")


@pytest.mark.slow
def test_the_step_uses_the_rate_of_its_epoch():
    """The same update before and after a change of the rate: the parameters move in proportion."""
    p = small.problem()
    factors = {"generator": 3.0, "critic": 0.5, "student_embedding": 2.0, "student_head": 4.0, "confidence": 0.25}
    p.optimization = dataclasses.replace(p.optimization, factors=factors, decay_every=2, steps_per_epoch=3)
    batches, (of_critic, _) = inputs_of(p)
    first = jax.tree.map(lambda leaf: leaf[0], (batches, of_critic))

    def moved(step):
        after, _ = jitted_update("critic", p, p.state.replace(step=jnp.int32(step)), *first)
        return jax.tree.map(lambda a, b: a - b, after.params, p.state.params)

    base = moved(0)
    for step, decays in ((5, 0), (6, 1), (11, 1), (12, 2)):
        for group in p.objective.groups_of(small.update_of(p.objective.framework, "critic")[1]):
            expected = jax.tree.map(lambda leaf, g=group, d=decays: leaf * factors[g] ** d, base[group])
            chex.assert_trees_all_close(moved(step)[group], expected, rtol=1e-3, atol=2e-7)


def test_means_are_over_all_steps(problem):
    _, one = run(problem, [1])
    _, two = run(problem, [2])
    mean = two.means()["generator"]["cls"]
    assert 0 < mean < 2 * one.means()["generator"]["cls"] and int(two.count) == 2


def test_learning_rates_follow_the_epoch():
    p = small.problem()
    optimization = p.optimization.__class__(
        learning_rates={"generator": 1e-4}, factors={"generator": 1.09}, decay_every=20, steps_per_epoch=28
    )
    rates = [float(optimization.learning_rate("generator", epoch)) for epoch in (0, 19, 20, 39, 40, 1999)]
    np.testing.assert_allclose(rates, [1e-4, 1e-4, 1.09e-4, 1.09e-4, 1e-4 * 1.09**2, 1e-4 * 1.09**99], rtol=1e-7)


@pytest.mark.parametrize("factor", [0.999, 1.0, 1.0001])
def test_learning_rates_go_on_for_as_many_decays_as_a_run_has(factor):
    optimization = small.problem().optimization.__class__(
        learning_rates={"generator": 1e-4}, factors={"generator": factor}, decay_every=1, steps_per_epoch=28, most_decays=20_000
    )
    for epoch in (2047, 2048, 2999, 4096, 20_000):
        expected = 1e-4 * factor**epoch
        np.testing.assert_allclose(optimization.learning_rate("generator", epoch), expected, rtol=3e-7)
        np.testing.assert_allclose(optimization.learning_rates_at(epoch)["generator"], expected, rtol=3e-7)


@pytest.mark.slow
@GANS
def test_norms_are_those_of_gradients_and_of_what_changed(framework):
    """Against one generator update differentiated by hand, and the change of the parameters it made; only where asked for."""
    p = small.problem(framework=framework)
    batches, (_, draws) = inputs_of(p)
    phase, of = small.update_of(p.objective.framework, "generator")
    last, groups = jax.tree.map(lambda leaf: leaf[-1], batches), p.objective.groups_of(of)

    def loss(trained):
        params, constants = p.state.params | trained, p.constants
        return p.objective.loss(phase, of, params, constants.teacher, constants.classes, last, draws, {}, jnp.int32(0))[0]

    gradients = jax.grad(loss)({group: p.state.params[group] for group in groups})
    measured = jax.jit(lambda state, flag: update(
        phase, of, p.objective, p.optimization, state, p.constants.teacher, p.constants.classes, last, draws, flag
    ))  # fmt: skip
    after, _, norms = measured(p.state, True)
    length = lambda tree: np.linalg.norm(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]))  # noqa: E731
    for group in groups:
        change = jax.tree.map(lambda a, b: a - b, after.params[group], p.state.params[group])
        assert float(norms["gradient"][group]) == pytest.approx(length(gradients[group]), rel=1e-4)
        assert float(norms["update"][group]) == pytest.approx(length(change), rel=1e-3)
    assert all(float(value) == 0.0 for value in jax.tree.leaves(measured(p.state, False)[2]))


def test_the_tally_holds_the_norms_of_the_last_whole_epoch(problem):
    p = problem  # 7 steps an epoch
    _, short = run(p, [6])
    _, at_end = run(p, [7])
    _, later = run(p, [9])
    assert set(at_end.norms["gradient"]) == set(p.objective.groups)
    assert all(float(value) == 0.0 for value in jax.tree.leaves(short.norms))
    assert all(float(value) > 0.0 for value in jax.tree.leaves(at_end.norms))
    chex.assert_trees_all_equal(at_end.norms, later.norms)


@pytest.mark.slow
def test_a_term_over_the_limit_is_named_with_its_value(problem):
    p = problem
    loop = Loop(p.objective, p.optimization, p.n_critic, p.batch, loss_limit=1e-3)
    state, tally = loop.run(copy(p.state), loop.empty_tally(p.state, p.constants, None), p.constants, None, 0, 2)
    with pytest.raises(DivergenceError, match=r"outer step 0, critic update 1: over config.guards.loss_limit=0.001: .*gradient_penalty = \d"):
        tally.check(1e-3)
    assert int(state.step) == 2


@pytest.mark.parametrize("repeated", [3, 1])
def test_terms_written_down_at_once_are_the_terms(repeated):
    """In one array or one by one: the same names, shapes and, up to rounding, values, whether an update is repeated or not."""
    p = dataclasses.replace(small.problem(), n_critic=repeated)
    batches, draws = inputs_of(p)
    given = p.state, p.constants.teacher, p.constants.classes, batches, draws, jnp.bool_(True)
    jitted = jax.jit(train_step, static_argnums=(0, 1, 2, 9))
    phases = p.objective.framework.phases(0)
    plain, at_once = (jitted(p.objective, p.optimization, phases, *given, way) for way in (False, True))
    chex.assert_trees_all_equal_shapes_and_dtypes(plain, at_once)
    chex.assert_trees_all_close(plain[1:], at_once[1:], rtol=1e-5, atol=1e-6)
    assert plain[1]["critic"]["loss"].shape == (repeated,)


def test_a_loop_for_a_cpu_writes_terms_one_by_one(problem):
    assert not loop_of(problem).terms_at_once  # a seed among others would differ in its last digits (tests/studies/test_seeds.py)
