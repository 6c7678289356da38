"""The outer step of a method made up for it: two passes that differ, several updates a phase, a state and optimisers of its own."""

import dataclasses
import functools
import os

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.schedule import AdamRule, Draw, Phase, Update
from d3gzsl_jax.frameworks.structures import UpdateInputs
from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.training.draws import sample_rows, step_draws
from d3gzsl_jax.training.joint_loop import JointLoop, _at_once
from d3gzsl_jax.training.loop import Loop
from tests import small

OFF = {"weight_cls": 0.0, "weight_od": 0.0, "weight_be": 0.0, "weight_kl": 0.0}
STEPS_PER_EPOCH = 4  # two of each pass


@dataclasses.dataclass(frozen=True)
class TwoPasses(Framework):
    """Linear 'maker' of features and two weights on them, of which 'resting' is trained in the second pass only."""

    passes = 2

    def phases(self, number):
        draws = {"noise": Draw("normal", (self.sizes.features,)), "column": Draw("integers", (), self.sizes.features)}
        groups = ("weight", "resting") if number == 1 else ("weight",)
        pair = (Update("maker", ("maker",)), Update("weights", groups, distilled=False))
        return (
            Phase("pair", pair, draws, repeats=2, number=number),
            Phase("last", (Update("maker", ("maker",)),), {"noise": draws["noise"]}, new_batch=False, number=number),
        )

    def init(self, key):
        maker = jax.random.normal(key, (self.sizes.semantics, self.sizes.features))
        return {"maker": {"w": maker}, "weight": {"w": jnp.ones(self.sizes.features)}, "resting": {"w": jnp.ones(self.sizes.features)}}

    def adam(self, group):
        rules = {"weight": AdamRule(learning_rate=0.02, beta1=0.9), "resting": AdamRule(summed="always")}
        return rules.get(group, AdamRule())

    def initial_state(self):
        return {"scale": jnp.float32(1.0), "steps": jnp.int32(0)}

    def next_state(self, state, terms):
        assert terms["pair"]["gap"].shape == (2,) and terms["last"]["gap"].shape == ()
        gap = terms["pair"]["gap"].mean() + terms["last"]["gap"]
        return {"scale": 0.5 * state["scale"] + gap / (1.0 + gap), "steps": state["steps"] + 1}

    def fakes(self, phase, params, classes, batch, draws, state):
        return classes.semantics[batch.labels] @ params["maker"]["w"] + state["scale"] * draws["noise"] * (1.0 + phase.number)

    def unseen(self, phase, params, semantics, n_syn, draws):
        return jnp.repeat(semantics, n_syn, axis=0) @ params["maker"]["w"] + draws["unseen_noise"][:, :1]

    def maker_loss(self, params, inputs):
        gap = jnp.mean((inputs.fakes - inputs.batch.features) ** 2 * params["weight"]["w"][None] ** 2)
        return gap * inputs.state["scale"], {"gap": gap}

    def weights_loss(self, params, inputs):
        picked = jnp.take_along_axis(inputs.fakes, inputs.draws["column"][:, None], axis=1)
        error = inputs.fakes * params["weight"]["w"][None] + params["resting"]["w"][None] ** 2 - inputs.batch.features * (1.0 + picked)
        error = jnp.mean(error**2) * (1.0 + inputs.epoch.astype(jnp.float32))
        return error, {"error": error}


@dataclasses.dataclass(frozen=True)
class OnePhase(TwoPasses):
    """'maker' alone, once an outer step: what has no adversary."""

    passes = 1

    def phases(self, number):
        return (Phase("only", (Update("maker", ("maker",)),), {"noise": Draw("normal", (self.sizes.features,))}, repeats=1),)

    def init(self, key):
        return super().init(key) | {"never": {"w": jnp.ones(2)}}

    def next_state(self, state, terms):
        return state

    def maker_loss(self, params, inputs):
        loss = jnp.mean((inputs.fakes - inputs.batch.features) ** 2)
        return loss, {"gap": loss}


def made_up(method=TwoPasses, seed=0, **distillation):
    """A problem and its loop."""
    p = small.problem(seed=seed, framework=method, **(distillation or OFF))
    base, groups = p.objective.framework, p.objective.groups
    rates = {group: base.adam(group).learning_rate or 1e-3 for group in groups}
    p.optimization = dataclasses.replace(p.optimization, learning_rates=rates, steps_per_epoch=STEPS_PER_EPOCH)
    p.state = p.state.replace(opt_state=p.optimization.init({group: p.state.params[group] for group in groups}))
    return p, Loop(p.objective, p.optimization, p.n_critic, p.batch)


@functools.cache
def cached(seed=0):
    return made_up(seed=seed)


def run(p, loop, count, state=None, tally=None):
    """State and tally after `count` outer steps more."""
    state = jax.tree.map(jnp.array, p.state if state is None else state)
    tally = loop.empty_tally(state, p.constants, None) if tally is None else tally
    return loop.run(state, tally, p.constants, None, 0, count)


def adam_of(p, state, group):
    return p.optimization.adam_state(group, state.opt_state)


class PlainAdam:
    """The paper's, in double, on what it is given; with a running sum before it or not."""

    def __init__(self, beta1, rate, summed):
        self.beta1, self.rate, self.summed, self.total, self.m, self.v, self.t = beta1, rate, summed, 0.0, 0.0, 0.0, 0

    def step(self, parameter, gradient):
        gradient = np.asarray(gradient, float)
        self.total = self.total + gradient if self.summed else gradient
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * self.total
        self.v = 0.999 * self.v + 0.001 * self.total**2
        mean, size = self.m / (1 - self.beta1**self.t), np.sqrt(self.v / (1 - 0.999**self.t))
        return jnp.asarray(np.asarray(parameter, float) - self.rate * mean / (size + 1e-8), jnp.float32)


def by_hand(p, steps):
    """Parameters and state of the method after so many outer steps, update by update, without D3 and without the package's step."""
    base, classes, root = p.objective.framework, p.constants.classes, p.constants.root
    params, state, table = dict(p.state.params), base.initial_state(), p.constants.rows
    adams = {"maker": PlainAdam(0.5, 1e-3, False), "weight": PlainAdam(0.9, 0.02, False), "resting": PlainAdam(0.5, 1e-3, True)}
    gradient_of = jax.jit(jax.grad(lambda trained, others, name, *inputs: loss(others | trained, name, *inputs), has_aux=True), static_argnums=(2, 3))

    def loss(params, name, number, batch, draws, state, epoch):
        fakes = base.fakes(base.phases(number)[0], params, classes, batch, draws, state)
        return getattr(base, f"{name}_loss")(
            params, UpdateInputs(classes=classes, batch=batch, fakes=fakes, draws=draws, state=state, epoch=epoch)
        )

    for step in range(steps):
        number, epoch, gaps = step // 2 % 2, step // STEPS_PER_EPOCH, []
        batches = [jax.tree.map(lambda leaf, r=rows: leaf[r], table) for rows in sample_rows(root, step, 100, 2, p.batch)]
        pair, last = step_draws(root, step, base.phases(number), p.n_critic, p.batch, {}, 0)
        first, second = ({name: array[i] for name, array in pair.items()} for i in (0, 1))
        weights = ("weights", ("weight", "resting") if number == 1 else ("weight",))
        order = [("maker", ("maker",), 0, first), (*weights, 0, first), ("maker", ("maker",), 1, second), (*weights, 1, second)]
        for name, groups, batch, draws in [*order, ("maker", ("maker",), 1, last)]:
            trained = {group: params[group] for group in groups}
            gradients, terms = gradient_of(trained, params, name, number, batches[batch], draws, state, jnp.int32(epoch))
            params |= {group: {"w": adams[group].step(params[group]["w"], gradients[group]["w"])} for group in groups}
            gaps += [terms["gap"]] if name == "maker" else []
        gap = (gaps[0] + gaps[1]) / 2 + gaps[2]
        state = {"scale": 0.5 * state["scale"] + gap / (1.0 + gap), "steps": state["steps"] + 1}
    return params, state


@pytest.mark.slow
def test_phases_and_passes_are_gone_through_as_the_method_says():
    """Over two epochs of two passes: each update sees what those before it left, the first phase's rows are made for each update
    anew, the last phase is on the last batch, and optimisers, epoch and the method's state are as it says. Without D3."""
    p, loop = cached()
    assert loop.batches == 2 and set(p.state.params) == {"maker", "weight", "resting"}
    state, tally = run(p, loop, 8)
    params, method = by_hand(p, 8)
    chex.assert_trees_all_close(state.params, params, rtol=0, atol=2e-5)
    chex.assert_trees_all_close(state.method, method, rtol=1e-4)
    assert int(state.method["steps"]) == 8 and float(state.method["scale"]) != 1.0
    counts = {group: int(adam_of(p, state, group).count) for group in p.objective.groups}
    assert counts == {"maker": 8 * 3, "weight": 8 * 2, "resting": 4 * 2}
    assert set(tally.means()) == {"pair", "last"} and set(tally.means()["pair"]) == {"gap", "error", "loss"}


@pytest.mark.slow
def test_a_group_rests_in_a_pass_that_does_not_train_it():
    p, loop = cached()
    step = jax.jit(lambda state: loop.one_step(state, p.constants, None, jnp.bool_(True)))
    states, norms = [p.state], []
    for _ in range(6):
        state, _, measured = step(states[-1])
        states.append(state)
        norms.append(measured)
    trained = [number % 4 in (2, 3) for number in range(6)]  # (step // steps a pass) % passes
    for before, after, measured, moves in zip(states, states[1:], norms, trained, strict=False):
        own = lambda state: (state.params["resting"], state.opt_state["resting"])  # noqa: E731
        same = all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(own(before)), jax.tree.leaves(own(after)), strict=True))
        assert same != moves
        assert all((float(measured[kind]["resting"]) > 0) == moves for kind in ("gradient", "update"))
        assert all(float(measured[kind][group]) > 0 for kind in ("gradient", "update") for group in ("maker", "weight"))
    assert isinstance(adam_of(p, states[-1], "resting"), optax.ScaleByAdamState)


@pytest.mark.slow
def test_the_state_of_the_method_is_resumed_from_a_checkpoint(tmp_path):
    p, loop = cached()
    whole = run(p, loop, 7)
    state, tally = run(p, loop, 3)
    checkpoints = Checkpoints(tmp_path, keep=1, best="", minutes=0.0, say=print)
    assert checkpoints.save(3, {"state": state, "tally": tally}, {}, None, wait=True)
    abstract = jax.eval_shape(lambda: {"state": p.state, "tally": loop.empty_tally(p.state, p.constants, None)})
    _, found, _ = checkpoints.restore_newest(abstract)
    checkpoints.close()
    assert int(found["state"].method["steps"]) == 3
    chex.assert_trees_all_equal(run(p, loop, 4, found["state"], found["tally"]), whole)


def together(way, steps):
    """Of two seeds, what each has after going through the loop with the other."""
    (p, loop), (q, _) = cached(), cached(1)
    joint = JointLoop(loop, way)
    state = joint.stack([jax.tree.map(jnp.array, one.state) for one in (p, q)])
    tally = joint.stack([loop.empty_tally(one.state, one.constants, None) for one in (p, q)])
    state, tally = joint.run(state, tally, joint.stack([p.constants, q.constants]), None, 0, steps)
    assert state.step.shape == () and state.method["scale"].shape == (2,)
    return [(joint.one(state, i), joint.one(tally, i)) for i in (0, 1)], [run(one, loop, steps) for one in (p, q)]


@pytest.mark.slow
@pytest.mark.optimized
def test_mapped_seeds_go_through_the_passes_to_the_bits_of_each_alone():
    found, alone = together("map", 7)
    if "fusion_emitters=false" not in os.environ.get("XLA_FLAGS", ""):  # as shipped: XLA's old emitters round this case otherwise
        chex.assert_trees_all_equal(found, alone)
    chex.assert_trees_all_close(found, alone, rtol=1e-5, atol=1e-7)
    assert float(found[0][0].method["scale"]) != float(found[1][0].method["scale"])


@pytest.mark.slow
def test_batched_seeds_go_through_the_passes_as_each_alone():
    found, alone = together("vmap", 7)
    for (state, _), (expected, _) in zip(found, alone, strict=True):
        chex.assert_trees_all_close(state.params, expected.params, rtol=0, atol=5e-5)
        chex.assert_trees_all_close(state.method, expected.method, rtol=1e-3)


def loops(jaxpr):
    """The `while` equations directly in a jaxpr, each with the jaxpr it goes through."""
    return [(equation, equation.params["body_jaxpr"].jaxpr) for equation in jaxpr.eqns if equation.primitive.name == "while"]


def primitives(jaxpr):
    """The names of all operations in a jaxpr; where a function is compiled by itself (newer JAX keeps it whole), of those in it."""
    found = set[str]()
    for equation in jaxpr.eqns:
        found |= primitives(equation.params["jaxpr"].jaxpr) if equation.primitive.name == "jit" else {equation.primitive.name}
    return found


def test_batched_seeds_pay_for_one_pass_alone():
    """The step's number is one for all seeds: were it one a seed, both passes would be computed and one chosen. So there is a loop
    a pass, in a loop over them, and whether a loop goes on is decided by a number, not by one a seed."""
    (p, loop), (q, _) = cached(), cached(1)
    joint = JointLoop(loop, "vmap")
    given = [joint.stack(parts) for parts in zip(*(
        (one.state, loop.empty_tally(one.state, one.constants, None), one.constants) for one in (p, q)
    ), strict=True)]  # fmt: skip
    jaxpr = jax.make_jaxpr(lambda *arguments: _at_once(loop, *arguments))(*given, 2).jaxpr
    ((_, epoch),) = loops(jaxpr)
    passes = loops(epoch)
    assert len(passes) == 2
    assert all([out.aval.shape for out in of.params["cond_jaxpr"].jaxpr.outvars] == [()] for of, _ in passes)
    assert all("scan" in primitives(body) for _, body in passes)


@pytest.mark.slow
def test_a_method_without_a_critic_takes_one_batch_a_step():
    p, loop = made_up(OnePhase)
    assert loop.batches == 1 and p.objective.groups == ("maker",)
    state, tally = run(p, loop, 3)
    assert int(adam_of(p, state, "maker").count) == 3 and set(tally.means()) == {"only"}
    params, table = p.state.params["maker"]["w"], p.constants.rows
    adam, semantics = PlainAdam(0.5, 1e-3, False), p.constants.classes.semantics
    for step in range(3):
        (rows,) = sample_rows(p.constants.root, step, 100, 1, p.batch)
        (draws,) = step_draws(p.constants.root, step, p.objective.framework.phases(0), p.n_critic, p.batch, {}, 0)
        x, a, noise = table.features[rows], semantics[table.labels[rows]], draws["noise"][0]
        params = adam.step(params, jax.grad(lambda w, x=x, a=a, noise=noise: jnp.mean((a @ w + noise - x) ** 2))(params))
    np.testing.assert_allclose(state.params["maker"]["w"], params, atol=2e-5)


@pytest.mark.slow
def test_d3_joins_the_updates_that_are_distilled_and_no_others():
    p, loop = made_up(n_syn=2)
    student = {"student_embedding", "student_head", "confidence"}
    maker, weights = p.objective.framework.phases(1)[0].updates
    assert set(p.objective.groups_of(maker)) == {"maker"} | student and p.objective.groups_of(weights) == ("weight", "resting")
    state, tally = run(p, loop, 4)
    counts = {group: int(adam_of(p, state, group).count) for group in p.objective.groups}
    assert counts == {"maker": 12, "weight": 8, "resting": 4} | dict.fromkeys(student, 12)
    terms = tally.means()
    assert {"cls", "od", "be", "kl", "distillation", "gap", "error", "loss"} == set(terms["pair"])
    assert {"cls", "od", "be", "kl", "distillation", "gap", "loss"} == set(terms["last"])
    off, of_off = cached()
    without, _ = run(off, of_off, 4)
    assert np.abs(state.params["maker"]["w"] - without.params["maker"]["w"]).max() > 1e-5
