import importlib

import pytest

from configs import default
from d3gzsl_jax import settings
from d3gzsl_jax.errors import UserError
from tests.conftest import ROOT

CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_passes_and_documents_itself(name):
    module = importlib.import_module(f"configs.{name}")
    settings.check(module.get_config())
    assert name == "default" or (f"--config=configs/{name}.py" in module.__doc__ and "Expected" in module.__doc__)


def test_every_field_is_checked_or_free():
    """A new field must be given a range or choices, or be named here."""
    free = {"dataset", "data.root", "data.manual_dir", "data.feature_file", "data.normalize_semantics"}
    fields = set()
    for key, value in default.get_config().items():
        fields |= {f"{key}.{inner}" for inner in value} if hasattr(value, "items") else {key}
    assert fields == set(settings.CHOICES) | set(settings.RANGES) | free


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("distillation.variant", "relased", r"config.distillation.variant='relased': expected one of released, described; did you mean 'released'"),
        ("distillation.score", "entropy", r"expected one of msp, energy, max_logit; did you mean .energy."),
        ("distillation.target", "clas", r"did you mean 'class'"),
        ("data.source", "matt", r"did you mean 'mat'"),
        ("data.semantics", "attributes", r"expected one of att, sent"),
        ("data.pipeline", "streaming", r"did you mean 'stream'"),
        ("framework", "cgan", r"did you mean 'wgan'"),
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
        settings.check(config)


def test_something_must_teach_the_student():
    config = default.get_config()
    config.distillation.weight_cls = 0.0
    settings.check(config)
    config.distillation.weight_kl = 0.0
    with pytest.raises(UserError, match="nothing would teach the student"):
        settings.check(config)


def test_a_missing_field_is_named():
    config = default.get_config()
    del config.train["n_critic"]
    with pytest.raises(UserError, match=r"config.train.n_critic: missing"):
        settings.check(config)
