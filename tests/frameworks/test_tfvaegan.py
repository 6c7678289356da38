"""TF-VAEGAN beyond its recordings: options by definition."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.structures import UpdateInputs
from tests import small
from tests.losses import oracles

ROWS = 16


@pytest.fixture(scope="module")
def problem():
    """Weights large enough that rows differ and the feedback is felt."""
    return small.scaled("tfvaegan")


def refined(base, params, conditioned, latent, weight, source=None):
    """R(z, a; weight), layer by layer; the feedback of `source`, or of the first pass on the same latents."""
    of = lambda method, *x: networks.apply(base.generator, params["generator"], *x, method=method)  # noqa: E731
    hidden = of("hidden_layer", conditioned, latent)
    source = of("output_layer", hidden) if source is None else source
    return of("output_layer", hidden + weight * networks.apply(base.feedback, params["feedback"], base.decode(params, source)[1]))


def generator_inputs(p, base):
    """Fakes of the refining pass's generator phase, and what they are made of."""
    phase = base.phases(1)[1]
    draws = small.drawn(phase.draws, ROWS)
    batch = jax.tree.map(lambda leaf: leaf[:ROWS], p.constants.rows)
    return phase, batch, draws, base.fakes(phase, p.state.params, p.constants.classes, batch, draws, base.initial_state())


@pytest.mark.parametrize("prior_feedback", ["released", "described"])
def test_rows_of_the_prior_are_refined_by_what_the_option_says(problem, prior_feedback):
    base = dataclasses.replace(
        problem.objective.framework, critic_latents="prior", prior_feedback=prior_feedback, feedback_training=0.7
    )
    params, classes = problem.state.params, problem.constants.classes
    _, batch, draws, made = generator_inputs(problem, base)
    conditioned = base.condition_rows(params, classes, batch.labels)
    source = made.features if prior_feedback == "released" else None
    expected = refined(base, params, conditioned, draws["prior"], 0.7, source)
    np.testing.assert_allclose(made.fake, expected, rtol=1e-5, atol=1e-6)
    other = refined(base, params, conditioned, draws["prior"], 0.7, None if source is not None else made.features)
    assert np.abs(made.fake - other).max() > 1e-3


@pytest.mark.parametrize("variant", ["released", "described"])
def test_the_error_of_semantics_is_what_the_option_says(problem, variant):
    base = dataclasses.replace(problem.objective.framework, semantic_loss=variant)
    params, classes = problem.state.params, problem.constants.classes
    _, batch, draws, made = generator_inputs(problem, base)
    inputs = UpdateInputs(
        classes=classes, batch=batch, fakes=made, draws=draws, state=base.initial_state(), epoch=jnp.int32(0)
    )
    given = np.asarray(classes.semantics[batch.labels], float)
    of = lambda x: oracles.semantic_reconstruction(np.asarray(base.decode(params, x)[0], float), given, variant)  # noqa: E731
    np.testing.assert_allclose(base.generator_loss(params, inputs)[1]["semantic_fake"], of(made.fake), rtol=1e-5)
    decoder, terms = base.decoder_loss(params, inputs)
    np.testing.assert_allclose(decoder, base.weight_semantic * of(batch.features), rtol=1e-5)
    assert terms["semantic_real"] == decoder


@pytest.mark.parametrize(("rule", "penalty", "after"), [("released", 9.0, 1), ("released", 0.1, -1), ("described", 9.0, 0)])
def test_the_weight_of_the_penalty_follows_it_where_the_option_says_so(problem, rule, penalty, after):
    base = dataclasses.replace(problem.objective.framework, penalty_rule=rule)
    state = base.next_state(base.initial_state(), {"critic": {"penalty": jnp.full(3, penalty)}})
    assert int(state["penalty_exponent"]) == after
