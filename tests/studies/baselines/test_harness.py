import dataclasses
import json

import numpy as np
import pytest

from d3gzsl_jax.baselines.eszsl import ESZSL, Bilinear
from d3gzsl_jax.baselines.semantic_regressor import SemanticRegressor
from d3gzsl_jax.data import folds
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.evaluation.metrics import harmonic_mean, mean_over_classes, per_class_accuracy
from d3gzsl_jax.studies.baselines import harness

QUICK = {
    "eszsl": ESZSL(exponents=(-1, 0, 1)),
    "class_norm": SemanticRegressor(hidden=16, epochs=(2, 4), learning_rates=(1e-2,), scales=(5.0,), centered=(True,)),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(harness, "BASELINES", QUICK)


@pytest.fixture(scope="module")
def digits():
    return read_digits()


def scores(data, hyperparameters):
    """ESZSL's scores of test-unseen and test-seen rows, and the data they are of."""
    arrays = scale_splits(data)
    labels = np.searchsorted(data.seen_classes, arrays.train_labels)
    v = Bilinear.of(arrays.train_features, labels, data.semantics[data.seen_classes]).solve(**hyperparameters)
    return data, arrays, [x @ v @ data.semantics.T for x in (arrays.test_unseen_features, arrays.test_seen_features)]


def predictions(scored, gamma):
    """By brute force, U and S with gamma taken off the seen scores."""
    data, arrays, found = scored
    off = gamma * np.isin(np.arange(data.class_count), data.seen_classes)
    unseen = per_class_accuracy((found[0] - off).argmax(axis=1), arrays.test_unseen_labels, data.unseen_classes)
    seen = per_class_accuracy((found[1] - off).argmax(axis=1), arrays.test_seen_labels, data.seen_classes)
    return mean_over_classes(unseen), mean_over_classes(seen)


def test_figures_are_those_of_a_brute_force_evaluation(digits):
    results = harness.run_baseline("eszsl", digits)
    entry = results["predictions"]["eszsl"]
    scored, at = scores(digits, entry["validation"]["hyperparameters"]), entry["calibrated"]
    assert (entry["metrics"]["unseen"], entry["metrics"]["seen"]) == pytest.approx(predictions(scored, 0.0), abs=2e-3)
    assert (at["unseen"], at["seen"]) == pytest.approx(predictions(scored, at["gamma"]), abs=2e-3)
    for figures in (entry["metrics"], at):
        assert figures["harmonic"] == pytest.approx(harmonic_mean(figures["unseen"], figures["seen"]))
    assert entry["metrics"]["seen"] > 0.5 and entry["metrics"]["zsl"] > 1 / 3


def test_where_runs_predict_at_gamma_a_baseline_does_too(digits):
    """config.eval.calibration=folds: its U, S and H are those that stand beside it without, and the other way round."""
    plain, calibrated = (
        harness.run_baseline("eszsl", digits, folds=2, classes=0.3, config={"eval": {"calibration": kind}}) for kind in ("none", "folds")
    )
    before, after = (of["predictions"]["eszsl"] for of in (plain, calibrated))
    assert after["validation"]["hyperparameters"] == before["validation"]["hyperparameters"] and after["calibrated"]["gamma"] != 0.0
    scored = scores(digits, after["validation"]["hyperparameters"])
    assert (after["metrics"]["unseen"], after["metrics"]["seen"]) == pytest.approx(predictions(scored, after["calibrated"]["gamma"]), abs=2e-3)
    for key in ("unseen", "seen", "harmonic"):
        assert after["metrics"][key] == after["calibrated"][key] == pytest.approx(before["calibrated"][key], abs=2e-3)
        assert after["uncalibrated"][key] == pytest.approx(before["metrics"][key], abs=2e-3) and "uncalibrated" not in before
    for key in ("zsl", "ausuc"):
        assert after["metrics"][key] == pytest.approx(before["metrics"][key], abs=2e-3)
    assert after["validation"]["metrics"]["harmonic"] == after["validation"]["metrics"]["calibrated"]
    assert calibrated["metrics"] == after["metrics"] and calibrated["config"]["eval"]["calibration"] == "folds"
    folds_only = harness.run_baseline("eszsl", digits, retrain=False, config={"eval": {"calibration": "folds"}})["metrics"]
    assert folds_only["harmonic"] == folds_only["calibrated"]


def test_features_are_scaled_as_the_configuration_says(digits):
    results = harness.run_baseline("eszsl", digits, config={"data": {"scaling": "standard"}})
    entry = results["predictions"]["eszsl"]
    (found,) = harness.evaluate(
        harness.BASELINES["eszsl"], digits, [entry["validation"]["hyperparameters"]], 0, scaling="standard"
    )
    assert entry["metrics"] == found.metrics and results["config"]["data"]["scaling"] == "standard"


def test_the_choice_has_the_highest_mean_h_at_one_gamma_for_all_folds(digits):
    benchmarks = folds.folds(digits, 2, 0, 0.3, 0.2)
    chosen = harness.choose(QUICK["eszsl"], benchmarks, 0, "calibrated")
    scored = [scores(of, chosen.hyperparameters) for of in benchmarks]
    found = np.mean([harmonic_mean(*predictions(of, chosen.gamma)) for of in scored])
    assert found == pytest.approx(chosen.metrics["calibrated"], abs=2e-3)
    for candidate in QUICK["eszsl"].candidates:
        scored = [scores(of, candidate) for of in benchmarks]
        for gamma in np.linspace(-0.5, 1.0, 31):
            other = np.mean([harmonic_mean(*predictions(of, gamma)) for of in scored])
            assert other <= chosen.metrics["calibrated"] + 2e-3
    by_ausuc = harness.choose(QUICK["eszsl"], benchmarks, 0, "ausuc")
    assert by_ausuc.metrics["ausuc"] == max(one["metrics"]["ausuc"] for one in chosen.candidates)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_test_rows_change_nothing_but_test_figures(digits, name):
    rng = np.random.default_rng(0)
    features = digits.features.copy()
    test = np.concatenate([digits.test_seen, digits.test_unseen])
    features[test] = rng.uniform(0, features.max(), (len(test), features.shape[1]))
    unseen = digits.semantics.copy()
    unseen[digits.unseen_classes] = rng.uniform(size=unseen[digits.unseen_classes].shape)
    runs = [
        harness.run_baseline(name, of)
        for of in (digits, dataclasses.replace(digits, features=features), dataclasses.replace(digits, semantics=unseen))
    ]
    entries = [of["predictions"][name] for of in runs]
    for run, entry in zip(runs[1:], entries[1:], strict=True):
        assert entry["validation"] == entries[0]["validation"]
        assert run["details"] == runs[0]["details"]
        assert entry["calibrated"]["gamma"] == entries[0]["calibrated"]["gamma"]
        assert entry["metrics"] != entries[0]["metrics"]
    assert harness.run_baseline(name, digits)["predictions"] == runs[0]["predictions"]


@pytest.mark.slow
def test_results_have_the_form_of_a_run(digits, tmp_path):
    given = {"data": {"source": "digits"}, "eval": {"batch_size": 4096, "folds": 7}, "train": {"epochs": 1}}
    results = harness.run_baseline(
        "class_norm", digits, seed=4, folds=2, classes=0.3, rows=0.1, fold_seed=5, config=given, folder=tmp_path / "run"
    )
    written = json.loads((tmp_path / "run" / "results.json").read_text())
    assert written["predictions"].keys() == {"class_norm"} == {written["framework"]} == {written["prediction"]}
    assert written["seed"] == 4 and written["selection"] == "validation" and written["distillation"] is False
    assert written["metrics"] == pytest.approx(results["predictions"]["class_norm"]["metrics"])
    assert written["metrics"].keys() == {"unseen", "seen", "harmonic", "zsl", "ausuc"}
    assert written["digests"].keys() == {"features", "semantics", "split"}
    assert written["config"]["data"] == given["data"] and "train" not in written["config"]
    assert written["config"]["eval"] == {
        "batch_size": 4096, "folds": 2, "fold_classes": 0.3, "fold_rows": 0.1, "fold_seed": 5, "selection": "validation",
        "criterion": "calibrated", "retrain": True,
    }  # fmt: skip
    entry = written["predictions"]["class_norm"]
    assert entry["epochs"] is None and entry["validation"]["metrics"]["calibrated"] > 0
    assert len(entry["per_class"]) == 10 and written["details"]["candidates"][0]["hyperparameters"]["epochs"] == 2


def test_without_retraining_the_figures_are_those_of_the_folds(digits, monkeypatch):
    looked_at, evaluate = [], harness.evaluate
    monkeypatch.setattr(harness, "evaluate", lambda one, data, *given, **named: looked_at.append(data.name) or evaluate(one, data, *given, **named))
    results = harness.run_baseline("eszsl", digits, folds=2, classes=0.3, retrain=False)
    assert looked_at == ["digits, fold 0", "digits, fold 1"]
    chosen = harness.choose(QUICK["eszsl"], folds.folds(digits, 2, 0, 0.3, 0.2), 0, "calibrated")
    entry = results["predictions"]["eszsl"]
    assert entry["metrics"] == results["metrics"] == entry["validation"]["metrics"] == chosen.metrics
    assert entry["selection"] == results["selection"] == "folds only" and entry["metrics"]["calibrated"] > 0
    assert entry["test_selected"] is None and "per_class" not in entry and results["config"]["eval"]["retrain"] is False


def test_what_is_refused(digits, monkeypatch):
    with pytest.raises(UserError, match="'none', expected one of eszsl, class_norm"):
        harness.run_baseline("none", digits)
    with pytest.raises(UserError, match=r"config.eval.criterion=best: expected one of harmonic"):
        harness.run_baseline("eszsl", digits, criterion="best")
    with pytest.raises(UserError, match="at least 2 must stay"):
        harness.run_baseline("eszsl", digits, classes=0.9)
    single = dataclasses.replace(digits, trainval=np.array([digits.trainval[digits.labels[digits.trainval] == c][0] for c in digits.seen_classes]))
    with pytest.raises(UserError, match=r"baselines are chosen by H on folds: too few trainval rows .*give a larger config.eval.fold_rows"):
        harness.run_baseline("eszsl", single)
    (fold,) = folds.folds(single, 1, 0, 0.3, 0.2)
    with pytest.raises(UserError, match=r"what baselines are chosen by \(calibrated\) is known of none there; hold out more rows"):
        harness.choose(QUICK["eszsl"], [fold], 0, "calibrated")
    wild = dataclasses.replace(QUICK["class_norm"], learning_rates=(float("nan"),))
    monkeypatch.setattr(harness, "BASELINES", {"wild": wild})
    with pytest.raises(DivergenceError, match=r"digits, fold 0 broke down with \{'learning_rate': nan"):
        harness.run_baseline("wild", digits)
