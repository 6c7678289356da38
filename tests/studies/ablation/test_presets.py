"""The grids of an ablation."""

import math

import pytest

from configs import digits
from d3gzsl_jax.config import check
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
