"""Advice follows from figures: each sentence on figures that ask for it, and silence on those that do not."""

import math

import pytest

from d3gzsl_jax.evaluation import advice

OWN = {"harmonic": 0.33, "calibrated": 0.6}


def test_a_baseline_that_is_ahead_is_named_with_the_command():
    (told,) = advice.of_baselines(OWN, {"eszsl": {"calibrated": 0.5}, "regressor": {"calibrated": 0.75}})
    assert told == (
        "The linear regressor is ahead of the generator here by 42.0 points of H on the folds (75.0 against 33.0, 60.0 with "
        "calibration): use it, d3gzsl predict --predictor=regressor."
    )
    (told,) = advice.of_baselines({"harmonic": 0.6, "calibrated": 0.6}, {"eszsl": {"calibrated": 0.75}})
    assert "(75.0 against 60.0): use it" in told


def test_a_baseline_that_the_model_uses_is_told_with_the_way_back():
    (told,) = advice.of_baselines(OWN, {"regressor": {"calibrated": 0.75}}, is_used=True, own_name="student")
    assert told.endswith("calibration): the model predicts by it; by the generator with d3gzsl predict --predictor=student.")


@pytest.mark.parametrize(
    ("own", "baselines", "expected"),
    [
        (0.6, {"eszsl": 0.7, "regressor": 0.75}, "regressor"), (0.6, {"eszsl": 0.605}, ""), (0.6, {}, ""), (0.6, {"eszsl": math.nan}, ""),
        (math.nan, {"eszsl": 0.7}, ""),
    ],
)  # fmt: skip
def test_the_best_baseline_is_one_that_is_clearly_ahead(own, baselines, expected):
    assert advice.best_baseline({"harmonic": own}, {name: {"calibrated": value} for name, value in baselines.items()}) == expected


def test_a_generator_that_is_ahead_is_told_so():
    (told,) = advice.of_baselines({"harmonic": 0.8, "calibrated": 0.8}, {"clip": {"calibrated": 0.805}})
    assert told == "On the folds no baseline is ahead of the generator: H 80.0, zero-shot CLIP 80.5."


@pytest.mark.parametrize(
    ("metrics", "baselines"),
    [(OWN, {}), (OWN, {"eszsl": {"calibrated": math.nan}}), ({"harmonic": math.nan}, {"eszsl": {"calibrated": 0.5}})],
)
def test_of_what_is_not_known_nothing_is_said(metrics, baselines):
    assert advice.of_baselines(metrics, baselines) == []


@pytest.mark.parametrize(
    ("curve", "chosen", "expected"),
    [
        ([(10, 0.2), (20, 0.3), (30, 0.4)], 30, "H on the folds was still rising at the end, epoch 30 (30.0 to 40.0): train longer, TWICE."),
        ([(10, 0.2), (20, 0.99), (30, 0.81)], 20, "Training got worse after epoch 20: H on the folds fell from 99.0 to 81.0 at epoch 30."),
        ([(10, 0.2), (20, 0.4), (30, 0.39)], 20, None),
        ([(10, 0.2), (20, 0.4), (30, 0.402)], 30, None),
        ([(10, 0.2)], 10, None),
        ([(10, math.nan), (20, 0.2)], 20, None),
    ],
)
def test_the_curve_of_the_folds_says_whether_training_was_too_short_or_too_long(curve, chosen, expected):
    told = advice.of_training(curve, chosen, "TWICE")
    assert not told if expected is None else told[0].startswith(expected)


def test_options_for_a_longer_training():
    assert advice.longer_training({"epochs": 20}) == "--config.train.epochs=40"
    assert advice.longer_training({"epochs": 20, "outer_steps": 600}) == "--config.train.outer_steps=1200 --config.train.epochs=40"


@pytest.mark.parametrize(
    ("nearest", "classes", "said"), [(0.25, 4, True), (0.3, 4, True), (0.5, 4, False), (0.5, 1, False), (None, 4, False), (math.nan, 4, False)]
)
def test_a_generator_near_chance_has_hardly_learned(nearest, classes, said):
    told = advice.of_generator(nearest, classes, 40, "unseen classes")
    assert bool(told) == said
    assert not said or ("hardly learned" in told[0] and "by chance 25.0 % (measured on 40 real rows)" in told[0])


@pytest.mark.parametrize(("rows", "is_enough"), [(0, False), (1, False), (10, False), (20, False), (100, True), (1000, True)])
def test_few_rows_do_not_tell_whether_a_generator_has_learned(rows, is_enough):
    """Half of the rows, between two classes: Wilson's interval of 10 of 20 reaches 70 %, that of 50 of 100 60 %."""
    (told,) = advice.of_generator(0.5, 2, rows, "unseen classes")
    assert ("hardly learned" in told) == is_enough and ("too few rows to tell" in told) == (not is_enough)
    assert f"{rows} real rows" in told and "50.0 %" in told


def test_what_the_model_predicts_by_is_told_on_the_test_rows():
    of = lambda u, s: {"unseen": u, "seen": s, "harmonic": 2 * u * s / (u + s)}  # noqa: E731
    baselines = {"class_norm": {"calibrated": of(0.567, 0.042), "metrics": of(0.3, 0.3)}, "eszsl": {"calibrated": of(0.6, 0.6), "metrics": of(0.1, 0.1)}}
    told = advice.of_test_rows({"harmonic": 0.7}, baselines, "class_norm")
    assert told == [
        "On the test rows class normalization, by which the model predicts, has U 56.7, S 4.2, H 7.8.",
        "On the test rows the model is 52.2 points of H below ESZSL (7.8 against 60.0, at the gamma of the folds).",
    ]


@pytest.mark.parametrize(("held_out", "said"), [(1, "a single class"), (2, "2 classes"), (3, "")])
def test_folds_of_few_classes_are_told(held_out, said):
    told = advice.of_few_classes(held_out)
    assert bool(told) == bool(said) and all(said in one for one in told)


@pytest.mark.parametrize(("zsl", "classes", "said"), [(0.606, 2, True), (0.7, 2, False), (0.1, 10, True), (0.5, 10, False), (math.nan, 4, False)])
def test_unseen_classes_near_chance_are_no_answers_to_rely_on(zsl, classes, said):
    told = advice.of_unseen(zsl, classes)
    assert bool(told) == said
    assert not said or f"T1 on the folds is {100 * zsl:.1f}, by chance {100 / classes:.1f}." in told[0]


def test_test_rows_are_told_where_a_baseline_is_ahead_there():
    baselines = {"eszsl": {"calibrated": {"harmonic": 0.9}}, "clip": {"calibrated": None}}
    (told,) = advice.of_test_rows({"harmonic": 0.7}, baselines)
    assert told == "On the test rows the run is 20.0 points of H below ESZSL (70.0 against 90.0, at the gamma of the folds)."
    assert advice.of_test_rows({"harmonic": 0.895}, baselines) == [] and advice.of_test_rows({}, baselines) == []
