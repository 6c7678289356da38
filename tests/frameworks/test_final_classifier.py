import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks import synthesis
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from tests import small


def case(framework="wgan", **options):
    p = small.problem(framework=framework)
    softmax = SoftmaxTraining(classes=12, epochs=3, batch_size=25)
    return p, FinalClassifier(p.objective.framework, softmax, **({"n_syn": 7} | options))


@pytest.mark.parametrize("framework", ["wgan", "fclswgan", "cegzsl"])
def test_synthesized_rows_are_class_major_and_embedded(framework):
    p, final = case(framework)
    base, params, classes, key = p.objective.framework, p.state.params, p.constants.classes, jax.random.key(1)
    rows = final.synthesize(params, key, classes)
    assert rows.shape == (4 * 7, 14 if framework == "cegzsl" else 30)
    label = classes.unseen[2]
    noise = jax.random.normal(jax.random.fold_in(key, label), (7, 6))
    expected = base.represent(params, base.synthesize(params, jnp.tile(classes.semantics[label], (7, 1)), {"noise": noise}))
    np.testing.assert_allclose(rows[14:21], expected, atol=1e-6)


@pytest.mark.slow
def test_chunks_change_nothing(monkeypatch):
    p, final = case()
    arguments = (p.state.params, jax.random.key(1), p.constants.classes)
    whole = final.synthesize(*arguments)
    for rows in (1, 7, 14, 21):
        monkeypatch.setattr(synthesis, "_CHUNK_ROWS", rows)
        np.testing.assert_allclose(final.synthesize(*arguments), whole, atol=1e-6)


def test_a_class_keeps_its_noise_whatever_the_others_are():
    p, final = case()
    classes = p.constants.classes
    alone = final.synthesize(p.state.params, jax.random.key(1), classes.replace(unseen=classes.unseen[1:2]))
    np.testing.assert_allclose(final.synthesize(p.state.params, jax.random.key(1), classes)[7:14], alone, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["wgan", "cegzsl"])
def test_it_separates_what_can_be_separated(framework):
    """Real rows of one bright feature a class, and a generator that lights another feature for each unseen class."""
    p, final = case(framework, n_syn=40)
    final = dataclasses.replace(final, softmax=SoftmaxTraining(classes=12, epochs=60, batch_size=40, learning_rate=1e-2))
    classes = p.constants.classes.replace(semantics=jnp.eye(12))
    sizes = dataclasses.replace(final.framework.sizes, semantics=12)
    base = dataclasses.replace(final.framework, sizes=sizes)
    params = base.init(jax.random.key(0))
    light = jnp.eye(12, 30) * 5.0
    generator = params["generator"]["params"]
    generator["hidden"]["kernel"] = jnp.zeros((18, 20)).at[6:, :12].set(jnp.eye(12))
    generator["output"]["kernel"] = jnp.zeros((20, 30)).at[:12].set(light)
    labels = jnp.tile(classes.seen, 20)
    features = light[labels]
    final = dataclasses.replace(final, framework=base)
    classifier = jax.jit(final.fit)(params, jax.random.key(2), classes, features, labels)
    every = jnp.arange(12)
    assert (final.logits(params, classifier, light[every]).argmax(-1) == every).mean() > 0.9


@pytest.mark.slow
def test_without_synthesis_unseen_classes_are_never_learned():
    p, final = case(n_syn=0)
    rows = p.constants.rows
    classifier = jax.jit(final.fit)(p.state.params, jax.random.key(2), p.constants.classes, rows.features, rows.labels)
    logits = final.logits(p.state.params, classifier, rows.features)
    assert logits.shape == (100, 12) and not np.isin(logits.argmax(-1), p.constants.classes.unseen).any()


@pytest.mark.parametrize("framework", ["wgan", "cegzsl", "free", "tfvaegan"])
def test_rows_made_as_they_are_due_are_those_made_ahead(framework):
    p, final = case(framework)
    params, key, classes = p.state.params, jax.random.key(1), p.constants.classes
    whole = np.asarray(final.synthesize(params, key, classes))
    index, place = jnp.asarray([0, 3, 3, 1]), jnp.asarray([6, 0, 5, 2])
    rows = synthesis.synthesize_rows(final.framework, params, key, classes.semantics, classes.unseen[index], place)
    np.testing.assert_allclose(rows, whole[np.asarray(index * 7 + place)], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("framework", "options"), [("wgan", {"logit_adjustment": 1.0}), ("cegzsl", {"zsl": "own", "zsl_n_syn": 4}), ("free", {})])
def test_a_fit_that_makes_its_rows_batch_by_batch_is_the_same(framework, options):
    p, final = case(framework, **options)
    rows = p.constants.rows
    fit = lambda synthesis: dataclasses.replace(final, synthesis=synthesis).fit(  # noqa: E731
        p.state.params, jax.random.key(2), p.constants.classes, rows.features, rows.labels
    )
    ahead, batches = fit("ahead"), fit("batches")
    assert jax.tree.structure(ahead) == jax.tree.structure(batches)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6), ahead, batches)


def test_by_size_rows_are_made_ahead_up_to_a_bound():
    _, final = case(n_syn=300)
    auto = dataclasses.replace(final, synthesis="auto")
    assert auto.is_ahead(50, 2048) and not auto.is_ahead(20_000, 2048)  # 0.1 and 49 GB
    assert final.is_ahead(20_000, 2048) and not dataclasses.replace(final, synthesis="batches").is_ahead(50, 2048)
    assert dataclasses.replace(final, synthesis="batches", n_syn=0).is_ahead(50, 2048)
