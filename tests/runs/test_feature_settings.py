"""What 'auto' stands for, and which features, scaling and base method do not go together."""

import dataclasses

import numpy as np
import pytest

from d3gzsl_jax.config import check, saved_config, schema
from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.scaling import KINDS
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.networks import OUTPUTS
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.runs.feature_settings import check_suited, resolved
from d3gzsl_jax.training import build

VAEGANS = ("fvaegan", "tfvaegan", "free", "zerodiff")


def data_of(kind):
    data = read_digits()
    features = {"sparse": data.features, "turned": 16 - data.features, "two-sided": data.features @ np.eye(64) - data.features.mean(axis=1)[:, None]}
    return validate(dataclasses.replace(data, features=features[kind]))


def config_of(framework="wgan", scaling="auto", output="auto"):
    return load_config("digits", {"framework": framework, "data.scaling": scaling, "networks.output": output})


def found(kind, *args):
    of = resolved(config_of(*args), data_of(kind))
    return of.data.scaling, of.networks.output


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_features_as_after_a_relu_keep_the_published_settings(framework):
    assert found("sparse", framework) == ("minmax", "published")


@pytest.mark.parametrize("kind", ["turned", "two-sided"])
def test_dense_features_are_standardised_where_the_method_can_do_with_that(kind):
    for framework in ("wgan", "fclswgan", "cegzsl"):
        assert found(kind, framework) == ("standard", "linear")
    assert found(kind, "cadavae") == ("standard", "published")  # which is linear
    for framework in VAEGANS:
        assert found(kind, framework) == ("minmax", "published")


def test_what_is_given_stays_and_the_other_suits_it():
    assert found("turned", "wgan", "auto", "relu") == ("minmax", "relu")
    assert found("turned", "wgan", "auto", "published") == ("minmax", "published")
    assert found("turned", "wgan", "auto", "linear") == ("standard", "linear")
    assert found("turned", "wgan", "minmax", "auto") == ("minmax", "linear")
    assert found("sparse", "wgan", "standard", "auto") == ("standard", "linear")
    assert found("sparse", "wgan", "auto", "sigmoid") == ("minmax", "sigmoid")


def test_it_is_said_once_and_only_where_something_was_chosen():
    said = []
    plain = config_of("wgan", "minmax", "published")
    assert resolved(plain, data_of("turned"), said.append) is plain and said == []
    asked = config_of()
    own = resolved(asked, data_of("turned"), said.append)
    assert said == ["config.data.scaling=auto: standard, config.networks.output=auto: linear (the features are dense)"]
    assert asked.data.scaling == "auto" and own.data.scaling == "standard"
    resolved(config_of("fvaegan", "auto", "published"), data_of("two-sided"), said.append)
    assert said[1:] == [
        "config.data.scaling=auto: minmax (the features are dense and two-sided, but fvaegan needs scaled features in [0, 1])"
    ]


def refused(framework, scaling, output="published", kind="sparse"):
    config, data = config_of(framework, scaling, output), data_of(kind)
    check.check(config)
    with pytest.raises(UserError) as error:
        check_suited(config, data, build.build(config, data).objective.framework)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("framework", VAEGANS)
def test_methods_that_need_0_to_1_refuse_what_leaves_it(framework):
    for scaling, kind in (("standard", "sparse"), ("none", "sparse"), ("unit", "two-sided")):
        told = refused(framework, scaling, kind=kind)
        assert told == f"config.data.scaling={scaling!r}: {framework} needs scaled features in [0, 1], and features would not lie there; give 'minmax'"
    for output in ("relu", "linear"):
        assert refused(framework, "minmax", output) == (
            f"config.networks.output={output!r}: the losses of {framework} allow sigmoid; give one of these, or 'published'"
        )


def test_what_lies_in_0_to_1_is_not_refused():
    for scaling in ("minmax", "unit"):
        config, data = config_of("fvaegan", scaling, "sigmoid"), data_of("sparse")
        check_suited(config, data, build.build(config, data).objective.framework)
    for scaling in KINDS:
        config, data = config_of("wgan", scaling, "linear"), data_of("two-sided")
        check_suited(config, data, build.build(config, data).objective.framework)


def test_features_that_are_too_large_to_be_left_as_they_are():
    data = data_of("sparse")
    data = validate(dataclasses.replace(data, features=data.features * np.float32(1e20)))
    config = config_of("wgan", "none", "linear")
    with pytest.raises(UserError, match=r"config.data.scaling='none': features reach 2e\+21, which float32 cannot compute with; give 'minmax'"):
        check_suited(config, data, build.build(config, data).objective.framework)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_by_default_every_method_ends_as_published(framework):
    published = {"wgan": "relu", "fclswgan": "relu", "cegzsl": "relu", "cadavae": "linear"}.get(framework, "sigmoid")
    config = load_config("digits", {"framework": framework})
    assert (config.data.scaling, config.networks.output) == ("minmax", "published")
    base = build.build(config, data_of("sparse")).objective.framework
    assert base.ends_in == published and set(base.outputs) <= set(OUTPUTS)


@pytest.mark.parametrize(("field", "value"), [("data.scaling", "minmaxx"), ("networks.output", "tanh")])
def test_another_word_is_refused_with_the_ones_there_are(field, value):
    words = ", ".join(schema.by_name()[field].words)
    with pytest.raises(UserError, match=rf"config.{field}='{value}': expected one of {words}"):
        check.check(load_config("digits", {field: value}))


def test_what_was_saved_earlier_was_trained_as_published():
    config = load_config("digits").to_dict()
    del config["data"]["scaling"], config["networks"]["output"]
    found = saved_config.read(saved_config.content(config), "config.json")
    assert (found.data.scaling, found.networks.output) == ("minmax", "published")
