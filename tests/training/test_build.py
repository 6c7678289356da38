"""From configuration to objects: every field arrives where it belongs, and the recording replays through it."""

import jax
import numpy as np
import pytest

from configs import default
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.load import load
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.cegzsl import CEGZSL
from d3gzsl_jax.frameworks.fclswgan import FCLSWGAN
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.training import build
from tests import small
from tools.parity_parts.released_rates import RELEASED_DECAY_EVERY, RELEASED_FACTORS


def odd_config():
    """A configuration in which no two fields of a kind agree."""
    config = default.get_config()
    config.networks.update(noise=9, generator_hidden=21, critic_hidden=22, embedding=23)
    config.teacher.update(batch_size=5, learning_rate=0.011, loss_weight=0.012)
    config.train.update(
        batch_size=6, learning_rate=0.013, beta1=0.4, beta2=0.95, gradient_penalty_weight=7.0, decay_every=3,
        generator_factor=1.1, critic_factor=1.2, student_factor=0.7, confidence_factor=0.6,
    )  # fmt: skip
    config.distillation.update(
        n_syn=4, weight_cls=0.1, weight_od=0.2, weight_be=0.3, weight_kl=0.4, variant="described", score="energy",
        target="domain", temperature=2.5,
    )  # fmt: skip
    config.classifier.update(n_syn=13, epochs=11, batch_size=12, learning_rate=0.014, beta1=0.3)
    return config


def test_every_field_arrives(mat_folder):
    data = validate(read_xlsa17(mat_folder, "CUB"))
    built = build.build(odd_config(), data)
    base, d3 = built.objective.framework, built.objective.distillation
    sizes = Sizes(features=12, semantics=5, noise=9, seen=4, generator_hidden=21, critic_hidden=22, embedding=23)
    assert base == WGAN(sizes, gradient_penalty_weight=7.0)
    assert (d3.n_syn, d3.classes, d3.embedding_width, d3.teacher.seen, d3.teacher.embedding_width) == (4, 6, 23, 4, 23)
    assert d3.weights == {"cls": 0.1, "od": 0.2, "be": 0.3, "kl": 0.4}
    assert (d3.variant, d3.score, d3.target, d3.temperature) == ("described", "energy", "domain", 2.5)
    optimization = built.optimization
    assert optimization.factors == {
        "generator": 1.1, "critic": 1.2, "student_embedding": 0.7, "student_head": 0.7, "confidence": 0.6
    }  # fmt: skip
    assert set(optimization.learning_rates.values()) == {0.013} and len(optimization.learning_rates) == 5
    assert (optimization.decay_every, optimization.beta1, optimization.beta2) == (3, 0.4, 0.95)
    assert optimization.steps_per_epoch == -(-len(data.trainval) // 6) and len(data.trainval) % 6
    training = built.teacher_training
    assert (training.learning_rate, training.loss_weight, training.beta1, training.beta2) == (0.011, 0.012, 0.4, 0.95)
    final = built.final_classifier
    assert final == FinalClassifier(base, SoftmaxTraining(6, 11, 12, 0.014, 0.3), n_syn=13, synthesis="auto")
    np.testing.assert_array_equal(built.classes.unseen, [4, 5])
    np.testing.assert_allclose(built.classes.semantics, data.semantics)


def summed(built):
    """The groups whose Adam is given a sum of gradients."""
    optimization = built.optimization
    assert set(optimization.rules) == set(optimization.learning_rates)
    return {group for group in optimization.rules if optimization.rule(group).summed != "no"}


def test_fields_of_other_base_methods_arrive(mat_folder):
    data, config = validate(read_xlsa17(mat_folder, "CUB")), odd_config()
    config.framework = "cegzsl"
    config.cegzsl.update(projection=31, comparator_hidden=32, weight_instance=0.33, weight_class=0.34, temperature_instance=0.35,
                         temperature_class=0.36, comparator_gradient="fresh")  # fmt: skip
    built = build.build(config, data)
    sizes = built.objective.framework.sizes
    assert built.objective.framework == CEGZSL(sizes, 7.0, 31, 32, 0.33, 0.34, 0.35, 0.36, "fresh")
    # Embedding, projection and comparator follow the critic; the student has no embedding of its own.
    assert built.optimization.factors == {
        "generator": 1.1, "critic": 1.2, "embedding": 1.2, "projection": 1.2, "comparator": 1.2, "student_head": 0.7,
        "confidence": 0.6,
    }  # fmt: skip
    assert summed(built) == set()
    config.cegzsl.comparator_gradient = "released"
    assert summed(build.build(config, data)) == {"comparator"}
    config.framework = "fclswgan"
    config.fclswgan.update(classification_weight=0.41, classifier_epochs=42, classifier_batch_size=43, classifier_learning_rate=0.44)
    assert build.build(config, data).objective.framework == FCLSWGAN(sizes, 7.0, 0.41, 42, 43, 0.44)


def test_without_d3_there_is_nothing_of_it(mat_folder):
    config = odd_config()
    config.distillation.update(weight_cls=0.0, weight_od=0.0, weight_be=0.0, weight_kl=0.0)
    config.classifier.fit = "never"
    built = build.build(config, validate(read_xlsa17(mat_folder, "CUB")))
    assert set(built.optimization.learning_rates) == {"generator", "critic"} and built.final_classifier is None


def test_defaults_are_the_released_settings(mat_folder):
    config = default.get_config()
    config.train.batch_size = config.teacher.batch_size = 8
    built = build.build(config, validate(read_xlsa17(mat_folder, "CUB")))
    assert built.optimization.factors == RELEASED_FACTORS and built.optimization.decay_every == RELEASED_DECAY_EVERY
    assert built.objective.framework.sizes.noise == 5  # as many as semantic dimensions
    assert built.optimization.most_decays == 2047


def test_learning_rates_are_there_for_every_epoch(mat_folder):
    config = default.get_config()
    config.train.batch_size = config.teacher.batch_size = 8
    config.train.epochs, config.train.decay_every = 5000, 2
    built = build.build(config, validate(read_xlsa17(mat_folder, "CUB")))
    expected = 1e-4 * 0.98**2499
    assert built.optimization.learning_rates_at(4999)["student_head"] == pytest.approx(expected, rel=1e-6)


def test_normalised_semantics_have_unit_norm(mat_folder):
    config = default.get_config()
    config.data.root = str(mat_folder)
    raw = load("CUB", config.data)
    config.data.normalize_semantics = True
    unit = load("CUB", config.data)
    np.testing.assert_allclose(np.linalg.norm(unit.semantics, axis=1), 1, rtol=1e-6)
    assert np.ptp(np.linalg.norm(raw.semantics, axis=1)) > 0.1
    assert unit.provenance["normalized"] and not raw.provenance["normalized"]


@pytest.mark.slow
def test_the_seed_decides_the_initial_parameters(mat_folder):
    built = build.build(odd_config(), validate(read_xlsa17(mat_folder, "CUB")))
    init = lambda seed: jax.tree.leaves(built.objective.framework.init(jax.random.key(seed)))  # noqa: E731
    assert any((a != b).any() for a, b in zip(init(0), init(1), strict=True))


@pytest.mark.parametrize("stage", ["zerodiff", "zerodiff_representation"])
def test_a_diffusion_that_float32_cannot_compute_with_is_refused(stage):
    config, data = default.get_config("base"), small.simulated()
    config.framework, config.train.batch_size, config.teacher.batch_size = "zerodiff", 8, 8
    config[stage].beta_max = 300.0
    with pytest.raises(UserError, match=rf"^config.{stage}.beta_max=300: with timesteps=4 and beta_min=0.1, in 32-bit numbers, nothing"):
        build.build(config, data)


@pytest.mark.parametrize(("framework", "option"), [("tfvaegan", "feedback_loop"), ("free", "passes")])
def test_the_most_passes_are_built_once(framework, option, monkeypatch):
    config, data = default.get_config("base"), small.simulated()
    config.framework, config.train.batch_size = framework, 8
    config[framework][option] = 100
    made, plain = [], FRAMEWORKS[framework].phases
    monkeypatch.setattr(FRAMEWORKS[framework], "phases", lambda self, number: (made.append(number), plain(self, number))[1])
    model = build.build(config, data)
    assert len(model.objective.framework.phases_by_pass) == 100 and len(made) == 100
