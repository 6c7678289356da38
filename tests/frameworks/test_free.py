"""FREE beyond its recording: its options, and what its final classifier sees of a row."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.schedule import AdamRule
from d3gzsl_jax.frameworks.structures import UpdateInputs
from d3gzsl_jax.losses import centers
from tests import small


@pytest.fixture(scope="module")
def problem():
    """Weights large enough that rows differ."""
    return small.scaled("free")


def inputs_of(p, base, name):
    """Of an update of the phase of this name."""
    phase = next(phase for phase in base.phases(0) if phase.name == name)
    draws = small.drawn(phase.draws, 16)
    batch = jax.tree.map(lambda leaf: leaf[:16], p.constants.rows)
    fakes = base.fakes(phase, p.state.params, p.constants.classes, batch, draws, base.initial_state())
    return UpdateInputs(
        classes=p.constants.classes, batch=batch, fakes=fakes, draws=draws, state=base.initial_state(), epoch=jnp.int32(0)
    )


@pytest.mark.parametrize("other", ["random", "random_other", "nearest"])
def test_the_other_centre_is_the_one_that_is_asked_for(problem, other):
    base = dataclasses.replace(problem.objective.framework, center_other=other)
    params, classes = problem.state.params, problem.constants.classes
    labels = jnp.repeat(classes.seen, 300)
    draws = {name: draw.sample(jax.random.key(3), len(labels)) for name, draw in base.phases(0)[0].draws.items()}
    mean = base.refine(params, problem.constants.rows.features[jnp.arange(len(labels)) % 100]).mean
    distances = centers.squared_distances(mean, params["centers"]["params"]["centers"])
    own = np.repeat(np.arange(8), 300)
    found = np.asarray(base._other(distances, jnp.asarray(own), draws))
    assert found.min() == 0 and found.max() == 7
    assert ("other" in draws) == (other != "nearest")
    if other == "random":
        assert 0.09 < np.mean(found == own) < 0.16  # one in eight
        assert np.abs(np.bincount(found, minlength=8) / 300 - 1).max() < 0.25
    else:
        assert not (found == own).any()
    if other == "random_other":
        assert np.abs(np.bincount((found - own) % 8, minlength=8)[1:] / (2400 / 7) - 1).max() < 0.25
    if other == "nearest":
        there = np.where(np.arange(8)[None] == own[:, None], np.inf, np.asarray(distances))
        np.testing.assert_array_equal(found, there.argmin(1))


def test_the_refiners_loss_is_its_parts_and_reaches_refiner_and_centres_alone(problem):
    base, params = problem.objective.framework, problem.state.params
    inputs = inputs_of(problem, base, "critic")
    (loss, terms), found = jax.value_and_grad(base.refiner_loss, has_aux=True)(params, inputs)
    np.testing.assert_allclose(loss, 0.5 * terms["center"] + terms["semantic_real"], rtol=1e-6)
    assert {group for group, tree in found.items() if any(np.any(leaf) for leaf in jax.tree.leaves(tree))} == {"refiner", "centers"}
    _, none = dataclasses.replace(base, weight_semantic=0.0).refiner_loss(params, inputs)
    assert none["semantic_real"] == 0.0 and none["center"] == terms["center"]


def test_the_refiner_learns_from_synthesized_rows_but_where_it_is_frozen(problem):
    base = problem.objective.framework
    frozen = dataclasses.replace(base, freeze_refiner=True)
    for method, groups in ((base, {"generator", "encoder", "refiner"}), (frozen, {"generator", "encoder"})):
        critic, generator = method.phases(0)
        assert set(generator.updates[0].groups) == groups
        assert [(update.groups, update.distilled) for update in critic.updates] == [
            (("refiner", "centers"), False), (("critic",), True),
        ]
    assert base.phases(0) == base.phases(1) and base.passes == 2
    loss, terms = base.generator_loss(problem.state.params, inputs_of(problem, base, "generator"))
    weighted = 10.0 * terms["adversarial"] + 0.3 * terms["semantic_fake"]
    np.testing.assert_allclose(loss, terms["reconstruction"] + terms["kl_prior"] + weighted, rtol=1e-6)


def test_groups_are_stepped_by_their_own_rules(problem):
    base = problem.objective.framework
    assert {group: base.adam(group) for group in problem.state.params if base.adam(group) != AdamRule() and group in base.init(jax.random.key(0))} == {
        "encoder": AdamRule(beta1=0.9), "refiner": AdamRule(learning_rate=1e-4), "centers": AdamRule(summed="always"),
    }
    assert dataclasses.replace(base, center_gradient="fresh").adam("centers") == AdamRule()


def test_a_row_is_represented_by_what_it_holds_alone(problem):
    """In whatever order, in batches, beside rows of padding, compiled or not."""
    base, params = problem.objective.framework, problem.state.params
    rows = problem.constants.rows.features[:40]
    represent = jax.jit(base.represent)
    whole = np.asarray(represent(params, rows))
    assert whole.shape == (40, 30 + 20 + 10)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(represent(params, rows[order]), whole[order], rtol=1e-5)
    padded = np.asarray(represent(params, jnp.concatenate([rows[:7], jnp.zeros((9, 30))])))
    np.testing.assert_allclose(padded[:7], whole[:7], rtol=1e-5)
    assert np.isfinite(padded).all()
    np.testing.assert_allclose(base.represent(params, rows), whole, rtol=1e-5)
    refined = base.refine(params, rows)
    np.testing.assert_allclose(whole[:, :30], rows, rtol=1e-6)
    np.testing.assert_allclose(whole[:, 30:50], refined.hidden, rtol=1e-5)
    drawn = (np.log(whole[:, 50:]) - np.log1p(-whole[:, 50:]) - refined.mean) / refined.deviation
    assert abs(drawn.mean()) < 0.2 and 0.85 < drawn.std() < 1.15


def test_without_noise_the_semantics_are_their_mean(problem):
    base, params = dataclasses.replace(problem.objective.framework, refiner_noise="described"), problem.state.params
    rows = problem.constants.rows.features[:40]
    np.testing.assert_array_equal(base.represent(params, rows)[:, 50:], jax.nn.sigmoid(base.refine(params, rows).mean))
    assert set(base.synthesis_draws()) == {"noise"}


@pytest.mark.parametrize("noise", ["released", "described"])
def test_synthesized_rows_are_represented_with_their_own_draws(problem, noise):
    base, params = dataclasses.replace(problem.objective.framework, refiner_noise=noise), problem.state.params
    draws = small.drawn(base.synthesis_draws(), 12)
    semantics = problem.constants.classes.semantics[:1]
    made = base.synthesize(params, semantics, draws)
    expected = base.represent_with(params, made, draws.get("refiner_noise", 0.0))
    np.testing.assert_allclose(base.represent_synthesized(params, semantics, draws), expected, rtol=1e-6)
