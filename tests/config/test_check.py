import dataclasses
import importlib

import numpy as np
import pytest

from configs import default
from d3gzsl_jax.config import check
from d3gzsl_jax.config.check import RANGES
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from tests.conftest import ROOT

CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.py") if path.stem not in ("__init__", "bases"))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_passes_and_documents_itself(name):
    module = importlib.import_module(f"configs.{name}")
    assert name == "default" or (f"--config=configs/{name}.py" in module.__doc__ and "Expected" in module.__doc__)
    d3, base = module.get_config(), module.get_config("base")
    for config in (d3, base):
        check.check(config)
    assert check.has_student(d3) and d3.eval.prediction in ("student", "auto") and d3.classifier.fit == ("never" if name == "many_classes" else "last")
    assert not check.has_student(base) and base.eval.prediction == "classifier" and base.classifier.fit == "every"
    # The two differ in D3's weights, in what predicts and how often, and in nothing else.
    for config in (d3, base):
        config.eval.prediction, config.classifier.fit, config.eval.every_epochs = "student", "last", 1
        config.distillation.update(weight_cls=0.0, weight_od=0.0, weight_be=0.0, weight_kl=0.0)
    assert d3.to_dict() == base.to_dict()


def test_there_is_a_configuration_for_every_published_setting():
    benchmarks = {"cub", "awa1", "awa2", "flo", "sun", "apy"}
    expected = benchmarks | {f"fclswgan_{name}" for name in benchmarks} | {f"cegzsl_{name}" for name in benchmarks - {"apy"}}
    assert set(CONFIGS) >= expected | {"cegzsl_cub_att", "cub_small", "cegzsl_cub_small", "digits", "default"}


# CE-GZSL's published settings: dz, batch, width of F, weights, learning rate, decay, synthesized rows per class, epochs, semantics.
CEGZSL = {
    "awa1": (0, 4096, 2048, 0.001, 1e-4, 50, 1800, 130, "att"),
    "awa2": (0, 4096, 2048, 0.001, 1e-4, 10, 2400, 130, "att"),
    "cub": (0, 2048, 2048, 0.001, 1e-4, 100, 100, 450, "sent"),
    "cub_att": (0, 2048, 2048, 0.001, 1e-4, 100, 100, 450, "att"),
    "flo": (512, 4096, 1024, 0.01, 1e-4, 100, 600, 750, "att"),
    "sun": (0, 1024, 1024, 0.01, 5e-5, 100, 100, 1000, "att"),
}


@pytest.mark.parametrize("name", CEGZSL)
def test_cegzsl_settings_are_the_published_ones(name):
    config = importlib.import_module(f"configs.cegzsl_{name}").get_config()
    own, train = config.cegzsl, config.train
    assert own.weight_instance == own.weight_class
    found = (config.networks.noise, train.batch_size, own.comparator_hidden, own.weight_class, train.learning_rate,
             train.decay_every, config.classifier.n_syn, train.epochs, config.data.semantics)  # fmt: skip
    assert found == CEGZSL[name]
    assert (own.projection, own.temperature_instance, own.temperature_class, own.comparator_gradient) == (512, 0.1, 0.1, "released")
    assert {train.generator_factor, train.critic_factor, train.student_factor, train.confidence_factor} == {0.99}
    assert config.classifier.batch_size == config.classifier.n_syn and config.distillation.n_syn == 50
    assert (config.classifier.epochs, config.classifier.learning_rate, config.classifier.beta1) == (25, 1e-3, 0.5)


# f-CLSWGAN's: learning rate, weight of its classification loss, synthesized rows per class, epochs.
FCLSWGAN = {
    "cub": (1e-4, 0.01, 300, 56), "awa1": (1e-5, 0.01, 1800, 30), "awa2": (1e-5, 0.01, 1800, 30), "flo": (1e-4, 0.1, 1200, 80),
    "sun": (2e-4, 0.01, 400, 40), "apy": (1e-5, 0.01, 1800, 50),
}  # fmt: skip


@pytest.mark.parametrize("name", FCLSWGAN)
def test_fclswgan_settings_are_those_its_code_is_run_with(name):
    config = importlib.import_module(f"configs.fclswgan_{name}").get_config()
    train = config.train
    found = (train.learning_rate, config.fclswgan.classification_weight, config.classifier.n_syn, train.epochs)
    assert found == FCLSWGAN[name] and config.classifier.batch_size == config.classifier.n_syn
    assert train.batch_size == 64 and {train.generator_factor, train.critic_factor, train.student_factor} == {1.0}


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name in default.get_config()])
def test_the_defaults_of_a_base_method_are_those_documented(framework):
    documented = dict(default.get_config()[framework])
    made = {f.name: f.default for f in dataclasses.fields(FRAMEWORKS[framework]) if f.name in documented}
    assert documented == made and set(documented) == {*FRAMEWORKS[framework].RANGES, *FRAMEWORKS[framework].CHOICES}


def test_every_field_is_checked_or_free():
    """A new field must be given a range or choices, or be named here."""
    free = {"dataset", "data.root", "data.manual_dir", "data.feature_file", "data.normalize_semantics", "data.leave_out"}
    free |= {"data.semantics", "data.unseen_classes"}  # words of the data itself
    free |= {"seeds"}  # looked at by `check_seeds`
    fields = {field for field, _ in flat(default.get_config()) if field.split(".")[0] not in FRAMEWORKS}  # these have their own
    assert fields == set(check.CHOICES) | set(check.RANGES) | set(check.SWITCHES) | free


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("distillation.variant", "relased", r"config.distillation.variant='relased': expected one of released, described; did you mean 'released'"),
        ("distillation.score", "entropy", r"expected one of msp, energy, max_logit; did you mean .energy."),
        ("distillation.target", "clas", r"did you mean 'class'"),
        ("data.source", "matt", r"did you mean 'mat'"),
        ("data.pipeline", "streaming", r"did you mean 'stream'"),
        ("framework", "cgan", r"did you mean 'wgan'"),
        ("framework", "ce-gzsl", r"did you mean 'cegzsl'"),
        ("classifier.fit", "always", r"expected one of never, last, every"),
        ("classifier.n_syn", -1, r"must be at least 0"),
        ("classifier.batch_size", 0, r"must be at least 1"),
        ("eval.prediction", "teacher", r"expected one of student, classifier"),
        ("seed", -1, r"config.seed=-1: must be at least 0 and at most 4.29497e\+09"),
        ("train.epochs", 0, r"config.train.epochs=0: must be at least 1"),
        ("train.learning_rate", 0.0, r"must be more than 0"),
        ("train.learning_rate", float("nan"), r"must be more than 0"),
        ("train.beta2", 1.0, r"must be more than 0 and less than 1"),
        ("distillation.weight_od", -0.1, r"must be at least 0"),
        ("train.batch_size", 64.5, r"config.train.batch_size=64.5: must be a whole number"),
        ("train.batch_size", "64", r"must be a whole number"),
        ("train.learning_rate", None, r"must be a number"),
        ("teacher.threshold", float("nan"), r"config.teacher.threshold=nan"),
        ("distillation.temperature", 0.0, r"must be more than 0"),
        ("distillation.n_syn", -1, r"must be at least 0"),
    ],
)
def test_values_that_make_no_sense(field, value, message):
    config = default.get_config()
    group, _, name = field.rpartition(".")
    node = config[group] if group else config
    with config.ignore_type():
        node[name] = value
    with pytest.raises(UserError, match=message):
        check.check(config)


def test_something_must_teach_the_student():
    config = default.get_config()
    config.distillation.weight_cls = 0.0
    check.check(config)
    config.distillation.weight_kl = 0.0
    with pytest.raises(UserError, match="nothing would teach the student"):
        check.check(config)
    config.eval.prediction = "classifier"
    check.check(config)
    config.classifier.fit = "never"
    with pytest.raises(UserError, match="would never be fitted"):
        check.check(config)


@pytest.mark.parametrize(
    ("framework", "field", "value", "message"),
    [
        ("cegzsl", "temperature_class", 0.0, r"config.cegzsl.temperature_class=0.0: must be more than 0"),
        ("cegzsl", "comparator_gradient", "frech", r"config.cegzsl.comparator_gradient='frech': .* did you mean 'fresh'"),
        ("cegzsl", "projection", 12.5, r"must be a whole number"),
        ("fclswgan", "classification_weight", -1.0, r"config.fclswgan.classification_weight=-1.0: must be at least 0"),
    ],
)
def test_options_of_a_base_method_are_checked_where_it_is_used(framework, field, value, message):
    config = default.get_config()
    with config.ignore_type():
        config[framework][field] = value
    check.check(config)  # of no interest to wgan
    config.framework = framework
    with pytest.raises(UserError, match=message):
        check.check(config)


def test_an_option_no_base_method_has_is_named():
    config = default.get_config()
    config.framework = "cegzsl"
    config.cegzsl.temprature = 1.0
    with pytest.raises(UserError, match=r"config.cegzsl.temprature: the base method 'cegzsl' has no such option"):
        check.check(config)


def test_a_missing_field_is_named():
    config = default.get_config()
    del config.train["n_critic"]
    with pytest.raises(UserError, match=r"config.train.n_critic: missing"):
        check.check(config)


def test_the_best_checkpoint_needs_a_metric():
    config = default.get_config()
    config.checkpoint.best = "test_harmonic"
    check.check(config)
    config.eval.prediction = "classifier"
    with pytest.raises(UserError, match=r"config.checkpoint.best='test_harmonic': what predicts is fitted at the end only"):
        check.check(config)
    config.classifier.fit = "every"
    check.check(config)


HUGE = {
    "train.epochs": 10**20, "train.n_critic": 2**31, "train.decay_every": 10**14, "classifier.epochs": 10**20, "classifier.n_syn": 10**10,
    "eval.batch_size": 10**12, "eval.folds": 10**400, "parallel.devices": 10**30, "data.stress.seen_classes": 10**300,
    "networks.embedding": 10**5000, "train.learning_rate": 1e300, "distillation.weight_cls": 1e300, "train.gradient_penalty_weight": 1e39,
    "data.stress.feature_noise": 1e300, "teacher.loss_weight": 1e39, "guards.diversity": 1e308, "classifier.logit_adjustment": 1e39,
}  # fmt: skip
TINY = {"distillation.temperature": 1e-300, "train.learning_rate": 1e-300, "distillation.weight_kl": 5e-324, "train.generator_factor": 1e-39}


@pytest.mark.parametrize("field", [*HUGE, *RANGES])
def test_no_range_ends_beyond_what_the_machine_holds(field):
    value = HUGE.get(field, 10**400 if isinstance(RANGES.get(field, (0,))[0], int) else np.inf)
    with pytest.raises(UserError, match=rf"^config.{field}=.*: must be (at least|more than) .* and (at most|less than) "):
        check.check(changed(field, value))


@pytest.mark.parametrize("field", TINY)
def test_numbers_that_are_0_on_the_device_are_refused(field):
    with pytest.raises(UserError, match=rf"^config.{field}={TINY[field]!r}: too small for 32-bit numbers; give at least 1"):
        check.check(changed(field, TINY[field]))


def changed(field, value):
    config = default.get_config()
    group, _, name = field.rpartition(".")
    with config.ignore_type():
        (config[group] if group else config)[name] = value
    return config


@pytest.mark.parametrize("field", ["dataset", "data.root", "data.source", "log.report", "guards.memory", "train.epochs", "train.beta1", "seeds", "cegzsl.projection", "train", "data.stress"])
@pytest.mark.parametrize("value", [lambda: 0, np.zeros(3), object(), {1, 2}, None, [[]], b"x", 1j], ids=lambda value: type(value).__name__)
def test_values_of_another_type_are_one_line(field, value):
    config = changed(field, value)
    config.framework = "cegzsl"
    if field == "seeds" and isinstance(value, list):
        return
    with pytest.raises(UserError, match=r"^config\.") as refused:
        check.check(config)
    assert "\n" not in str(refused.value)


def test_a_field_that_means_nothing_is_named():
    with pytest.raises(UserError, match=r"^config.trian.epochs: no such field; did you mean config.train.epochs"):
        check.check(changed("trian", {"epochs": 3}))
    with pytest.raises(UserError, match=r"^config.train.epoch: no such field; did you mean config.train.epochs"):
        check.check(changed("train.epoch", 3))


@pytest.mark.parametrize("name", ["train", "data", "distillation", "guards", "eval", "seed"])
def test_a_missing_group_is_named(name):
    config = default.get_config()
    del config[name]
    with pytest.raises(UserError, match=rf"^config.{name}.*: missing"):
        check.check(config)


@pytest.mark.parametrize("value", [{}, None, 5, "configs/cub.py"])
def test_what_is_no_configuration_is_refused(value):
    with pytest.raises(UserError, match=r"a configuration is a ml_collections.ConfigDict"):
        check.check(value)


def test_a_long_value_is_cut():
    with pytest.raises(UserError, match=r"^config.precision='x+ \.\.\. x+': expected one of") as refused:
        check.check(changed("precision", "x" * 3000))
    assert len(str(refused.value)) < 300


def test_learning_rates_that_overflow_are_refused():
    with pytest.raises(UserError, match=r"config.train.critic_factor=1e\+30: after 99 times the learning rate would be more than"):
        check.check(changed("train.critic_factor", 1e30))
    config = changed("train.decay_every", 1)
    with pytest.raises(UserError, match=r"config.train.generator_factor=1.09: after 1999 times"):
        check.check(config)
    check.check(changed("train.epochs", 10**6))  # which somebody will stop by hand


def test_more_updates_than_a_counter_holds_are_refused():
    config = changed("train.epochs", 10**9)
    with pytest.raises(UserError, match=r"config.train.epochs=1000000000: with 96 updates an epoch .* give at most 22369621"):
        check.check_length(config, 16, 0)
    config = changed("teacher.epochs", 10**9)
    with pytest.raises(UserError, match=r"config.teacher.epochs=1000000000: with 15 updates"):
        check.check_length(config, 16, 15)


def test_very_many_seeds_are_refused():
    with pytest.raises(UserError, match=r"1000000 seeds; give at most 10000 at once") as refused:
        check.check_seeds(changed("seeds", tuple(range(10**6))))
    assert len(str(refused.value)) < 300
