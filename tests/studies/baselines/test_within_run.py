"""Baselines beside a run: what is stored scores as the family does, and zero-shot CLIP is the cosine of raw features and texts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import own
from d3gzsl_jax.baselines import fit, zero_shot_clip
from d3gzsl_jax.baselines.eszsl import ESZSL
from d3gzsl_jax.baselines.fit import fits
from d3gzsl_jax.baselines.semantic_regressor import SemanticRegressor
from d3gzsl_jax.data.folds import folds
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.evaluation.class_scores import FittedBaseline
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.opening import OpenRun, Start
from d3gzsl_jax.runs.validation_plan import FILE
from d3gzsl_jax.studies import validation
from d3gzsl_jax.studies.baselines import within_run

ENCODERS = {
    "image": {"kind": "clip", "name": "B/32"}, "text": {"kind": "clip", "name": "B/32"}, "semantics": "descriptions",
}  # fmt: skip
CANDIDATES = {
    "eszsl": (ESZSL(), {"feature_ridge": 1.0, "semantic_ridge": 0.1}),
    "regressor": (
        SemanticRegressor(hidden=0, epochs=(2,)), {"learning_rate": 2e-3, "scale": 5.0, "centered": True, "epochs": 2},
    ),
    "clip": (zero_shot_clip.ZeroShotClip(), {}),
}  # fmt: skip


@pytest.fixture(scope="module")
def clip_like(data):
    """The digits with semantics as wide as their features."""
    semantics = np.random.default_rng(0).standard_normal((data.class_count, data.feature_size)).astype(np.float32)
    return dataclasses.replace(data, semantics=semantics, provenance=dict(data.provenance) | {"encoders": ENCODERS})


@pytest.mark.parametrize("name", CANDIDATES)
def test_what_is_stored_scores_as_the_family_does(clip_like, name):
    family, candidate = CANDIDATES[name]
    arrays = scale_splits(clip_like)
    (params,) = fits(family, clip_like, arrays, [candidate], 0)
    rows = jnp.asarray(arrays.test_unseen_features[:20])
    scores, stored = family.scores(params)
    np.testing.assert_allclose(scores.logits(stored, rows), family.logits(params, rows), rtol=1e-4, atol=1e-4)


def test_gamma_is_taken_off_seen_classes_alone(clip_like):
    family, candidate = CANDIDATES["eszsl"]
    arrays = scale_splits(clip_like)
    (params,) = fits(family, clip_like, arrays, [candidate], 0)
    of = FittedBaseline(*family.scores(params), gamma=0.5, validation={})
    rows = jnp.asarray(arrays.test_unseen_features[:5])
    lowered = of.scores.logits(of.params, rows) - of.scores.logits(of.calibrated(clip_like.seen_classes), rows)
    expected = np.isin(np.arange(clip_like.class_count), clip_like.seen_classes) * 0.5
    np.testing.assert_allclose(lowered, np.tile(expected, (5, 1)), atol=1e-5)


def test_a_temperature_changes_probabilities_and_no_answer(data):
    chosen = within_run.chosen_on_folds("eszsl", folds(data, 2, 0, 0.3, 0.2), 0, "minmax", calibrates=True)
    assert chosen["temperature"] < 0.5  # ridge regression to -1 and 1: flat as they are
    of = fit.fitted("eszsl", chosen, data, 0, "minmax")
    assert of.temperature == chosen["temperature"] and of.validation == chosen
    rows = jnp.asarray(scale_splits(data).test_seen_features)
    plain, divided = (of.scores.logits(params, rows) for params in (of.calibrated(data.seen_classes), of.predicting(data.seen_classes)))
    np.testing.assert_allclose(divided, plain / of.temperature, rtol=1e-4, atol=1e-4)
    sure = [float(jax.nn.softmax(scores).max(axis=1).mean()) for scores in (plain, divided)]
    assert sure[0] < 0.4 < sure[1]


def test_where_folds_hold_no_row_of_a_seen_class_a_baseline_is_chosen_by_t1(data, monkeypatch):
    """As a run with config.eval.criterion=zsl is; H is known of no candidate there, and the first would be taken unseen."""
    monkeypatch.setitem(fit.FAMILIES, "eszsl", ESZSL(exponents=(-3, 3, 0)))
    benchmarks = [dataclasses.replace(of, test_seen=of.test_seen[:0]) for of in folds(data, 2, 0, 0.3, 0.2)]
    chosen = within_run.chosen_on_folds("eszsl", benchmarks, 0, "minmax")
    tried = within_run.choose(fit.FAMILIES["eszsl"], benchmarks, 0, "zsl").candidates
    assert chosen["metrics"]["zsl"] == max(one["metrics"]["zsl"] for one in tried) > tried[0]["metrics"]["zsl"]


def test_zero_shot_clip_is_the_cosine_of_raw_features(clip_like):
    arrays, family = scale_splits(clip_like), zero_shot_clip.ZeroShotClip()
    (params,) = fits(family, clip_like, arrays, [{}], 0)
    raw, texts = clip_like.features[clip_like.test_unseen][:20], clip_like.semantics
    cosine = raw @ texts.T / np.linalg.norm(raw, axis=1)[:, None] / np.linalg.norm(texts, axis=1)[None]
    found = family.logits(params, jnp.asarray(arrays.test_unseen_features[:20]))
    np.testing.assert_allclose(found, 100.0 * cosine, atol=1e-2)


@pytest.mark.parametrize(
    ("encoders", "expected"),
    [
        (ENCODERS, True), (None, False), (ENCODERS | {"semantics": "attributes"}, False), (ENCODERS | {"text": None}, False),
        (ENCODERS | {"text": {"kind": "clip", "name": "L/14"}}, False), (ENCODERS | {"image": {"kind": "timm", "name": "B/32"}}, False),
    ],
)  # fmt: skip
def test_zero_shot_clip_needs_one_encoder_of_both(clip_like, encoders, expected):
    data = dataclasses.replace(clip_like, provenance={"encoders": encoders})
    assert zero_shot_clip.is_possible(data) == expected
    assert fit.possible(["eszsl", "clip"], data) == ["eszsl", "clip"][: 1 + expected]


def test_representations_behind_the_features_are_passed_over(clip_like):
    family, candidate = CANDIDATES["eszsl"]
    arrays = scale_splits(clip_like)
    (params,) = fits(family, clip_like, arrays, [candidate], 0)
    scores, stored = family.scores(params)
    rows = arrays.test_unseen_features[:5]
    wider = np.concatenate([rows, np.ones((5, 3), np.float32)], axis=1)
    np.testing.assert_array_equal(scores.logits(stored, wider), scores.logits(stored, rows))


def test_what_an_earlier_start_chose_is_taken_where_it_was_asked_the_same(tmp_path):
    config, folder = own.get_config(), RunFolder(str(tmp_path), "x")
    one = OpenRun(Start(config), Display(quiet=True), folder, None, None)
    assert validation._chosen_before(one, "a digest") == {}
    chosen = {"hyperparameters": {"feature_ridge": 1.0}, "gamma": 0.5, "metrics": {"unseen": 0.5, "calibrated": float("nan")}}
    choice = {"epoch": 1, "classifier_epochs": 0, "gamma": 0.0, "metrics": {}}
    content = {"prediction": "student", "choices": {"student": choice}, "asked": config.to_dict(), "data": "a digest", "baselines": {"eszsl": chosen}}
    folder.write(FILE, content)
    (found,) = validation._chosen_before(one, "a digest").values()
    assert found["gamma"] == 0.5 and found["metrics"]["unseen"] == 0.5 and np.isnan(found["metrics"]["calibrated"])
    assert validation._chosen_before(one, "another digest") == {}
    folder.write(FILE, {key: value for key, value in content.items() if key != "data"})  # as an earlier version wrote it
    assert validation._chosen_before(one, "a digest") == {}
    folder.write(FILE, content)
    config.eval.fold_seed = 1
    assert validation._chosen_before(one, "a digest") == {}
