"""What a generator ends in, for every base method: the published activation by default, another where the losses allow it."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from d3gzsl_jax.frameworks import networks, vae_networks
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from tests import small

ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0), "sigmoid": expit, "linear": lambda x: x}
FREE_TO_CHOOSE = ("wgan", "fclswgan", "cegzsl", "cadavae")


def synthesized(base, params, seed=1):
    draws = {
        name: draw.sample(jax.random.fold_in(jax.random.key(seed), index), 40)
        for index, (name, draw) in enumerate(base.synthesis_draws().items())
    }  # fmt: skip
    semantics = jax.random.normal(jax.random.key(7), (40, base.sizes.semantics))
    return np.asarray(base.synthesize(params, semantics, draws))


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_output_is_that_function_of_the_same_last_layer(name):
    p = small.problem(framework=name)
    base = p.objective.framework
    params = jax.tree.map(lambda leaf: (2.0 if name == "cadavae" else 10.0) * leaf, p.state.params)
    default = synthesized(base, params)
    np.testing.assert_array_equal(synthesized(dataclasses.replace(base, output=base.outputs[0]), params), default)
    if name not in FREE_TO_CHOOSE:
        assert base.outputs == ("sigmoid",) and base.unit_range
        return
    assert not base.unit_range and set(base.outputs) == {"relu", "sigmoid", "linear"}
    linear = synthesized(dataclasses.replace(base, output="linear"), params)
    assert (linear < 0).any() and (linear > 1).any()
    assert (linear < 0).any() and (linear > 1).any()
    for output in base.outputs:
        found = synthesized(dataclasses.replace(base, output=output), params)
        np.testing.assert_allclose(found, ACTIVATIONS[output](linear), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(default, synthesized(dataclasses.replace(base, output=base.outputs[0]), params))


@pytest.mark.parametrize("name", FREE_TO_CHOOSE)
def test_what_is_made_in_training_ends_alike(name):
    """Rows of unseen classes for D3, and the gradient through them."""
    base = dataclasses.replace(small.problem(framework=name).objective.framework, output="linear")
    p = small.problem(framework=name)
    params = jax.tree.map(lambda leaf: 10.0 * leaf, p.state.params)
    classes, batch = p.constants.classes, jax.tree.map(lambda leaf: leaf[:16], p.constants.rows)
    phase, rows = base.phases(0)[-1], 5 * len(classes.unseen)
    draws = {name: draw.sample(jax.random.key(2), 16) for name, draw in phase.draws.items()}
    draws |= {name: draw.sample(jax.random.key(3), rows) for name, draw in base.unseen_draws().items()}
    make = lambda params: base.make(phase, params, classes, batch, draws, {}, 5)[1]  # noqa: E731
    assert make(params).shape[0] == rows and (make(params) < 0).any()
    gradient = jax.grad(lambda params: jnp.sum(make(params)))(params)
    of = "feature_decoder" if name == "cadavae" else "generator"
    assert all((np.asarray(leaf) != 0).any() for leaf in jax.tree.leaves(gradient[of]))


def test_parameters_do_not_depend_on_it():
    key, x = jax.random.key(0), jnp.zeros((1, 3))
    sizes = {"noise": 3, "semantics": 3, "width": 5, "features": 4}
    trees = [networks.Generator(**sizes, ends_in=output).init(key, x, x) for output in networks.OUTPUTS]
    decoders = [vae_networks.LatentDecoder(width=5, outputs=4, ends_in=output).init(key, x) for output in networks.OUTPUTS]
    for found in (trees, decoders):
        for other in found[1:]:
            jax.tree.map(np.testing.assert_array_equal, found[0], other)
    assert networks.Generator(**sizes).ends_in == "relu" and vae_networks.LatentDecoder(width=5, outputs=4).ends_in == "linear"


def test_the_published_relu_is_the_operation_it_was():
    x = jnp.array([[-1.0, 0.0, 2.0]])
    same = [str(jax.make_jaxpr(of)(x)) for of in (nn.relu, lambda x: networks.activated(x, "relu"))]
    assert same[0] == same[1]
