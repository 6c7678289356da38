"""The base methods against their definitions, and the seam a new one is added at."""

import dataclasses
import sys
import types

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import digits
from d3gzsl_jax.config import check, schema
from d3gzsl_jax.config.field_type import Field
from d3gzsl_jax.config.framework_fields import FRAMEWORKS as FRAMEWORK_FIELDS
from d3gzsl_jax.config.framework_fields import FrameworkFields
from d3gzsl_jax.frameworks import registry
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.conditional_gan import ConditionalGAN
from d3gzsl_jax.frameworks.host_rows import HostRows
from d3gzsl_jax.frameworks.schedule import AdamRule
from d3gzsl_jax.frameworks.structures import UpdateInputs
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.losses import contrastive
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.studies.start import train
from d3gzsl_jax.training.draws import update_draws
from tests import small
from tests.conftest import ROOT
from tests.losses import oracles


@pytest.mark.parametrize("name", registry.FRAMEWORKS)
def test_every_base_has_all_members_of_the_interface(name):
    base = small.problem(framework=name).objective.framework
    members = {*Framework.__annotations__, *(member for member in vars(Framework) if not member.startswith("_"))}
    assert {"phases", "embedding_groups", "adam", "pretrain", "initial_state", "loss", "fakes", "represent"} <= members
    assert all(hasattr(base, member) for member in members)
    updates = [update for number in range(base.passes) for phase in base.phases(number) for update in phase.updates]
    assert updates and all(callable(getattr(base, f"{update.name}_loss")) for update in updates)
    assert {group for update in updates for group in update.groups} == set(base.init(jax.random.key(0)))


def of_batch(base, params, classes, batch, draws, phase):
    """What the loss of a phase's update sees: synthesized and embedded row by row, each on its own."""
    fakes = base.synthesize(params, classes.semantics[batch.labels], draws)
    embed = (lambda x: base.embed(params, x)) if base.embedding_groups else (lambda x: None)
    return UpdateInputs(
        classes=classes, batch=batch, fakes=fakes, draws=draws, state={}, epoch=jnp.int32(0), real_embedding=embed(batch.features),
        fake_embedding=embed(fakes) if phase == "generator" else None,
    )


def inputs_of(p, phase):
    batch = jax.tree.map(lambda leaf: leaf[:16], p.constants.rows)
    draws = {"noise": jax.random.normal(jax.random.key(1), (16, 6)), "interpolation": jnp.full((16, 1), 0.3)}
    return of_batch(p.objective.framework, p.state.params, p.constants.classes, batch, draws, phase)


def naive_class_contrast(base, params, classes, embedding, labels):
    """Every pair of a row and a seen class through the comparator itself, as the published code does it."""
    n, seen = len(embedding), len(classes.seen)
    pairs = jnp.repeat(embedding, seen, axis=0), jnp.tile(classes.semantics[classes.seen], (n, 1))
    scores = base.comparator.apply(params["comparator"], *pairs).reshape(n, seen)
    return contrastive.class_contrast(scores, jnp.searchsorted(classes.seen, labels), base.temperature_class)


@pytest.mark.slow
def test_cegzsl_scores_all_pairs_as_the_comparator_itself_does():
    p = small.scaled("cegzsl")
    base, params, classes, inputs = p.objective.framework, p.state.params, p.constants.classes, inputs_of(p, "critic")
    ours, theirs = (
        jax.value_and_grad(lambda x, f=f: f(x, classes, inputs.real_embedding, inputs.batch.labels))(params)
        for f in (base.class_contrast, lambda *x: naive_class_contrast(base, *x))
    )
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    comparator = [tree[1]["comparator"]["params"] for tree in (ours, theirs)]
    assert float(comparator[0]["output"]["bias"][0]) == 0.0  # exactly; PyTorch has rounding noise here
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), *comparator)


@pytest.mark.slow
def test_cegzsl_critic_loss_is_its_parts():
    p = small.scaled("cegzsl")
    base, params, classes, inputs = p.objective.framework, p.state.params, p.constants.classes, inputs_of(p, "critic")
    loss, terms = base.critic_loss(params, inputs)
    plain, _ = WGAN(base.sizes).critic_loss(params, inputs)
    z = np.asarray(base.project(params, inputs.real_embedding), float)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, rtol=1e-5)
    instance = oracles.instance_contrast(z, np.asarray(inputs.batch.labels), 0.1)
    of_classes = naive_class_contrast(base, params, classes, inputs.real_embedding, inputs.batch.labels)
    np.testing.assert_allclose(terms["instance_contrast"], instance, rtol=1e-4)
    np.testing.assert_allclose(loss, plain + instance + of_classes, rtol=1e-5)


def test_cegzsl_generator_loss_is_its_parts_and_reaches_synthesized_rows_only():
    p = small.scaled("cegzsl")
    base, params, classes, inputs = p.objective.framework, p.state.params, p.constants.classes, inputs_of(p, "generator")
    loss, terms = base.generator_loss(params, inputs)
    z = np.asarray(base.project(params, jnp.concatenate([inputs.fake_embedding, inputs.real_embedding])), float)
    labels = np.tile(np.asarray(inputs.batch.labels), 2)
    np.testing.assert_allclose(terms["instance_contrast"], oracles.instance_contrast(z, labels, 0.1), rtol=1e-4)
    adversarial = -base.critic.apply(params["critic"], inputs.fakes, classes.semantics[inputs.batch.labels]).mean()
    of_classes = naive_class_contrast(base, params, classes, inputs.fake_embedding, inputs.batch.labels)
    np.testing.assert_allclose(loss, adversarial + 0.3 * terms["instance_contrast"] + 0.2 * of_classes, rtol=1e-5)


def test_only_the_released_comparator_gradient_is_a_running_sum():
    released = small.problem(framework="cegzsl").objective.framework
    groups = released.init(jax.random.key(0))
    assert {group: released.adam(group) for group in groups if released.adam(group) != AdamRule()} == {
        "comparator": AdamRule(summed="epoch")
    }
    fresh = dataclasses.replace(released, comparator_gradient="fresh")
    assert all(fresh.adam(group) == AdamRule() for group in groups)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["critic", "generator"])
def test_d3_on_cegzsl_is_both_losses_on_one_embedding(name):
    """The objective against base method and D3 computed apart, each row embedded on its own: value, and gradients of what the
    phase trains. In the critic phase the embedding follows both, in the generator phase neither."""
    p = small.scaled("cegzsl")
    objective, params, classes = p.objective, p.state.params, p.constants.classes
    base, d3, teacher = objective.framework, objective.distillation, p.constants.teacher
    batch = jax.tree.map(lambda leaf: leaf[:16], p.constants.rows)
    phase, update = small.update_of(base, name)
    draws = update_draws(jax.random.key(5), phase.draws, 16, base.unseen_draws(), objective.unseen_rows(classes))
    groups = objective.groups_of(update)
    assert ("embedding" in groups) == (name == "critic") and "student_embedding" not in groups

    def apart(trained):
        merged = params | trained
        embed = lambda x: base.embed(merged, x)  # noqa: E731
        inputs = of_batch(base, merged, classes, batch, draws, name)
        of_unseen = jnp.repeat(classes.semantics[classes.unseen], d3.n_syn, axis=0)
        unseen = base.synthesize(merged, of_unseen, {"noise": draws["unseen_noise"]})
        student = jnp.concatenate([embed(unseen), embed(batch.features)])
        terms = d3.terms(merged, teacher, classes, batch, unseen, student)
        weighted = sum(0.1 * terms[name] for name in ("cls", "od", "be", "kl"))
        return getattr(base, f"{name}_loss")(merged, inputs)[0] + weighted

    def together(trained):
        return objective.loss(phase, update, params | trained, teacher, classes, batch, draws, {}, jnp.int32(0))[0]

    trained = {group: params[group] for group in groups}
    ours, theirs = (jax.jit(jax.value_and_grad(f))(trained) for f in (together, apart))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-5), ours[1], theirs[1])
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(ours[1]["student_head"]))


def test_fclswgan_adds_the_likelihood_of_its_frozen_classifier():
    p = small.scaled("fclswgan")
    base, params, classes, inputs = p.objective.framework, p.state.params, p.constants.classes, inputs_of(p, "generator")
    loss, terms = base.generator_loss(params, inputs)
    logits = np.asarray(base.classifier.logits(params["seen_classifier"], inputs.fakes), float)
    expected = oracles.classification(logits, np.searchsorted(np.asarray(classes.seen), inputs.batch.labels))
    np.testing.assert_allclose(terms["classification"], expected, rtol=1e-4)
    np.testing.assert_allclose(loss, terms["adversarial"] + 0.5 * expected, rtol=1e-5)
    critic_loss, _ = base.critic_loss(params, inputs)
    np.testing.assert_array_equal(critic_loss, WGAN(base.sizes).critic_loss(params, inputs)[0])


@pytest.mark.slow
def test_fclswgan_fits_its_classifier_to_the_seen_rows():
    p = small.problem(framework="fclswgan")
    base, labels = p.objective.framework, np.tile(np.arange(8), 20)
    features = jnp.asarray(np.eye(8, 30)[labels], jnp.float32)
    longer = dataclasses.replace(base, classifier_epochs=60, classifier_learning_rate=1e-2)
    params = longer.pretrain(jax.random.key(0), features, jnp.asarray(labels))
    assert set(params) == {"seen_classifier"}
    assert (longer.classifier.logits(params["seen_classifier"], features).argmax(-1) == labels).all()
    streamed = longer.pretrain(jax.random.key(0), HostRows(np.asarray(features)), jnp.asarray(labels))
    chex.assert_trees_all_equal(streamed, params)


def page_blocks():
    """The blocks of Python of the page: the GAN's class, the registry's line, its options, its configuration, the VAE's class."""
    page = (ROOT / "docs" / "frameworks.md").read_text()
    return [block.split("```")[0] for block in page.split("```python\n")[1:]]


def define(monkeypatch, source, name, options):
    """The class of a block, known by its name to registry and schema from here on."""
    space = {"__name__": name}
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))  # where dataclasses looks for it
    exec(source, space)
    for key, of in options.items():
        monkeypatch.setitem(FRAMEWORK_FIELDS, key, of)
    monkeypatch.setattr(schema, "FIELDS", schema.assembled(FRAMEWORK_FIELDS))
    kind = next(value for value in space.values() if isinstance(value, type) and value.__module__ == name)
    monkeypatch.setitem(registry.FRAMEWORKS, name, kind)
    assert schema.framework_names() == tuple(registry.FRAMEWORKS)
    return kind


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["d3", "base"])
def test_the_page_on_adding_a_base_method_works_as_it_stands(tmp_path, monkeypatch, variant):
    method, line, options, configuration, _ = page_blocks()
    options = eval(f"{{{options}}}", {"Field": Field, "FrameworkFields": FrameworkFields})
    kind = define(monkeypatch, method, "cramped", options)
    assert line.split() == ['"cramped":', "Cramped,"] and kind.__name__ == "Cramped" and issubclass(kind, ConditionalGAN)
    space = {"__name__": "configs.cramped"}
    exec(configuration, space)
    config = space["get_config"](variant)
    config.train.epochs = config.teacher.epochs = 1
    results = train(config, str(tmp_path / "run"), Display())
    assert results["framework"] == "cramped" and results["distillation"] == (variant == "d3")
    assert set(results["predictions"]) == ({"student", "classifier"} if variant == "d3" else {"classifier"})
    assert '"size": ' in (tmp_path / "run" / "metrics.jsonl").read_text()
    config.cramped.size_weight = 11.0
    with pytest.raises(check.UserError, match=r"config.cramped.size_weight=11.0: must be at least 0 and at most 10"):
        check.check(config)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["d3", "base"])
def test_the_vae_of_the_page_trains_with_and_without_d3(tmp_path, monkeypatch, variant):
    source = page_blocks()[-1]
    page = (ROOT / "docs" / "frameworks.md").read_text()
    options = page[page.index('`"cvae": ') + 1 :].split("`")[0]
    define(monkeypatch, source, "cvae", eval(f"{{{options}}}", {"Field": Field, "FrameworkFields": FrameworkFields}))
    config = digits.get_config(variant)
    config.framework = "cvae"
    config.train.epochs = config.teacher.epochs = 1
    results = train(config, str(tmp_path / "run"), Display())
    assert results["framework"] == "cvae" and results["distillation"] == (variant == "d3")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert '"autoencoder": ' in lines and '"kl_prior": ' in lines and '"critic"' not in lines
