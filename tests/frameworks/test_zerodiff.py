"""Both stages of ZeroDiff against their definitions, which see every row on its own."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.diffusion import time_embedding
from d3gzsl_jax.frameworks.networks import apply
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.representations import ENCODER, encode
from d3gzsl_jax.frameworks.schedule import AdamRule
from d3gzsl_jax.frameworks.structures import Batch, UpdateInputs
from d3gzsl_jax.frameworks.zerodiff import FROZEN
from d3gzsl_jax.runs import torch_layout
from tests import small
from tests.conftest import GOLDEN
from tests.losses import oracles

STAGES = ("zerodiff_representation", "zerodiff")
B, LAST = 16, 3


class Case:
    """A stage at the sizes of tests, its weights large enough for verdicts that differ, and a batch of rows with representations."""

    def __init__(self, name, **options):
        p = small.problem(framework=name)
        self.base = dataclasses.replace(p.objective.framework, **options)
        self.classes = p.constants.classes
        params = p.state.params | (small.first_stage(self.base, p.constants.root, encoder=False) if name == "zerodiff" else {})
        params.pop(ENCODER, None)
        self.params = jax.tree.map(lambda leaf: 10.0 * leaf, params)
        x, labels = p.constants.rows.features[:B], p.constants.rows.labels[:B]
        self.x, self.a = x, self.classes.semantics[labels]
        self.r = jax.random.uniform(jax.random.key(3), (B, self.base.sizes.representation)) if name == "zerodiff" else None
        self.batch = Batch(features=x if self.r is None else jnp.concatenate([x, self.r], 1), labels=labels, teacher=None)

    def phase(self, name):
        return next(phase for phase in self.base.phases(0) if phase.name == name)

    def draws(self, phase, seed=1):
        keys = jax.random.split(jax.random.key(seed), 20)
        return {name: draw.sample(key, B) for (name, draw), key in zip(phase.draws.items(), keys, strict=False)}

    def inputs(self, name, seed=1):
        phase, state = self.phase(name), self.base.initial_state()
        draws = self.draws(phase, seed)
        fakes = self.base.fakes(phase, self.params, self.classes, self.batch, draws, state)
        return UpdateInputs(classes=self.classes, batch=self.batch, fakes=fakes, draws=draws, state=state, epoch=jnp.int32(0))

    def network(self, group, base=None, params=None, **given):
        """A network on all its inputs, row by row; `level` is t."""
        base, params = base or self.base, self.params[group] if params is None else params
        kind = "generator" if group == FROZEN else group
        table = jnp.asarray(time_embedding(base.timesteps, base.sizes.semantics))
        given = {name: table[value] if name == "level" else value for name, value in given.items()}
        return apply(base.network(kind), params, *(given[name] for name in base.inputs[kind]))

    def critic(self, name, rows, inputs, at=None):
        made, t = inputs.fakes, inputs.draws["timestep"]
        given = {"noised": made.further, "semantics": self.a, "representation": self.r, "level": t}
        group = f"critic_{name}"
        own = {key: given[key] for key in self.base.inputs[group][1:]}
        own = own if at is None else {key: value[at][None] for key, value in own.items()}
        return self.network(group, features=rows, **own)

    def plain(self, inputs):
        """By critic W (B,) and the penalty, each row's gradient taken on its own."""
        found = {}
        for name, (real, fake) in self.base.judged.items():
            real, fake = getattr(inputs.fakes, real), getattr(inputs.fakes, fake)
            share = inputs.draws[f"interpolation_{name}"]
            mixed = share * real + (1 - share) * fake
            one = lambda x, i, name=name: self.critic(name, x[None], inputs, i)[0]  # noqa: E731
            norms = jnp.linalg.norm(jax.vmap(jax.grad(one))(mixed, jnp.arange(B)), axis=1)
            found[name] = self.critic(name, real, inputs) - self.critic(name, fake, inputs), jnp.mean((norms - 1) ** 2)
        return found


@functools.cache
def case(name):
    return Case(name)


@pytest.mark.parametrize("name", STAGES)
def test_rows_are_made_as_the_diffusion_says(name):
    of = case(name)
    inputs = of.inputs("critic")
    draws, made, diffusion = inputs.draws, inputs.fakes, of.base.diffusion
    noised, further = diffusion.pair(of.x, draws["timestep"], draws["diffuse"], draws["step"])
    latent, given = draws["latent"], {"semantics": of.a, "level": draws["timestep"]}
    if name == "zerodiff":
        mean, log_variance = apply(of.base.encoder, of.params["encoder"], of.x, of.a)
        latent, given = mean + latent * jnp.exp(log_variance / 2), given | {"representation": of.r}
    fake = of.network("generator", noise=latent, noised=further if name == "zerodiff" else noised, **given)
    expected = [of.x, noised, further, fake, diffusion.posterior(fake, further, draws["timestep"], draws["posterior"])]
    for ours, theirs in zip(made, expected, strict=False):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert len(set(np.asarray(draws["timestep"]))) == 4


@pytest.mark.parametrize("name", STAGES)
def test_the_critics_loss_is_its_definition(name):
    of = case(name)
    inputs = of.inputs("critic")
    loss, terms = of.base.critic_loss(of.params, inputs)
    found, weights = of.plain(inputs), of.base.critic_weights
    predicted = of.base.decode(of.params, of.x)[0]
    adversarial = sum(weights[critic] * (10.0 * penalty - jnp.mean(rows)) for critic, (rows, penalty) in found.items())
    if name == "zerodiff_representation":
        expected = oracles.mean_squared(np.asarray(predicted, float), np.asarray(of.a, float)) + adversarial
    else:
        u = of.base.diffusion.signal[np.asarray(inputs.draws["timestep"])].astype(float) ** 1.5
        rows = [np.asarray(found[critic][0], float) for critic in ("x0", "xt", "xc")]
        mutual = 5.0 * oracles.mutual_learning(*rows, u)
        np.testing.assert_allclose(terms["mutual"], mutual, rtol=1e-4)
        semantic = oracles.semantic_reconstruction(np.asarray(predicted, float), np.asarray(of.a, float), "released")
        expected = semantic + mutual + 10.0 * adversarial
        np.testing.assert_allclose(terms["penalty"], sum(penalty for _, penalty in found.values()), rtol=1e-4)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    for critic, (rows, penalty) in found.items():
        np.testing.assert_allclose(terms[f"wasserstein_{critic}"], rows.mean(), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(terms[f"penalty_{critic}"], penalty, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_the_critics_gradients_are_those_of_the_definition(name):
    of = Case(name)
    inputs, groups = of.inputs("critic"), [group for group in of.params if group.startswith("critic")]
    params = of.params

    def ours(trained):
        return of.base.critic_loss(params | trained, inputs)[0]

    def theirs(trained):
        of.params = params | trained
        found = of.plain(inputs)
        loss = sum(10.0 * penalty - jnp.mean(rows) for rows, penalty in found.values())
        if name == "zerodiff_representation":
            return loss
        w = {critic: rows for critic, (rows, _) in found.items()}
        square = lambda p, q: (p - jax.lax.stop_gradient(q)) ** 2 + (q - jax.lax.stop_gradient(p)) ** 2  # noqa: E731
        u = of.base.diffusion.signal_at(inputs.draws["timestep"]) ** 1.5
        mutual = jnp.mean(u * (square(w["x0"], w["xt"]) + square(w["xc"], w["xt"])) + square(w["x0"], w["xc"]))
        return 10.0 * loss + 5.0 * mutual

    trained = {group: params[group] for group in groups}
    found, expected = (jax.grad(loss)(trained) for loss in (ours, theirs))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=2e-4 * np.abs(b).max() + 1e-6), found, expected)


@pytest.mark.parametrize("name", STAGES)
def test_the_generators_loss_is_its_definition(name):
    of = case(name)
    inputs = of.inputs("generator")
    loss, terms = of.base.generator_loss(of.params, inputs)
    verdicts = {critic: -of.critic(critic, getattr(inputs.fakes, fake), inputs).mean() for critic, (_, fake) in of.base.judged.items()}
    for critic, value in verdicts.items():
        np.testing.assert_allclose(terms[f"adversarial_{critic}"], value, rtol=1e-3, atol=1e-5)
    if name == "zerodiff_representation":
        np.testing.assert_allclose(loss, sum(verdicts.values()), rtol=1e-4, atol=1e-5)
        return
    x, fake = np.asarray(of.x, float), np.asarray(inputs.fakes.fake, float)
    entropy = -(x * np.log(fake) + (1 - x) * np.log(1 - fake)).sum() / B
    mean, log_variance = (np.asarray(part, float) for part in apply(of.base.encoder, of.params["encoder"], of.x, of.a))
    divergence = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).sum() / B
    semantic = oracles.semantic_reconstruction(np.asarray(of.base.decode(of.params, inputs.fakes.fake)[0], float), np.asarray(of.a, float), "released")
    np.testing.assert_allclose(loss, entropy + divergence + 10.0 * sum(verdicts.values()) + semantic, rtol=1e-4)


@pytest.mark.parametrize("name", STAGES)
def test_what_is_made_ahead_is_what_each_repeat_makes(name):
    of = case(name)
    phase, state = of.phase("critic"), of.base.initial_state()
    draws = [of.draws(phase, seed) | unseen_draws(of, 2, seed) for seed in (1, 2)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *draws)
    batches = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf[::-1]]), of.batch)
    together = of.base.make(phase, of.params, of.classes, batches, stacked, state, 2)
    for i in range(2):
        batch = jax.tree.map(lambda leaf, i=i: leaf[i], batches)
        one = of.base.make(phase, of.params, of.classes, batch, draws[i], state, 2)
        jax.tree.map(lambda a, b, i=i: np.testing.assert_allclose(a[i], b, rtol=1e-5, atol=1e-5), together, one)
    none = of.base.make(phase, of.params, of.classes, batches, stacked, state, 0)[1]
    assert none.shape == (2, 0, 30) and together[1].shape == (2, 8, 30)


def unseen_draws(of, n_syn, seed=1):
    rows = n_syn * len(of.classes.unseen)
    keys = jax.random.split(jax.random.key(seed), 10)
    return {name: draw.sample(key, rows) for (name, draw), key in zip(of.base.unseen_draws().items(), keys, strict=False)}


def plain_rows(of, semantics, draws):
    """Features and representations, one evaluation of a network after another."""
    n, first = len(semantics), of.base.first
    r = of.network(
        FROZEN, base=first, noise=draws["representation_noise"], semantics=semantics, noised=draws["representation_noised"],
        level=jnp.full(n, LAST),
    )
    given = {"noise": draws["noise"], "semantics": semantics, "representation": r}
    if "posterior" not in draws:
        return of.network("generator", noised=draws["noised"], level=jnp.full(n, LAST), **given), r
    noised = draws["noised"]
    for turn, t in enumerate((3, 2, 1, 0)):
        x = of.network("generator", noised=noised, level=jnp.full(n, t), **given)
        noised = of.base.diffusion.posterior(x, noised, jnp.full(n, t), draws["posterior"][:, turn])
    return x, r


@pytest.mark.parametrize("sampling", ["single", "progressive"])
def test_rows_of_unseen_classes(sampling):
    """Class after class, and by the same rule as what is synthesized; the gradient of D3 reaches G and nothing else."""
    of = Case("zerodiff", unseen_sampling=sampling, synthesis=sampling)
    semantics = of.classes.semantics[of.classes.unseen]
    draws, phase = unseen_draws(of, 3), of.phase("generator")
    own = {name.removeprefix("unseen_"): draw for name, draw in draws.items()}
    assert own.keys() == of.base.synthesis_draws().keys() and ("posterior" in own) == (sampling == "progressive")
    expected, r = plain_rows(of, jnp.repeat(semantics, 3, axis=0), own)
    np.testing.assert_allclose(of.base.unseen(phase, of.params, semantics, 3, draws), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(of.base.synthesize(of.params, jnp.repeat(semantics, 3, axis=0), own), expected, rtol=1e-5, atol=1e-5)
    of_class = {name: draw[:3] for name, draw in own.items()}
    np.testing.assert_allclose(of.base.synthesize(of.params, semantics[:1], of_class), expected[:3], rtol=1e-5, atol=1e-5)
    seen = of.base.represent_synthesized(of.params, semantics[:1], of_class)
    np.testing.assert_allclose(seen[:, -9:], r[:3], rtol=1e-5, atol=1e-5)  # the generated representation
    gradients = jax.grad(lambda params: of.base.unseen(phase, params, semantics, 3, draws).sum())(of.params)
    moved = {group for group, tree in gradients.items() if any(np.any(leaf != 0) for leaf in jax.tree.leaves(tree))}
    assert moved == {"generator"}


def test_the_first_stage_is_conditioned_as_released_or_as_described():
    of = case("zerodiff_representation")
    noised, further = of.x, of.x + 1.0
    assert of.base.generator_sees(noised, further) is noised
    assert dataclasses.replace(of.base, conditioned_on="described").generator_sees(noised, further) is further
    assert case("zerodiff").base.generator_sees(noised, further) is further


def test_representations_come_with_the_rows_or_from_the_encoder():
    of, p = case("zerodiff"), small.problem(framework="zerodiff")
    x = p.constants.rows.features[:4]
    seen = of.base.represent(of.params, jnp.concatenate([x, of.r[:4]], 1))
    np.testing.assert_array_equal(seen[:, -9:], of.r[:4])
    encoded = of.base.represent(p.state.params, x)
    np.testing.assert_array_equal(encoded[:, -9:], encode(p.state.params[ENCODER], x))
    assert np.ptp(encoded[:, -9:]) > 0


@pytest.mark.parametrize("inputs", ["v", "s", "c", "vs", "vc", "sc", "vcs"])
def test_what_the_final_classifier_sees(inputs):
    of = case("zerodiff")
    base = dataclasses.replace(of.base, classifier_inputs=inputs)
    unit, hidden = of.base.decode(of.params, of.x)
    parts = {"v": [of.x], "s": [unit, hidden], "c": [of.r]}
    expected = jnp.concatenate([part for name in "vsc" if name in inputs for part in parts[name]], axis=1)
    np.testing.assert_array_equal(base.represent(of.params, of.batch.features), expected)
    draws = {name: jnp.zeros((2, *draw.shape)) for name, draw in base.synthesis_draws().items()}
    assert base.represent_synthesized(of.params, of.a[:1], draws).shape == (2, expected.shape[1])


def test_who_is_trained_and_how():
    first, second = (case(name).base for name in STAGES)
    assert [phase.updates[0].groups for phase in second.phases(0)] == [
        ("critic_x0", "critic_xt", "critic_xc", "decoder"), ("generator", "encoder"),
    ]
    unfrozen = dataclasses.replace(second, freeze_decoder=False)
    assert unfrozen.phases(0)[1].updates[0].groups == ("generator", "encoder", "decoder")
    assert [phase.updates[0].groups for phase in first.phases(0)] == [("critic_x0", "critic_xt", "decoder"), ("generator",)]
    assert FROZEN not in second.init(jax.random.key(0)) and second.first_stage_groups == {FROZEN: "generator"}
    assert second.adam("encoder") == AdamRule(beta1=0.9) and second.adam("generator") == AdamRule()
    assert first.adam("decoder") == second.adam("decoder") == AdamRule(learning_rate=1e-4)
    assert first.initial_state() == {}


def test_the_weight_of_the_penalty_follows_the_sum_of_the_three():
    base = case("zerodiff").base
    state = base.initial_state()
    raised = base.next_state(state, {"critic": {"penalty": jnp.asarray([2.9, 3.1])}})
    assert int(raised["penalty_exponent"]) == 1
    described = dataclasses.replace(base, penalty_rule="described")
    assert described.next_state(state, {"critic": {"penalty": jnp.asarray([2.9, 3.1])}}) is state


@pytest.mark.parametrize(("name", "prefix"), [("zerodiff_representation", "drg/init/"), ("zerodiff", "dfg/init/")])
def test_all_recorded_weights_have_a_place_and_come_back(name, prefix):
    with np.load(GOLDEN / "zerodiff.npz") as recording:
        arrays = {key.removeprefix(prefix): recording[key] for key in recording.files if key.startswith(prefix)}
    named = {leaf.key for leaves in FRAMEWORKS[name].torch_layout().values() for leaf in leaves}
    unused = {key for key in arrays if "con_emb" in key and key.startswith(("representation/", *(["generator/"] if name != "zerodiff" else [])))}
    assert named == arrays.keys() - unused and len(unused) == 4  # the embedding that the generator of representations never uses
    first = FRAMEWORKS["zerodiff_representation"]
    sizes = dataclasses.replace(case("zerodiff").base.sizes, features=24, semantics=6, noise=5, generator_hidden=32, critic_hidden=28, representation=24)
    shapes = jax.eval_shape(FRAMEWORKS[name](sizes).init, jax.random.key(0))
    shapes |= {FROZEN: jax.eval_shape(first(sizes).init, jax.random.key(0))["generator"]} if name == "zerodiff" else {}
    for group, leaves in FRAMEWORKS[name].torch_layout().items():
        loaded = torch_layout.load(leaves, arrays, "", shapes[group], "recording")
        assert jax.tree.structure(loaded) == jax.tree.structure(shapes[group])
        for key, array in torch_layout.dump(leaves, loaded).items():
            np.testing.assert_array_equal(array, arrays[key])
