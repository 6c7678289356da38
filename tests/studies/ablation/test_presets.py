"""The grids of an ablation."""

import math
import re

import pytest

from configs import digits
from d3gzsl_jax.config import check, schema
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.data.load import load
from d3gzsl_jax.studies.ablation import presets


def outer_steps(config, choice):
    own = config.copy_and_resolve_references()
    own.update_from_flattened_dict(choice.overrides)
    per_epoch = math.ceil(len(load(own.dataset, own.data).trainval) / own.train.batch_size)
    return own.train.epochs * per_epoch, per_epoch, own.eval.every_epochs * per_epoch


@pytest.mark.parametrize("preset", ["imbalance", "seen_rows", "classes"])
def test_levels_with_fewer_rows_train_for_as_many_steps(preset):
    config = digits.get_config()
    first, *others = [outer_steps(config, choice) for choice in presets.PRESETS[preset](config)]
    assert first == (320, 16, 80)
    assert any(per_epoch < 16 for _, per_epoch, _ in others)
    for steps, per_epoch, between in others:
        assert abs(steps - first[0]) <= per_epoch and abs(between - first[2]) <= per_epoch


def test_levels_with_all_rows_are_as_configured():
    for choice in presets.semantic_noise(digits.get_config()):
        assert not any(field.startswith("train.") for field in choice.overrides)


def test_a_level_is_compared_with_the_base_method_at_it():
    choices = presets.imbalance(digits.get_config())
    assert [(choice.name, choice.against) for choice in choices[2:4]] == [
        ("base, imbalance 10", ""), ("full, imbalance 10", "base, imbalance 10"),
    ]  # fmt: skip
    apart = {field for field in choices[2].overrides if choices[3].overrides.get(field) != choices[2].overrides[field]}
    assert all(field.startswith("distillation.weight_") or field == "eval.prediction" for field in apart)


def test_the_base_method_uses_no_student():
    config = digits.get_config()
    assert not {"classifier.inputs", "eval.ensemble"} & presets.without_d3(config).overrides.keys()
    config.classifier.inputs, config.eval.ensemble = "student", True
    config.update_from_flattened_dict(presets.without_d3(config).overrides)
    check.check(config)
    assert (config.classifier.inputs, config.eval.ensemble, config.eval.prediction) == ("method", False, "classifier")


def test_the_base_methods_of_a_file_use_no_student_either():
    config = digits.get_config()
    plain = presets.paper("digits", config)
    assert all(cell.overrides == {} for cell in plain)
    config.classifier.inputs = "student"
    assert [cell.overrides for cell in presets.paper("digits", config)[:2]] == [{"classifier.inputs": "method"}, {}]


def test_t1s_own_softmax_has_no_more_rows_than_are_synthesized():
    config = digits.get_config()
    config.classifier.n_syn, config.classifier.zsl, config.classifier.zsl_n_syn = 400, "own", 200
    found = {choice.name: choice.overrides for choice in presets.synthesis(config)}
    for name, overrides in found.items():
        own = config.copy_and_resolve_references()
        own.update_from_flattened_dict(overrides)
        check.check(own)
        assert own.classifier.zsl_n_syn == (0 if own.classifier.n_syn < 200 else 200), name
    assert found["classifier.n_syn=30"] == {"classifier.n_syn": 30, "classifier.zsl_n_syn": 0}
    config.classifier.zsl, config.classifier.zsl_n_syn = "restricted", 0
    assert all("classifier.zsl_n_syn" not in choice.overrides for choice in presets.synthesis(config))


def stretched(config, level="imbalance 100"):
    """What the level has that the first has not, as a multiple of the configuration's own."""
    found = {choice.name: choice.overrides for choice in presets.imbalance(config)}
    own = dict(flat(config))
    return {
        field: value / own[field] for field, value in found[f"full, {level}"].items() if own[field] and not field.startswith("data.")
    }


WARM_UPS = {f"cadavae.{term}_{end}" for term in ("kl", "cross", "distance") for end in ("start", "end")}
ALWAYS = {"train.epochs", "train.decay_every", "teacher.epochs", "eval.every_epochs"}


@pytest.mark.parametrize(
    ("framework", "given", "more"),
    [
        ("wgan", {}, set()), ("cadavae", {}, WARM_UPS - {"cadavae.kl_start"}), ("zerodiff", {"representation_epochs": 40}, {"zerodiff.representation_epochs"}),
        ("zerodiff", {"representation_epochs": 0}, set()), ("fclswgan", {"classifier_epochs": 30}, {"fclswgan.classifier_epochs"}),
    ],
)  # fmt: skip
def test_all_that_is_counted_in_epochs_is_stretched_alike(framework, given, more):
    config = digits.get_config()
    config.framework = framework
    config.update_from_flattened_dict({f"{framework}.{option}": value for option, value in given.items()})
    config.train.epochs = config.train.decay_every = config.eval.every_epochs = config.teacher.epochs = 100
    found = stretched(config)
    assert found.keys() == ALWAYS | more
    ratio = found["train.epochs"]
    assert ratio > 2 and all(value == pytest.approx(ratio, abs=0.5 / dict(flat(config))[field]) for field, value in found.items())
    config.update_from_flattened_dict(next(choice.overrides for choice in presets.imbalance(config) if choice.name == "full, imbalance 100"))
    check.check(config)


def test_what_is_0_stays_0_and_with_a_budget_of_steps_passes_over_the_rows_are_stretched_alone():
    config = digits.get_config()
    config.framework = "fclswgan"
    config.teacher.epochs, config.fclswgan.classifier_epochs = 0, 0
    assert stretched(config).keys() == ALWAYS - {"teacher.epochs"}
    config.train.outer_steps, config.teacher.epochs, config.fclswgan.classifier_epochs = 200, 20, 30
    assert stretched(config).keys() == {"teacher.epochs", "fclswgan.classifier_epochs"}
    config.teacher.epochs = config.fclswgan.classifier_epochs = 0
    assert not stretched(config)


def test_every_number_of_epochs_says_what_it_is_counted_in():
    """But for the final classifier's, most of whose rows are synthesized."""
    named = {field.name for field in schema.FIELDS if re.search(r"(epochs|_start|_end)$|^train.decay_every$|every_epochs$", field.name)}
    assert {field.name for field in schema.FIELDS if field.counted_in} == named - {"classifier.epochs", "classifier.zsl_epochs"}
