import pytest

from d3gzsl_jax.config import check
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies.overrides import configured
from d3gzsl_jax.studies.search.fields import COMMON_WEIGHT, searched
from tests.conftest import ROOT

DIGITS = str(ROOT / "configs" / "digits.py")
WEIGHTS = tuple(f"distillation.weight_{term}" for term in ("cls", "od", "be", "kl"))


def fields(texts, spec=DIGITS, **given):
    found, left_out = searched(texts, configured(spec, {name.replace("__", "."): value for name, value in given.items()}))
    return {one.name: one for one in found}, left_out


def test_by_default_rate_weights_and_rows_are_searched_around_the_configurations_own():
    found, left_out = fields([])
    assert list(found) == ["train.learning_rate", COMMON_WEIGHT, "classifier.n_syn"] and not left_out
    rate, weight, rows = found.values()
    assert (rate.low, rate.own, rate.high, rate.log) == (1e-4, 1e-3, 1e-2, True)
    assert (weight.low, weight.own, weight.high, weight.log) == (1e-6, 1e-4, 1e-2, True) and weight.fields == WEIGHTS
    assert (rows.low, rows.own, rows.high, rows.log) == (75, 300, 1200, True) and isinstance(rows.low, int)
    assert weight.overrides(1.23456e-3) == dict.fromkeys(WEIGHTS, 1.235e-3)  # a number one would type
    assert weight.overrides(1e-2 - 1e-9)[WEIGHTS[0]] == 1e-2 and rows.overrides(777) == {"classifier.n_syn": 777}


def test_terms_with_weights_of_their_own_are_searched_each_and_those_that_are_off_not():
    found, _ = fields([], distillation__weight_od=0.0)
    assert found[COMMON_WEIGHT].fields == (WEIGHTS[0], *WEIGHTS[2:])
    found, _ = fields([], distillation__weight_od=0.5, distillation__weight_be=0.0)
    assert [name for name in found if name in WEIGHTS] == [WEIGHTS[0], WEIGHTS[1], WEIGHTS[3]] and COMMON_WEIGHT not in found
    assert found[WEIGHTS[1]].high == 50.0


def test_without_d3_and_without_a_final_classifier_there_is_less_to_search():
    assert list(fields([], f"{DIGITS}:base")[0]) == ["train.learning_rate", "classifier.n_syn"]
    found, _ = fields([], classifier__fit="never")
    assert "classifier.n_syn" not in found
    assert fields([], classifier__zsl="own", classifier__zsl_n_syn=200)[0]["classifier.n_syn"].low == 200


def test_ranges_and_lists_are_read_as_the_fields_own_kind():
    texts = ["train.learning_rate=1e-4..1e-2:log", "train.batch_size=32,64", "networks.noise=8..64", "data.scaling=minmax,unit"]
    found, _ = fields([*texts, "config.distillation.weights=0..1", "data.normalize_semantics=True,False"])
    assert (found["train.learning_rate"].low, found["train.learning_rate"].log) == (1e-4, True)
    assert found["train.batch_size"].choices == (32, 64) and found["data.normalize_semantics"].choices == (True, False)
    assert (found["networks.noise"].low, found["networks.noise"].high, found["networks.noise"].log) == (8, 64, False)
    assert found["networks.noise"].described() == "8 to 64" and found["train.batch_size"].described() == "32, 64"
    assert found["train.learning_rate"].described() == "0.0001 to 0.01, log"


def test_fields_that_mean_nothing_to_a_configuration_are_left_out():
    texts = ["train.learning_rate=1e-4..1e-2", "distillation.weights=1e-5..1e-3:log", "teacher.epochs=5..50", "tfvaegan.weight_semantic=0..1"]
    texts.append("classifier.inputs=method,student")
    found, left_out = fields(texts, f"{DIGITS}:base")
    assert list(found) == ["train.learning_rate"]
    assert left_out == ["distillation.weights", "teacher.epochs", "tfvaegan.weight_semantic", "classifier.inputs"]
    found, left_out = fields(texts)
    assert len(found) == 4 and left_out == ["tfvaegan.weight_semantic"] and found["classifier.inputs"].choices == ("method", "student")
    assert "zerodiff_representation.weight_x0" in fields(["zerodiff_representation.weight_x0=0.5..2"], "flo:zerodiff")[0]
    with pytest.raises(UserError, match=r"--field: none of distillation.weights means anything without D3"):
        fields(texts[1:2], f"{DIGITS}:base")


FORM = "expected NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=VALUE,VALUE"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.learning_rate", f"--field train.learning_rate: {FORM}"),
        ("train.learning_rate=", f"--field train.learning_rate=: {FORM}"),
        ("train.learning_rate=1..", f"--field train.learning_rate=1..: {FORM}"),
        ("train.learning_rate=..1", FORM),
        ("train.learning_rate=1..2..3", FORM),
        ("train.learning_rate=1..2:lin", FORM),
        ("train.learning_rate=1..2:log:log", FORM),
        ("train.learning_rate=1:log", FORM),
        ("train.lerning_rate=1..2", "config.train.lerning_rate: no such field; did you mean config.train.learning_rate"),
        ("train.learning_rate=low..high", "config.train.learning_rate='low': must be a number, more than 0"),
        ("train.learning_rate=1e-2..1e-4", "the range is empty; the lower end comes first"),
        ("train.learning_rate=1e-3..1e-3", "the range is empty"),
        ("distillation.weight_kl=0..1:log", "a range by its logarithm begins above 0"),
        ("train.learning_rate=0..1", "config.train.learning_rate=0: must be more than 0"),
        ("train.batch_size=1.5..200", "config.train.batch_size='1.5': must be a whole number, at least 0"),
        ("train.batch_size=128", "there is nothing to choose from; give LOW..HIGH, several values, or --set it"),
        ("train.batch_size=128,256", "does not have the configuration's own 64, which is trial 0; add it, or --set train.batch_size"),
        ("train.learning_rate=1e-2..1e-1", "does not have the configuration's own 0.001"),
        ("distillation.variant=a..b", "config.distillation.variant is no number; list its values"),
        ("distillation.variant=released,paper", "config.distillation.variant=paper: expected one of released, described"),
        ("train.epochs=5..50", "--field train.epochs=5..50: is chosen on the folds of every trial already; leave it out"),
        ("classifier.epochs=5,25", "is chosen on the folds of every trial already"),
        ("seed=0,1", "every run is made with seeds 0, 1, ..., as many as --seeds says"),
        ("eval.folds=1,2", "is not to be searched: trials that differ in it are on other data or by another measure"),
        ("data.stress.imbalance=1..10", "is not to be searched"),
        ("train.steps_per_call=8,16", "is not to be searched"),
    ],
)  # fmt: skip
def test_what_is_no_field_or_no_range_is_refused(text, message):
    with pytest.raises(UserError) as refused:
        fields([text])
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_one_field_is_searched_once_and_one_weight_for_all_needs_one():
    with pytest.raises(UserError, match=r"config.distillation.weight_kl is set by distillation.weights already; leave one out"):
        fields(["distillation.weights=1e-5..1e-3", "distillation.weight_kl=1e-5..1e-3"])
    with pytest.raises(UserError, match=r"has several weights; search each, as in distillation.weight_cls=..."):
        fields(["distillation.weights=1e-5..1e-3"], distillation__weight_od=0.5)


@pytest.mark.parametrize("spec", ["digits", "digits:base", "flo_small:wgan", "cub_small:cegzsl", "own", "sun:tfvaegan", "cub:cadavae", "flo:zerodiff"])
def test_shipped_configurations_have_default_fields_that_make_sense(spec):
    config = configured(spec, {})
    for one in searched([], config)[0]:
        for value in one.ends():
            trial = config.copy_and_resolve_references()
            trial.update_from_flattened_dict(one.overrides(value))
            check.check(trial)
