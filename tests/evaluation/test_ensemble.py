"""Student and final classifier as one predictor: its formula, and a run that has it, from folds to predictions."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from scipy.special import log_softmax

from configs import digits
from d3gzsl_jax.config import check
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.ensemble import Ensemble
from d3gzsl_jax.evaluation.selection import Trial
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.model import load_model
from d3gzsl_jax.studies.start import train_on
from d3gzsl_jax.studies.validation import make_plan


def configured(**fields):
    found = digits.get_config()
    found.train.epochs, found.teacher.epochs, found.eval.every_epochs, found.classifier.epochs = 4, 2, 2, 5
    found.log.report, found.data.pipeline, found.eval.ensemble = False, "device", True
    found.update_from_flattened_dict({name.replace("__", "."): value for name, value in fields.items()})
    return found


def test_it_is_the_mean_of_log_probabilities(rng):
    student, final = (rng.standard_normal((6, 4)).astype(np.float32) for _ in range(2))
    both = Ensemble(SimpleNamespace(student_logits=lambda *_: student), SimpleNamespace(logits=lambda *_: final))
    expected = (log_softmax(student, axis=1) + log_softmax(final, axis=1)) / 2
    np.testing.assert_allclose(both.logits(None, None, None), expected, rtol=1e-5)
    sure = np.full((1, 4), -50.0, np.float32)
    sure[0, 2] = 50.0
    both = Ensemble(SimpleNamespace(student_logits=lambda *_: 0 * sure), SimpleNamespace(logits=lambda *_: sure))
    assert int(np.argmax(both.logits(None, None, None))) == 2  # one that does not know leaves it to the other


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"eval__prediction": "ensemble", "eval__ensemble": False}, "there is none to predict with"),
        ({"classifier__fit": "never"}, "needs D3's student"),
        ({"distillation__weight_cls": 0.0, "distillation__weight_kl": 0.0, "eval__prediction": "classifier"}, "needs D3's student"),
    ],
)
def test_without_both_there_is_none(fields, told):
    with pytest.raises(UserError, match=told):
        check.check(configured(**fields))


def trial(harmonic):
    curve = {"unseen": np.array([0.5, 0.5]), "seen": np.array([0.5, 0.5]), "gamma": np.array([1.0, 0.0])}
    return Trial({"unseen": 0.5, "seen": 0.5, "harmonic": harmonic, "zsl": 0.5, "ausuc": 0.5}, curve)


def test_there_is_one_final_classifier():
    """The best classifier alone has other epochs than the one in the best ensemble: what predicts decides."""
    fold = {
        "student": {(2, 0): trial(0.1), (4, 0): trial(0.2)},
        "classifier": {(2, 1): trial(0.3), (2, 5): trial(0.4), (4, 1): trial(0.6), (4, 5): trial(0.5)},
        "ensemble": {(2, 1): trial(0.5), (2, 5): trial(0.5), (4, 1): trial(0.6), (4, 5): trial(0.7)},
    }
    for asked, name, epochs in (("auto", "ensemble", 5), ("classifier", "classifier", 1), ("student", "student", 1)):
        found, choices = make_plan([fold], asked, "harmonic")
        assert found == name and list(choices) == ["student", "classifier", "ensemble"]
        assert {of.epoch for of in choices.values()} == {4}
        assert choices["classifier"].classifier_epochs == choices["ensemble"].classifier_epochs == epochs
        assert choices["student"].classifier_epochs == 0


@pytest.mark.slow
@pytest.mark.parametrize("calibration", ["none", "folds"])
def test_a_run_predicts_by_it_from_folds_to_model(data, tmp_path, calibration):
    fields = {"eval__selection": "validation", "eval__prediction": "ensemble", "eval__calibration": calibration}
    results = train_on(data, configured(**fields), str(tmp_path / "run"), Display(Console(quiet=True)))
    assert results["prediction"] == "ensemble" and set(results["predictions"]) == {"student", "classifier", "ensemble"}
    assert results["metrics"] == results["predictions"]["ensemble"]["metrics"] and "ensemble" in results["details"]["ood"]
    chosen = json.loads((tmp_path / "run" / "validation.json").read_text())
    assert chosen["choices"]["ensemble"]["classifier_epochs"] == results["validation"]["classifier_epochs"] > 0
    model = load_model(tmp_path / "run")
    assert model.predictors == ("student", "classifier", "ensemble") and model.prediction == "ensemble"
    rows = np.concatenate([data.test_seen, data.test_unseen])
    found = model.predict(data.features[rows])
    right = np.asarray(found.classes)[:, 0] == data.labels[rows]
    of_class = [right[data.labels[rows] == label].mean() for label in data.unseen_classes]
    assert np.mean(of_class) == pytest.approx(results["metrics"]["unseen"])
    parts = [np.asarray(model.predict(data.features[rows[:5]], 10, name).probabilities) for name in ("student", "classifier")]
    assert not np.allclose(*parts)


@pytest.mark.slow
def test_training_and_the_others_are_as_without_it(data, tmp_path):
    display = Display(Console(quiet=True))
    with_it = train_on(data, configured(), str(tmp_path / "with"), display)
    without = train_on(data, configured(eval__ensemble=False), str(tmp_path / "without"), display)
    assert with_it["metrics"] == without["metrics"]
    assert {name: of for name, of in with_it["predictions"].items() if name != "ensemble"} == without["predictions"]
