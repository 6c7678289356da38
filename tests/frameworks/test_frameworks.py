"""The base methods against their definitions, and the seam a new one is added at."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import digits
from d3gzsl_jax import settings
from d3gzsl_jax.frameworks import registry
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.losses import contrastive
from d3gzsl_jax.runs.console import Display
from d3gzsl_jax.train import train
from d3gzsl_jax.training.structures import Rows
from tests import small
from tests.losses import oracles


def rows_of(p, phase):
    base, params, classes, table = p.objective.framework, p.state.params, p.constants.classes, p.constants.rows
    real, labels = table.features[:16], table.labels[:16]
    semantics = classes.semantics[labels]
    fake = base.synthesize(params, semantics, jax.random.normal(jax.random.key(1), (16, 6)))
    embed = (lambda x: base.embed(params, x)) if base.embedding_width else (lambda x: None)
    return Rows(
        real=real, fake=fake, labels=labels, semantics=semantics, interpolation=jnp.full((16, 1), 0.3),
        real_embedding=embed(real), fake_embedding=embed(fake) if phase == "generator" else None,
    )


def scaled(framework):
    """Fresh networks are nearly constant: larger weights make losses that differ."""
    p = small.problem(framework=framework)
    p.state = p.state.replace(params=jax.tree.map(lambda leaf: 10.0 * leaf, p.state.params))
    return p


def naive_class_contrast(base, params, classes, embedding, labels):
    """Every pair of a row and a seen class through the comparator itself, as the published code does it."""
    n, seen = len(embedding), len(classes.seen)
    pairs = jnp.repeat(embedding, seen, axis=0), jnp.tile(classes.semantics[classes.seen], (n, 1))
    scores = base.comparator.apply(params["comparator"], *pairs).reshape(n, seen)
    return contrastive.class_contrast(scores, jnp.searchsorted(classes.seen, labels), base.temperature_class)


def test_cegzsl_scores_all_pairs_as_the_comparator_itself_does():
    p = scaled("cegzsl")
    base, params, classes, rows = p.objective.framework, p.state.params, p.constants.classes, rows_of(p, "critic")
    ours, theirs = (
        jax.value_and_grad(lambda x, f=f: f(x, classes, rows.real_embedding, rows.labels))(params)
        for f in (base.class_contrast, lambda *x: naive_class_contrast(base, *x))
    )
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    comparator = [tree[1]["comparator"]["params"] for tree in (ours, theirs)]
    assert float(comparator[0]["output"]["bias"][0]) == 0.0  # exactly; PyTorch has rounding noise here
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), *comparator)


def test_cegzsl_critic_loss_is_its_parts():
    p = scaled("cegzsl")
    base, params, classes, rows = p.objective.framework, p.state.params, p.constants.classes, rows_of(p, "critic")
    loss, terms = base.critic_loss(params, classes, rows)
    plain, _ = WGAN(base.sizes).critic_loss(params, classes, rows)
    z = np.asarray(base.project(params, rows.real_embedding), float)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, rtol=1e-5)
    instance = oracles.instance_contrast(z, np.asarray(rows.labels), 0.1)
    of_classes = naive_class_contrast(base, params, classes, rows.real_embedding, rows.labels)
    np.testing.assert_allclose(terms["instance_contrast"], instance, rtol=1e-4)
    np.testing.assert_allclose(loss, plain + instance + of_classes, rtol=1e-5)


def test_cegzsl_generator_loss_is_its_parts_and_reaches_synthesized_rows_only():
    p = scaled("cegzsl")
    base, params, classes, rows = p.objective.framework, p.state.params, p.constants.classes, rows_of(p, "generator")
    loss, terms = base.generator_loss(params, classes, rows)
    z = np.asarray(base.project(params, jnp.concatenate([rows.fake_embedding, rows.real_embedding])), float)
    labels = np.tile(np.asarray(rows.labels), 2)
    np.testing.assert_allclose(terms["instance_contrast"], oracles.instance_contrast(z, labels, 0.1), rtol=1e-4)
    adversarial = -base.critic.apply(params["critic"], rows.fake, rows.semantics).mean()
    of_classes = naive_class_contrast(base, params, classes, rows.fake_embedding, rows.labels)
    np.testing.assert_allclose(loss, adversarial + 0.3 * terms["instance_contrast"] + 0.2 * of_classes, rtol=1e-5)


def test_cegzsl_fresh_and_released_gradients_part_after_the_first_update_of_an_epoch():
    released, fresh = small.problem(framework="cegzsl"), small.problem(framework="cegzsl")
    assert released.objective.framework.summed_groups == ("comparator",)
    base = dataclasses.replace(fresh.objective.framework, comparator_gradient="fresh")
    assert base.summed_groups == ()


def test_fclswgan_adds_the_likelihood_of_its_frozen_classifier():
    p = scaled("fclswgan")
    base, params, classes, rows = p.objective.framework, p.state.params, p.constants.classes, rows_of(p, "generator")
    loss, terms = base.generator_loss(params, classes, rows)
    logits = np.asarray(base.classifier.logits(params["seen_classifier"], rows.fake), float)
    expected = oracles.classification(logits, np.searchsorted(np.asarray(classes.seen), rows.labels))
    np.testing.assert_allclose(terms["classification"], expected, rtol=1e-4)
    np.testing.assert_allclose(loss, terms["adversarial"] + 0.5 * expected, rtol=1e-5)
    critic_loss, _ = base.critic_loss(params, classes, rows)
    np.testing.assert_array_equal(critic_loss, WGAN(base.sizes).critic_loss(params, classes, rows)[0])


def test_fclswgan_fits_its_classifier_to_the_seen_rows():
    p = small.problem(framework="fclswgan")
    base, labels = p.objective.framework, np.tile(np.arange(8), 20)
    features = jnp.asarray(np.eye(8, 30)[labels], jnp.float32)
    longer = dataclasses.replace(base, classifier_epochs=60, classifier_learning_rate=1e-2)
    params = longer.pretrain(jax.random.key(0), features, jnp.asarray(labels))
    assert set(params) == {"seen_classifier"}
    assert (longer.classifier.logits(params["seen_classifier"], features).argmax(-1) == labels).all()


@dataclasses.dataclass(frozen=True)
class Cramped(WGAN):
    """A base method of its own, as docs/adding_a_base.md describes it: WGAN-GP whose generator also keeps its features small."""

    RANGES: ClassVar[dict[str, tuple[float, float, bool]]] = {"size_weight": (0.0, 10.0, True)}

    size_weight: float = 0.1

    def generator_loss(self, params, classes, rows):
        loss, terms = super().generator_loss(params, classes, rows)
        size = jnp.mean(jnp.square(rows.fake))
        return loss + self.size_weight * size, terms | {"size": size}


@pytest.mark.parametrize("variant", ["d3", "base"])
def test_a_new_base_is_a_class_a_registry_line_and_a_configuration(tmp_path, monkeypatch, variant):
    monkeypatch.setitem(registry.FRAMEWORKS, "cramped", Cramped)
    monkeypatch.setitem(settings.CHOICES, "framework", tuple(registry.FRAMEWORKS))
    config = digits.get_config(variant)
    config.framework = "cramped"
    config.cramped = {"size_weight": 0.5}
    config.train.update(epochs=1)
    config.teacher.epochs = 1
    results = train(config, str(tmp_path / "run"), Display())
    assert results["framework"] == "cramped" and results["distillation"] == (variant == "d3")
    assert set(results["predictions"]) == ({"student", "classifier"} if variant == "d3" else {"classifier"})
    assert '"size": ' in (tmp_path / "run" / "metrics.jsonl").read_text()
    config.cramped.size_weight = 11.0
    with pytest.raises(settings.UserError, match=r"config.cramped.size_weight=11.0: must be at least 0 and at most 10"):
        settings.check(config)
