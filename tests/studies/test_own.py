"""configs/own.py end to end on a small set: budget, sizes, baselines beside the run, advice, prediction by a baseline."""

import dataclasses
import json
import re

import numpy as np
import pytest
from rich.console import Console

from configs import own
from d3gzsl_jax.data.semantics import normalize_semantics
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import model_quality, reopen, teacher
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.model import load_model
from d3gzsl_jax.runs.report.write import write_page
from d3gzsl_jax.runs.resume import digest
from d3gzsl_jax.studies.start import train_on
from tools.simulated import small_sets

pytestmark = pytest.mark.slow
SIZES = small_sets.Sizes(classes=6, unseen=2, train=8, test=5, size=16)


@pytest.fixture(scope="module")
def birds():
    return validate(small_sets.simulate(SIZES, 0))


def config(variant="d3", **fields):
    found = own.get_config(variant)
    found.train.outer_steps, found.train.epochs, found.eval.every_epochs, found.teacher.updates = 24, 4, 2, 20
    found.eval.folds, found.classifier.epochs, found.log.report, found.data.pipeline = 2, 2, False, "device"
    found.eval.baselines = "eszsl,regressor,clip"
    found.update_from_flattened_dict({name.replace("__", "."): value for name, value in fields.items()})
    return found


def run(data, folder, variant="d3", **fields):
    return train_on(data, config(variant, **fields), str(folder), Display(Console(quiet=True)))


@pytest.fixture(scope="module")
def finished(birds, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, run(birds, folder)


def test_folds_have_as_many_outer_steps_as_the_budget(finished):
    folder, results = finished
    assert results["steps"] == results["epochs"] * 6 and results["epochs"] in (2, 4)
    for index in range(2):
        fold = json.loads((folder / "validation" / f"fold-{index}" / "results.json").read_text())
        assert (fold["steps"], fold["epochs"]) == (24, 4) and 0.0 <= fold["details"]["generator"]["nearest_real_class"] <= 1.0


def test_folds_fit_their_teacher_for_as_many_updates(birds, monkeypatch, tmp_path):
    told, plain = [], teacher.pretrain

    def pretrain(*arguments):
        told.append(arguments[5] * (len(arguments[3]) // arguments[6]))
        return plain(*arguments)

    monkeypatch.setattr(teacher, "pretrain", pretrain)
    run(birds, tmp_path / "run", eval__folds=1, eval__baselines="", teacher__batch_size=10)
    assert told == [20, 21]  # 20, in whole epochs


def test_sizes_are_recorded_as_they_were_chosen(finished):
    recorded = json.loads((finished[0] / "config.json").read_text())
    assert recorded["networks"]["generator_hidden"] == recorded["networks"]["embedding"] == 64
    fewest = min(json.loads((finished[0] / "validation" / f"fold-{i}" / "config.json").read_text())["train"]["batch_size"] for i in (0, 1))
    assert recorded["train"]["batch_size"] == fewest <= 24


def test_baselines_are_a_table_of_their_own(finished):
    _, results = finished
    assert set(results["baselines"]) == {"eszsl", "regressor"}  # nothing says that a CLIP made these features
    assert set(results["predictions"]) == {"student", "classifier"}
    for found in results["baselines"].values():
        assert set(found["metrics"]) == {"unseen", "seen", "harmonic", "zsl", "ausuc"} and found["selection"] == "validation"
        assert found["calibrated"]["gamma"] == found["validation"]["gamma"]
        assert found["calibrated"]["harmonic"] == found["metrics"]["harmonic"] and "harmonic" in found["uncalibrated"]
        assert found["validation"]["metrics"]["calibrated"] == found["validation"]["metrics"]["harmonic"]


def test_a_model_predicts_by_its_baselines_with_gamma(birds, finished, tmp_path):
    folder, results = finished
    model = load_model(folder)
    assert model.predictors == ("student", "classifier", "eszsl", "regressor")
    rows, labels = birds.features[birds.test_unseen], birds.labels[birds.test_unseen]
    for name, found in results["baselines"].items():
        predicted = model.predict(rows, predictor=name).classes[:, 0]
        by_class = [np.mean(predicted[labels == label] == label) for label in birds.unseen_classes]
        assert np.mean(by_class) == pytest.approx(found["calibrated"]["unseen"])
    ahead = results["baselines"]["regressor"]["validation"]["metrics"]["harmonic"]
    assert model.prediction == "regressor" and ahead > results["validation"]["metrics"]["harmonic"] + 0.01
    assert any("the model predicts by it" in told for told in results["advice"]) and results["model_predicts"] == "regressor"
    folds = [json.loads((folder / "validation" / f"fold-{index}" / "results.json").read_text())["seconds"] for index in range(2)]
    assert results["fold_seconds"] == pytest.approx(sum(folds), abs=0.01)
    of_folds = results["baselines"]["regressor"]["validation"]["metrics"]
    told = model_quality.sentences(model)
    assert told[0].startswith("Predicted by the linear regressor, calibrated on folds; on seen classes that were held out as if they were unseen")
    assert f"U {100 * of_folds['unseen']:.1f}, S {100 * of_folds['seen']:.1f}, H {100 * of_folds['harmonic']:.1f}, T1 " in told[0]
    assert told[1:] == list(model.advice) and set(model.advice) <= set(results["advice"])
    assert model_quality.what_predicts(model, "student") == "predicted by the student, calibrated on folds"
    np.testing.assert_array_equal(model.predict(rows).classes, model.predict(rows, predictor="regressor").classes)
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert (again.folds, again.advice) == (model.folds, model.advice)
    np.testing.assert_array_equal(again.predict(rows, predictor="eszsl").classes, model.predict(rows, predictor="eszsl").classes)
    with pytest.raises(UserError, match="predictor 'class_norm': this model has student and classifier and eszsl"):
        model.check_predictor("class_norm")


def test_baselines_know_a_new_class_by_its_semantics(birds, finished, tmp_path):
    model = load_model(finished[0])
    semantics = np.stack([birds.semantics[0] + 0.5, birds.semantics[1] - 0.5])
    grown = model.add_classes(semantics, ("new", "newer"), birds)
    assert grown.predictors == ("classifier", "eszsl", "regressor") and grown.prediction == model.prediction == "regressor"
    assert dataclasses.replace(model, prediction="student").add_classes(semantics, ("new", "newer"), birds).prediction == "classifier"
    grown.save(tmp_path / "grown")
    grown = load_model(tmp_path / "grown")
    known = len(model.class_names)
    for name, of in model.baselines.items():
        now = grown.baselines[name]
        assert (now.gamma, now.validation) == (of.gamma, of.validation)
        np.testing.assert_allclose(now.params["weights"][:known], of.params["weights"], rtol=1e-3, atol=1e-4)
        assert np.abs(now.params["weights"][known:]).max() > 0
    # What is added two times is as what is added at once.
    one, other = (("new",), semantics[:1]), (("newer",), semantics[1:])
    twice = model
    for names, vectors in (one, other):
        twice = twice.add_classes(vectors, names, birds)
    np.testing.assert_allclose(twice.baselines["eszsl"].params["weights"], grown.baselines["eszsl"].params["weights"], rtol=1e-4)
    rows = birds.features[birds.test_unseen]
    assert twice.predict(rows, predictor="eszsl").classes.max() < known + 2
    by_baseline = dataclasses.replace(model, prediction="eszsl").add_classes(*one[::-1], birds)
    assert by_baseline.prediction == "eszsl"


def test_a_run_predicts_at_the_gamma_of_its_folds(birds, finished, tmp_path):
    folder, results = finished
    model = load_model(folder)
    model.save(tmp_path / "model")
    for name, found in results["predictions"].items():
        assert found["calibrated"]["gamma"] == found["validation"]["gamma"] == model.gammas[name]
        assert {key: found["calibrated"][key] for key in ("unseen", "seen", "harmonic")}.items() <= found["metrics"].items()
        assert set(found["uncalibrated"]) == {"unseen", "seen", "harmonic"}
        for split, classes in ((birds.test_unseen, birds.unseen_classes), (birds.test_seen, birds.seen_classes)):
            labels = birds.labels[split]
            for one in (model, load_model(tmp_path / "model")):
                right = one.predict(birds.features[split], predictor=name).classes[:, 0] == labels
                accuracy = np.mean([right[labels == label].mean() for label in classes])
                assert accuracy == pytest.approx(found["metrics"]["unseen" if classes is birds.unseen_classes else "seen"])
    chosen = json.loads((folder / "validation.json").read_text())["choices"][results["prediction"]]["metrics"]
    assert chosen["harmonic"] == chosen["calibrated"]
    assert "this run, without calibration" in write_page(folder).read_text()


def test_a_checkpoint_predicts_by_the_baselines_of_its_run(birds, finished, monkeypatch):
    folder, rows = finished[0], birds.features[birds.test_unseen]
    monkeypatch.setattr(reopen, "load", lambda dataset, config: birds)
    of_run = load_model(folder)
    for name in ("eszsl", "regressor"):
        model = reopen.model_at(folder, "last", Display(quiet=True), classifier=False, baseline=name)
        assert name in model.predictors
        np.testing.assert_array_equal(model.predict(rows, predictor=name).classes, of_run.predict(rows, predictor=name).classes)
    model = reopen.model_at(folder, "last", Display(quiet=True), classifier=False, baseline="class_norm")
    with pytest.raises(UserError, match="predictor 'class_norm': this model has student; class_norm is there where the run is trained with --"):
        model.check_predictor("class_norm")


def test_advice_is_in_results_and_on_the_page(finished):
    folder, results = finished
    assert "of H on the folds" in results["advice"][0] or "no baseline is ahead" in results["advice"][0]
    page = write_page(folder).read_text()
    assert "the linear regressor, by which the model predicts, percent; below is the run itself" in page
    boxed = re.search(r'class="number main"><b>([0-9.]+)</b><span>H<', page)[1]
    assert boxed == f"{100 * results['baselines']['regressor']['metrics']['harmonic']:.1f}"
    assert results["advice"][0].split("(")[0] in page and "ESZSL, calibrated" in page and "fitted beside the run" in page


def test_a_finished_run_is_left_as_it_is_and_goes_on_with_a_larger_budget(birds, finished, tmp_path):
    folder, results = finished
    before = (folder / "results.json").read_bytes()
    assert run(birds, folder)["metrics"] == results["metrics"] and (folder / "results.json").read_bytes() == before
    with pytest.raises(UserError, match=r"train.outer_steps=24 in 4 epochs, now it is 48 in 4; .*raise both in the same ratio"):
        run(birds, folder, train__outer_steps=48)


def test_a_class_is_added_with_the_data_as_it_was_before_its_semantics_had_length_1(birds, finished):
    model = load_model(finished[0])
    normalized = dataclasses.replace(model, config=model.config.copy_and_resolve_references())
    normalized.config.data.normalize_semantics = True
    unit = dataclasses.replace(birds, semantics=normalize_semantics(birds))
    normalized = dataclasses.replace(normalized, semantics=unit.semantics, data_digest=digest(unit))
    new = birds.semantics[:1] + 0.5
    for data in (birds, unit):
        assert normalized.add_classes(new, ("new",), data).class_names[-1] == "new"
    with pytest.raises(UserError, match="not the data this model was trained on"):
        normalized.add_classes(new, ("new",), dataclasses.replace(birds, features=birds.features + 1))


def test_folds_alone_have_baselines_too(birds, tmp_path):
    results = run(birds, tmp_path / "folds", eval__retrain=False, eval__folds=1, eval__baselines="eszsl", classifier__fit="never")
    (found,) = results["baselines"].values()
    assert results["selection"] == found["selection"] == "folds only" and 0.0 <= found["metrics"]["calibrated"] <= 1.0
    assert results["advice"]
    write_page(tmp_path / "folds")


def test_the_smallest_number_of_seen_classes(birds, tmp_path):
    three = validate(small_sets.simulate(small_sets.Sizes(classes=5, unseen=2, train=6, test=4, size=12), 1))
    assert run(three, tmp_path / "three", eval__folds=1, eval__baselines="eszsl")["epochs"] in (2, 4)
    two = validate(small_sets.simulate(small_sets.Sizes(classes=4, unseen=2, train=6, test=4, size=12), 1))
    with pytest.raises(UserError, match="holds out 1 of the 2 seen classes"):
        run(two, tmp_path / "two", eval__folds=1)


@pytest.mark.parametrize("variant", ["fvaegan", "cadavae,base"])
def test_other_frameworks_train_by_the_same_budget(birds, tmp_path, variant):
    results = run(birds, tmp_path / "run", variant, eval__folds=1, eval__baselines="", cadavae__kl_end=3, cadavae__cross_start=0,
                  cadavae__cross_end=2, cadavae__distance_start=0, cadavae__distance_end=2, classifier__n_syn=10)
    assert results["steps"] == 6 * results["epochs"] and results["framework"] == variant.partition(",")[0]
    assert "baselines" not in results
