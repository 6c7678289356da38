import numpy as np
import pytest

from configs import default
from d3gzsl_jax.config import check, schema
from d3gzsl_jax.errors import UserError

NUMBERS = {name: field for name, field in schema.by_name().items() if field.low is not None}


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
        ("classifier.zsl", "owned", r"expected one of restricted, own; did you mean 'own'"),
        ("classifier.zsl_epochs", -1, r"config.classifier.zsl_epochs=-1: must be at least 0"),
        ("classifier.zsl_n_syn", 301, r"^config.classifier.zsl_n_syn=301: config.classifier.n_syn=300 rows of a class are synthesized; give at most"),
        ("eval.prediction", "teacher", r"expected one of student, classifier"),
        ("seed", -1, r"config.seed=-1: must be at least 0 and at most 4294967295"),
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


def test_the_second_softmax_needs_rows():
    config = default.get_config()
    config.classifier.zsl, config.classifier.zsl_n_syn = "own", 300
    check.check(config)
    config.classifier.n_syn = config.classifier.zsl_n_syn = 0
    with pytest.raises(UserError, match=r"^config.classifier.zsl='own' and config.classifier.n_syn=0: there would be no row"):
        check.check(config)
    config.classifier.zsl = "restricted"
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


@pytest.mark.parametrize("framework", [name for name in schema.framework_names() if schema.FRAMEWORKS[name].first_stage])
def test_options_of_what_is_trained_first_are_checked(framework):
    stage = schema.FRAMEWORKS[framework].first_stage
    for field in schema.options_of(stage):
        for value in ("foo", float("nan"), -3, None):
            config = changed(field.name, value)
            config.framework = framework
            with pytest.raises(UserError, match=rf"^config.{field.name}=.*: (must be|expected one of) "):
                check.check(config)


def test_epochs_of_what_is_trained_first_are_among_those_that_are_checked():
    config = changed("train.critic_factor", 1e10)
    config.framework, config.train.epochs = "zerodiff", 20
    check.check(config)
    config.zerodiff.representation_epochs = 2000
    with pytest.raises(UserError, match=r"config.train.critic_factor=10000000000.0: after 99 times the learning rate would be more"):
        check.check(config)
    config.zerodiff.representation_epochs = 100_000
    with pytest.raises(UserError, match=r"^config.zerodiff.representation_epochs=100000: with 30000 updates an epoch .* give at most 71582"):
        check.check_counters(config, 30_000, 0)


@pytest.mark.parametrize(("framework", "field"), [("tfvaegan", "tfvaegan.feedback_loop"), ("free", "free.passes"), ("wgan", "eval.folds")])
def test_what_would_be_built_for_hours_is_refused(framework, field):
    config = changed(field, 101)
    config.framework = framework
    with pytest.raises(UserError, match=rf"^config.{field}=101: must be at least [01] and at most 100"):
        check.check(config)


def test_an_option_no_base_method_has_is_named():
    config = default.get_config()
    config.framework = "cegzsl"
    config.cegzsl.temprature = 1.0
    for framework in ("cegzsl", "wgan"):
        config.framework = framework
        with pytest.raises(UserError, match=r"config.cegzsl.temprature: the framework 'cegzsl' has no such option; did you mean config.cegzsl."):
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


@pytest.mark.parametrize(
    ("field", "value", "seen", "unseen", "message"),
    [
        ("eval.selection", "test", False, True, r"no test_seen rows .*give 'last', or 'validation' with criterion='zsl'"),
        ("eval.selection", "test", True, False, r"has no test_unseen rows; give 'validation', which picks on folds, or 'last'"),
        ("eval.selection", "test", False, False, r"has no test_seen and no test_unseen rows; give 'validation'"),
        ("checkpoint.best", "test_zsl", True, False, r"has no test_unseen rows; give 'test_seen' or ''"),
        ("checkpoint.best", "test_seen", False, False, r"no test_seen and no test_unseen rows; give ''"),
    ],
)
def test_nothing_is_picked_by_what_is_not_known(field, value, seen, unseen, message):
    config = default.get_config()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(UserError, match=rf"config.{field}='{value}': picks by .*{message}"):
        check.check_known(config, seen, unseen)
    check.check_known(config, True, True)


def test_the_best_s_is_known_without_test_rows_of_unseen_classes():
    config = default.get_config()
    config.checkpoint.best = "test_seen"
    check.check_known(config, True, False)


HUGE = {
    "train.epochs": 10**20, "train.n_critic": 2**31, "train.decay_every": 10**14, "classifier.epochs": 10**20, "classifier.n_syn": 10**10,
    "eval.batch_size": 10**12, "eval.folds": 10**400, "parallel.devices": 10**30, "data.stress.seen_classes": 10**300,
    "networks.embedding": 10**5000, "train.learning_rate": 1e300, "distillation.weight_cls": 1e300, "train.gradient_penalty_weight": 1e39,
    "data.stress.feature_noise": 1e300, "teacher.loss_weight": 1e39, "guards.diversity": 1e308, "classifier.logit_adjustment": 1e39,
}  # fmt: skip
TINY = {"distillation.temperature": 1e-300, "train.learning_rate": 1e-300, "distillation.weight_kl": 5e-324, "train.generator_factor": 1e-39}


@pytest.mark.parametrize("field", [*HUGE, *NUMBERS])
def test_no_range_ends_beyond_what_the_machine_holds(field):
    value = HUGE.get(field, 10**400 if isinstance(NUMBERS[field].default, int) else np.inf)
    config = changed(field, value)
    if field.partition(".")[0] in schema.framework_names():
        config.framework = field.partition(".")[0]
    with pytest.raises(UserError, match=rf"^config.{field}=.*: must be (at least|more than) .* and (at most|less than) "):
        check.check(config)


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
        check.check_counters(config, 16 * 6, 0)
    config = changed("teacher.epochs", 10**9)
    with pytest.raises(UserError, match=r"config.teacher.epochs=1000000000: with 15 updates"):
        check.check_counters(config, 16 * 6, 15)
    config.teacher.updates = 500
    check.check_counters(config, 16 * 6, 15)


def test_very_many_seeds_are_refused():
    with pytest.raises(UserError, match=r"1000000 seeds; give at most 10000 at once") as refused:
        check.check_seeds(changed("seeds", tuple(range(10**6))))
    assert len(str(refused.value)) < 300
