import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks import vae_networks
from d3gzsl_jax.frameworks.networks import Generator, apply

N, FEATURES, SEMANTICS, WIDTH, LATENT = 5, 7, 3, 6, 4
ENCODER = vae_networks.FeatureEncoder(WIDTH, LATENT)
GENERATOR = vae_networks.SigmoidGenerator(LATENT, SEMANTICS, WIDTH, FEATURES)
DECODER = vae_networks.SemanticDecoder(WIDTH, SEMANTICS)
REFINER = vae_networks.Refiner(WIDTH, SEMANTICS)
FEEDBACK = vae_networks.Feedback(WIDTH)
LATENT_ENCODER = vae_networks.LatentEncoder(WIDTH, LATENT)
LATENT_DECODER = vae_networks.LatentDecoder(WIDTH, FEATURES)
NETWORKS = {
    "encoder": (ENCODER, (FEATURES, SEMANTICS)), "generator": (GENERATOR, (LATENT, SEMANTICS)), "decoder": (DECODER, (FEATURES,)),
    "feedback": (FEEDBACK, (WIDTH,)), "refiner": (REFINER, (FEATURES,)), "latent encoder": (LATENT_ENCODER, (FEATURES,)), "latent decoder": (LATENT_DECODER, (LATENT,)),
}


def arrays(*widths):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=(N, width)), jnp.float32) for width in widths]


def large(network, widths):
    """Parameters, biases too, that are large enough for all kinks to be on both sides."""
    params = network.init(jax.random.key(0), *arrays(*widths))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), params)


def linear(tree, name, x):
    return x.astype(float) @ np.asarray(tree[name]["kernel"], float) + np.asarray(tree[name]["bias"], float)


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def encoded(p, x, a):
    h = leaky(linear(p, "latent_hidden", leaky(linear(p, "hidden", np.concatenate([x, a], 1)))))
    return linear(p, "mean", h), linear(p, "log_variance", h)


def generated(p, z, a, f=0.0):
    return 1 / (1 + np.exp(-linear(p, "output", leaky(linear(p, "hidden", np.concatenate([z, a], 1))) + f)))


def decoded(p, x):
    hidden = leaky(linear(p, "hidden", x))
    out = linear(p, "output", hidden)
    return out / np.linalg.norm(out, axis=1, keepdims=True), hidden


def fed(p, s):
    return leaky(linear(p, "output", leaky(linear(p, "hidden", s))))


def refined(p, x):
    hidden = leaky(linear(p, "hidden", x))
    out = linear(p, "output", hidden)
    return vae_networks.Refined(out[:, :SEMANTICS], 1 / (1 + np.exp(-out[:, SEMANTICS:])), hidden)


def latent_encoded(p, x):
    h = np.maximum(linear(p, "hidden", x), 0)
    return linear(p, "mean", h), linear(p, "log_variance", h)


def latent_decoded(p, z):
    return linear(p, "output", np.maximum(linear(p, "hidden", z), 0))


FORWARD = {
    "encoder": encoded, "generator": generated, "decoder": decoded, "feedback": fed, "refiner": refined,
    "latent encoder": latent_encoded, "latent decoder": latent_decoded,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_pass_against_numpy(name):
    network, widths = NETWORKS[name]
    params, inputs = large(network, widths), arrays(*widths)
    ours, expected = apply(network, params, *inputs), FORWARD[name](params["params"], *map(np.asarray, inputs))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes(name):
    outputs = {
        "encoder": [(N, LATENT)] * 2, "generator": [(N, FEATURES)], "decoder": [(N, SEMANTICS), (N, WIDTH)], "feedback": [(N, WIDTH)],
        "refiner": [(N, SEMANTICS), (N, SEMANTICS), (N, WIDTH)], "latent encoder": [(N, LATENT)] * 2, "latent decoder": [(N, FEATURES)],
    }
    network, widths = NETWORKS[name]
    made = jax.eval_shape(lambda key: network.init_with_output(key, *arrays(*widths))[0], jax.random.key(0))
    assert [leaf.shape for leaf in jax.tree.leaves(made)] == outputs[name]


@pytest.mark.parametrize("xavier", [False, True])
def test_initial_distributions(xavier):
    """Wide enough to be told: N(0, 0.02^2) without a limit, or uniform between -b and b."""
    if xavier:
        networks = [(vae_networks.LatentEncoder(120, 40), (300,)), (vae_networks.LatentDecoder(110, 300), (40,))]
    else:
        networks = [
            (vae_networks.FeatureEncoder(120, 60), (200, 50)), (vae_networks.SigmoidGenerator(40, 50, 120, 200), (40, 50)),
            (vae_networks.SemanticDecoder(120, 50), (200,)), (vae_networks.Feedback(120), (120,)),
            (vae_networks.Refiner(120, 50), (200,)),
        ]
    for network, widths in networks:
        tree = network.init(jax.random.key(1), *arrays(*widths))["params"]
        for name, layer in tree.items():
            kernel = np.asarray(layer["kernel"])
            assert (np.asarray(layer["bias"]) == 0).all()
            deviation = 0.5 * np.sqrt(2 / sum(kernel.shape)) if xavier else 0.02
            np.testing.assert_allclose(kernel.std(), deviation, rtol=0.05, err_msg=name)
            assert abs(kernel.mean()) < 4 * deviation / np.sqrt(kernel.size)
            largest = np.abs(kernel).max() / deviation
            assert (0.99 * 3**0.5 < largest <= 1.0001 * 3**0.5) if xavier else largest > 3


def test_the_encoders_second_hidden_layer_is_twice_as_wide_as_the_latent():
    tree = large(*NETWORKS["encoder"])["params"]
    assert tree["latent_hidden"]["kernel"].shape == (WIDTH, 2 * LATENT) and tree["mean"]["kernel"].shape == (2 * LATENT, LATENT)


def test_refined_semantics_lie_about_their_mean():
    rows = refined(large(*NETWORKS["refiner"])["params"], np.asarray(arrays(FEATURES)[0]))
    (noise,) = arrays(SEMANTICS)
    expected = 1 / (1 + np.exp(-(rows.mean + np.asarray(noise) * rows.deviation)))
    np.testing.assert_allclose(vae_networks.Refined(*map(jnp.asarray, rows)).semantics(noise), expected, rtol=1e-5)
    np.testing.assert_allclose(vae_networks.Refined(*map(jnp.asarray, rows)).semantics(0.0), 1 / (1 + np.exp(-rows.mean)), rtol=1e-5)


def test_centers_are_standard_normal_points():
    centers = vae_networks.Centers(200, 60)
    params = centers.init(jax.random.key(0))
    points = np.asarray(apply(centers, params))
    assert points.shape == (200, 60) and abs(points.mean()) < 0.03 and abs(points.std() - 1) < 0.03
    np.testing.assert_array_equal(points, params["params"]["centers"])


def test_a_second_pass_with_feedback_shares_the_first_layer():
    """hidden_layer and output_layer are the generator's two halves; feedback comes between them, after the LReLU."""
    params, (z, a, f) = large(*NETWORKS["generator"]), arrays(LATENT, SEMANTICS, WIDTH)
    g = lambda *inputs, method=None: apply(GENERATOR, params, *inputs, method=method)  # noqa: E731
    conditioned = g(a, method="condition")
    hidden = g(conditioned, z, method="hidden_layer")
    np.testing.assert_array_equal(g(hidden, method="output_layer"), g(z, a))
    np.testing.assert_array_equal(g(hidden + f, method="output_layer"), g(z, a, f))
    np.testing.assert_array_equal(g(conditioned, z, f, method="generate"), g(z, a, f))
    np.testing.assert_array_equal(g(z, a, jnp.zeros_like(f)), g(z, a))
    expected = generated(params["params"], np.asarray(z), np.asarray(a), np.asarray(f))
    np.testing.assert_allclose(g(z, a, f), expected, rtol=1e-4, atol=1e-6)


def test_the_generators_parameters_are_those_of_the_other_generator():
    """So that what knows one layout knows both: one first kernel, the rows of the noise first."""
    other = Generator(LATENT, SEMANTICS, WIDTH, FEATURES).init(jax.random.key(0), *arrays(LATENT, SEMANTICS))
    ours = GENERATOR.init(jax.random.key(0), *arrays(LATENT, SEMANTICS))
    jax.tree.map(np.testing.assert_array_equal, ours, other)


def test_rows_of_several_classes_share_what_their_class_conditions():
    params, (a,) = large(*NETWORKS["generator"]), arrays(SEMANTICS)
    z = jnp.asarray(np.random.default_rng(2).normal(size=(4, N, LATENT)), jnp.float32)
    made = apply(GENERATOR, params, apply(GENERATOR, params, a, method="condition")[None], z, method="generate")
    assert made.shape == (4, N, FEATURES)
    np.testing.assert_allclose(made[2], apply(GENERATOR, params, z[2], a), rtol=1e-5)


def test_the_decoder_of_features_that_are_all_zero_is_zero_with_a_gradient_of_zero():
    """With the first biases, 0, the output is 0 too, which has no direction."""
    x = jnp.asarray(np.stack([np.zeros(FEATURES), np.ones(FEATURES)]), jnp.float32)
    params = DECODER.init(jax.random.key(0), x)
    rows, _ = apply(DECODER, params, x)
    assert (np.asarray(rows[0]) == 0).all()
    np.testing.assert_allclose(np.linalg.norm(rows[1]), 1.0, rtol=1e-6)
    of_row = lambda i: jax.grad(lambda p: apply(DECODER, p, x)[0][i].sum())(params)  # noqa: E731
    assert all((np.asarray(leaf) == 0).all() for leaf in jax.tree.leaves(of_row(0)))
    assert all((np.asarray(leaf) != 0).any() for leaf in jax.tree.leaves(of_row(1)))


def test_the_decoders_rows_are_divided_by_their_norm_without_a_floor():
    """Bit by bit, down to the smallest norms float32 can tell."""
    for scale in (1e15, 1.0, 1e-9, 1e-17):
        x = arrays(FEATURES)[0] * scale
        plain = x / jnp.sqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True))
        np.testing.assert_array_equal(vae_networks._unit_or_zero_rows(x), plain)
        gradient = jax.grad(lambda x: (vae_networks._unit_or_zero_rows(x) ** 3).sum())(x)
        assert np.isfinite(gradient).all() and (np.asarray(gradient) != 0).any()
