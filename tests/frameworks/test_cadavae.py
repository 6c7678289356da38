"""CADA-VAE beyond its recording: its two samplers and reconstruction errors, by definition, in numpy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.structures import UpdateInputs
from tests import small
from tests.losses import oracles

LATENT, ROWS = small.OPTIONS["cadavae"]["latent"], 16


@pytest.fixture(scope="module")
def problem():
    """Weights large enough that latents vary."""
    return small.scaled("cadavae", by=3.0)


def layer(params, name, x):
    of = params["params"][name]
    return x @ np.asarray(of["kernel"], float) + np.asarray(of["bias"], float)


def encoded(params, x):
    hidden = np.maximum(layer(params, "hidden", np.asarray(x, float)), 0.0)
    return layer(params, "mean", hidden), layer(params, "log_variance", hidden)


def decoded(params, z):
    return layer(params, "output", np.maximum(layer(params, "hidden", z), 0.0))


def sampled(of, noise, sampler):
    mean, log_variance = of
    return mean + np.asarray(noise, float) * np.exp(log_variance if sampler == "released" else log_variance / 2)


SAMPLERS = pytest.mark.parametrize("sampler", ["released", "described"])


@SAMPLERS
@pytest.mark.parametrize("reconstruction", ["l1", "l2"])
def test_the_loss_is_its_definition(problem, sampler, reconstruction):
    base = dataclasses.replace(problem.objective.framework, sampler=sampler, reconstruction=reconstruction)
    params, classes = problem.state.params, problem.constants.classes
    batch = jax.tree.map(lambda leaf: leaf[:ROWS], problem.constants.rows)
    (phase,) = base.phases(0)
    draws = small.drawn(phase.draws, ROWS)
    assert {draw.shape for draw in draws.values()} == {(ROWS, 1 if sampler == "released" else LATENT)}
    inputs = UpdateInputs(classes=classes, batch=batch, fakes=None, draws=draws, state={}, epoch=jnp.int32(1))
    loss, terms = base.autoencoders_loss(params, inputs)

    x, a = np.asarray(batch.features, float), np.asarray(classes.semantics[batch.labels], float)
    of_x, of_a = encoded(params["feature_encoder"], x), encoded(params["semantic_encoder"], a)
    z_x, z_a = sampled(of_x, draws["features"], sampler), sampled(of_a, draws["semantics"], sampler)
    error = lambda group, z, given: oracles.summed_difference(  # noqa: E731
        decoded(params[group], z), given, 1 if reconstruction == "l1" else 2
    )
    expected = {
        "reconstruction": error("feature_decoder", z_x, x) + error("semantic_decoder", z_a, a),
        "cross_reconstruction": error("feature_decoder", z_a, x) + error("semantic_decoder", z_x, a),
        "kl_prior": oracles.gaussian_kl(*of_x) + oracles.gaussian_kl(*of_a),
        "distance": oracles.distribution_alignment(*of_x, *of_a),
    }  # fmt: skip
    assert set(terms) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=2e-5, err_msg=name)
    weights = {"reconstruction": 1.0, "cross_reconstruction": 2.37 / 2, "kl_prior": 0.25 / 2, "distance": 8.13}
    np.testing.assert_allclose(loss, sum(weights[name] * value for name, value in expected.items()), rtol=2e-5)


@SAMPLERS
def test_what_is_synthesized_and_what_the_classifier_sees_are_sampled_alike(problem, sampler):
    base, params = dataclasses.replace(problem.objective.framework, sampler=sampler), problem.state.params
    classes, (phase,) = problem.constants.classes, base.phases(0)
    semantics, n_syn = classes.semantics[classes.unseen], 3
    of_a = encoded(params["semantic_encoder"], np.repeat(semantics, n_syn, axis=0))

    draws = small.drawn(base.unseen_draws(), len(of_a[0]))
    latents = sampled(of_a, draws["unseen_noise"], sampler)
    made = base.unseen(phase, params, semantics, n_syn, draws)
    np.testing.assert_allclose(made, decoded(params["feature_decoder"], latents), rtol=1e-4, atol=1e-5)

    draws = small.drawn(base.synthesis_draws(), len(semantics))
    latents = sampled(encoded(params["semantic_encoder"], semantics), draws["noise"], sampler)
    np.testing.assert_allclose(base.represent_synthesized(params, semantics, draws), latents, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        base.synthesize(params, semantics, draws), decoded(params["feature_decoder"], latents), rtol=1e-4, atol=1e-5
    )

    rows = problem.constants.rows.features[:ROWS]
    draws, of_x = small.drawn(base.real_draws(), ROWS, first=5), encoded(params["feature_encoder"], rows)
    np.testing.assert_allclose(
        base.represent_real(params, rows, draws), sampled(of_x, draws["noise"], sampler), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(base.represent(params, rows), of_x[0], rtol=1e-4, atol=1e-5)
