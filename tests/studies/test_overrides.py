import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies.overrides import assignment, configured
from tests.conftest import ROOT

DIGITS = str(ROOT / "configs" / "digits.py")


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("data.leave_out", "3", "3"),
        ("data.leave_out", "1_0", "1_0"),
        ("data.leave_out", "", ""),
        ("data.leave_out", "zebra", "zebra"),
        ("train.epochs", "3", 3),
        ("distillation.temperature", "2", 2.0),
        ("eval.retrain", "False", False),
        ("seeds", "()", ()),
        ("distillation.variant", "described", "described"),
        ("train.learning_rate", "1e-3", 1e-3),
    ],
)
def test_a_text_becomes_what_the_field_holds(field, text, value):
    group, _, name = field.rpartition(".")
    config = configured(DIGITS, dict([assignment("--set", f"config.{field}={text}")]))
    found = (config[group] if group else config)[name]
    assert found == value and type(found) is type(value)


def test_values_that_are_no_texts_are_taken_as_they_are():
    assert configured(DIGITS, {"train.epochs": 7, "distillation.variant": "described"}).train.epochs == 7


def test_what_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--set train: must be FIELD=VALUE"):
        assignment("--set", "train")
    with pytest.raises(UserError, match=r"--vary config\.seed=1,2: every run .* --seeds says; leave it out"):
        assignment("--vary", "config.seed=1,2")
    with pytest.raises(UserError, match=r"config\.epocs: no such field"):
        configured(DIGITS, {"epocs": "3"})
    with pytest.raises(UserError, match=r"config\.train\.epochs='many': must be a whole number, at least 1$"):
        configured(DIGITS, {"train.epochs": "many"})
    with pytest.raises(UserError, match=r"config\.train\.epochs='1e3': must be a whole number, at least 1$"):
        configured(DIGITS, {"train.epochs": "1e3"})
    with pytest.raises(UserError, match=r"config\.eval\.retrain='no': must be True or False$"):
        configured(DIGITS, {"eval.retrain": "no"})
    with pytest.raises(UserError, match=r"config\.train: no such field"):
        configured(DIGITS, {"train": "3"})
    with pytest.raises(UserError, match=r"config\.seeds=\(0, 1\), .* give --seeds 2 --set 'seeds=\(\)'"):
        configured(DIGITS, {"seeds": "(0, 1)"})
