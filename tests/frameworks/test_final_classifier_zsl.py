"""The second softmax, which T1 may be by; and which real rows a final classifier is fitted to."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.cadavae import CADAVAE
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier, first_rows
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Classes
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.keys import stream

SIZES = Sizes(features=8, semantics=5, noise=5, seen=4, generator_hidden=6, critic_hidden=6, embedding=7)
SMALL = {"latent": 4, **{f"{kind}_{part}_hidden": 6 for kind in ("feature", "semantic") for part in ("encoder", "decoder")}}


def case(method=WGAN, **options):
    """Final classifier, parameters, key, 7 classes (2, 4 and 5 unseen) and 30 real rows."""
    rng = np.random.default_rng(0)
    framework = method(SIZES, **(SMALL if method is CADAVAE else {}))
    softmax = framework.softmax(SoftmaxTraining(classes=7, epochs=6, batch_size=8, learning_rate=1e-2))
    classes = Classes(
        semantics=jnp.asarray(rng.normal(size=(7, 5)), jnp.float32), seen=jnp.asarray([0, 1, 3, 6], jnp.int32),
        unseen=jnp.asarray([2, 4, 5], jnp.int32),
    )
    labels = classes.seen[jnp.asarray(rng.integers(0, 4, 30))]
    rows = jnp.asarray(rng.uniform(size=(30, 8)), jnp.float32), labels
    return FinalClassifier(framework, softmax, **({"n_syn": 9} | options)), framework.init(jax.random.key(1)), jax.random.key(2), classes, rows


def same(one, other):
    """But for the rounding of what is compiled in another way."""
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7), one, other)


@pytest.mark.slow
@pytest.mark.parametrize("method", [WGAN, CADAVAE])
def test_the_first_softmax_does_not_depend_on_the_second(method):
    final, params, key, classes, rows = case(method)
    own = dataclasses.replace(final, zsl="own")
    restricted, found = final.fit(params, key, classes, *rows), own.fit(params, key, classes, *rows)
    assert "zsl" not in restricted
    same({"params": found["params"]}, restricted)
    same(own.logits(params, found, rows[0]), final.logits(params, restricted, rows[0]))


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (WGAN, {}), (WGAN, {"zsl_n_syn": 4, "logit_adjustment": 1.0}),
        pytest.param(CADAVAE, {"zsl_epochs": 3, "zsl_n_syn": 4}, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_it_is_fitted_to_the_first_synthesized_rows_of_each_class_alone(method, options):
    final, params, key, classes, rows = case(method, zsl="own", **options)
    found = final.fit(params, key, classes, *rows)["zsl"]
    count = options.get("zsl_n_syn", 9)
    synthesized = final.synthesize(params, stream(key, "noise"), classes).reshape(3, 9, -1)[:, :count].reshape(3 * count, -1)
    training = SoftmaxTraining(
        3, options.get("zsl_epochs", 6), 8, learning_rate=1e-2, initial="xavier" if method is CADAVAE else "normal"
    )
    expected = training.fit(stream(key, "zsl"), synthesized, jnp.repeat(jnp.arange(3), count))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, expected)
    logits = final.zsl_logits(params, {"zsl": found}, rows[0])
    np.testing.assert_allclose(logits, training.logits(expected, final.framework.represent(params, rows[0])), atol=1e-5)


def test_one_is_fitted_for_all_numbers_of_epochs():
    final, params, key, classes, rows = case(zsl="own")
    early, late = final.fits(params, key, classes, *rows, (2, 6))
    jax.tree.map(np.testing.assert_array_equal, early["zsl"], late["zsl"])
    same(late, final.fit(params, key, classes, *rows))
    assert any(np.any(a != b) for a, b in zip(*(jax.tree.leaves(one["params"]) for one in (early, late)), strict=True))


def test_its_shapes_are_known_before_it_is_fitted():
    final, params, key, classes, rows = case(zsl="own")
    found = final.fit(params, key, classes, *rows)
    fresh = final.init(key, params, 8) | {"zsl": final.init_zsl(key, params, 8, 3)}
    assert jax.tree.map(jnp.shape, found) == jax.tree.map(jnp.shape, fresh)


@pytest.mark.parametrize("count", [1, 3, 5, 12])
def test_the_first_rows_of_each_class_again_where_there_are_fewer(count):
    labels = [3, 0, 3, 6, 0, 3, 3, 6, 0, 3]
    at = {0: [1, 4, 8], 3: [0, 2, 5, 6, 9], 6: [3, 7]}
    found = jax.jit(first_rows, static_argnums=2)(jnp.asarray(labels), jnp.asarray([0, 3, 6]), count)
    assert found.tolist() == [int(row) for c in (0, 3, 6) for row in np.resize(at[c], count)]


def test_a_method_says_how_many_real_rows_there_are():
    final, params, key, classes, (features, labels) = case(CADAVAE)
    assert final.framework.real_rows_per_class == 200
    final = dataclasses.replace(final, framework=dataclasses.replace(final.framework, seen_rows=2))
    inputs, found = final.rows(params, key, classes, features, labels)
    assert found.tolist() == [0, 0, 1, 1, 3, 3, 6, 6] + [2] * 9 + [4] * 9 + [5] * 9 and inputs.shape == (8 + 27, 4)
    again, _ = final.rows(params, jax.random.key(5), classes, features, labels)
    first = features[first_rows(labels, classes.seen, 2)]
    for rows in (inputs, again):  # each is drawn about the means of the same rows
        assert np.abs(rows[:8] - final.framework.represent(params, first)).max() > 0.01
    assert np.abs(inputs - again).min(axis=1).max() > 0
