import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.diffusion_networks import ConditionedCritic, ConditionedGenerator, InputEmbedding
from d3gzsl_jax.frameworks.networks import Critic, apply

N, HIDDEN, EMBEDDING, FEATURES = 5, 8, 4, 7
WIDTHS = {"features": FEATURES, "noised": FEATURES, "semantics": 3, "noise": 2, "representation": 6, "level": 4}
INPUTS = {
    "critic of rows": ("features", "semantics"), "critic of representations": ("features", "representation"),
    "critic of noised rows": ("features", "noised", "semantics", "representation", "level"),
    "generator": ("noise", "semantics", "representation", "noised", "level"),
}


def network(name):
    if name == "generator":
        return ConditionedGenerator(hidden=HIDDEN, inputs=INPUTS[name], embedding=EMBEDDING, features=FEATURES)
    return ConditionedCritic(hidden=HIDDEN, inputs=INPUTS[name], embedding=EMBEDDING)


def arrays(names, leading=(N,)):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=(*leading, WIDTHS[name])), jnp.float32) for name in names]


def large(of, inputs):
    """Parameters, biases too, that are large enough for all kinks to be on both sides."""
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), of.init(jax.random.key(0), *inputs))


def linear(tree, name, x):
    return x.astype(float) @ np.asarray(tree[name]["kernel"], float) + np.asarray(tree[name].get("bias", 0.0), float)


def embedded(tree, x):
    hidden = linear(tree, "hidden", x)
    return linear(tree, "output", hidden / (1 + np.exp(-hidden)))


@pytest.mark.parametrize("name", INPUTS)
def test_forward_pass_is_one_matrix_over_all_inputs(name):
    """In numpy, the kernels of the inputs stacked, as the published code has the layer."""
    of, inputs = network(name), arrays(INPUTS[name])
    params = large(of, inputs)
    tree = params["params"]
    x = [
        embedded(tree[f"{key}_embedding"], np.asarray(value)) if key in ("representation", "level") else np.asarray(value)
        for key, value in zip(INPUTS[name], inputs, strict=True)
    ]
    kernel = np.concatenate([np.asarray(tree[f"hidden_{key}"]["kernel"], float) for key in INPUTS[name]])
    hidden = np.concatenate(x, axis=1) @ kernel + np.asarray(tree["hidden_bias"], float)
    out = linear(tree, "output", np.where(hidden > 0, hidden, 0.2 * hidden))
    expected = 1 / (1 + np.exp(-out)) if name == "generator" else out[:, 0]
    np.testing.assert_allclose(apply(of, params, *inputs), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", INPUTS)
def test_terms_of_stacked_rows_are_those_of_each(name):
    of, inputs = network(name), arrays(INPUTS[name], (3, N))
    params = large(of, [x[0] for x in inputs])
    found = apply(of, params, *inputs)
    for i in range(3):
        np.testing.assert_allclose(found[i], apply(of, params, *(x[i] for x in inputs)), rtol=2e-5, atol=1e-5)


def test_the_critic_of_rows_is_the_critic_of_other_methods():
    of, inputs = network("critic of rows"), arrays(INPUTS["critic of rows"])
    params = large(of, inputs)
    shapes = jax.tree.map(jnp.shape, Critic(hidden=HIDDEN).init(jax.random.key(0), *inputs))
    assert shapes == jax.tree.map(jnp.shape, params)
    np.testing.assert_allclose(apply(of, params, *inputs), apply(Critic(hidden=HIDDEN), params, *inputs), rtol=1e-5)


def test_initial_weights_are_small_and_biases_zero():
    inputs = arrays(INPUTS["generator"])
    big = ConditionedGenerator(hidden=400, inputs=INPUTS["generator"], embedding=EMBEDDING, features=300)
    tree = big.init(jax.random.key(0), *inputs)["params"]
    np.testing.assert_allclose(np.std(tree["output"]["kernel"]), 0.02, rtol=0.02)
    np.testing.assert_allclose(np.std(tree["hidden_noised"]["kernel"]), 0.02, rtol=0.1)
    assert not np.any(tree["hidden_bias"]) and not np.any(tree["output"]["bias"])
    embedding = InputEmbedding(64).init(jax.random.key(0), jnp.zeros((1, 64)))["params"]
    np.testing.assert_allclose(np.std(embedding["hidden"]["kernel"]), 0.02, rtol=0.1)
    assert not np.any(embedding["output"]["bias"])
