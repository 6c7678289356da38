"""Selection on folds, end to end: what is chosen has not seen the test rows, and is what the run is then trained with."""

import dataclasses
import json
import shutil
import signal

import numpy as np
import pytest
from rich.console import Console

from configs import digits
from d3gzsl_jax import api
from d3gzsl_jax.data.folds import folds
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation import advice
from d3gzsl_jax.evaluation.evaluate import Evaluator
from d3gzsl_jax.evaluation.selection import Choice
from d3gzsl_jax.runs import reopen
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.fold_evaluations import classifier_snapshots
from d3gzsl_jax.runs.model import load_model
from d3gzsl_jax.runs.report.write import write_page
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.runs.validation_plan import Plan
from d3gzsl_jax.studies import validation
from d3gzsl_jax.studies.ablation.rows import entries_of
from d3gzsl_jax.studies.start import train_on
from d3gzsl_jax.studies.tables import command as table
from tools.robustness.kills import difference

pytestmark = pytest.mark.slow


def config(**fields):
    found = digits.get_config()
    found.train.epochs, found.teacher.epochs, found.eval.every_epochs, found.classifier.epochs = 4, 2, 2, 5
    found.eval.selection, found.log.report, found.data.pipeline = "validation", False, "device"
    found.train.steps_per_call = 64
    found.update_from_flattened_dict({name.replace("__", "."): value for name, value in fields.items()})
    return found


def run(data, folder, **fields):
    return train_on(data, config(**fields), str(folder), Display(Console(quiet=True)))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, run(data, folder, eval__prediction="auto", eval__folds=2)


def test_what_was_chosen_is_what_was_trained(finished):
    folder, results = finished
    chosen = json.loads((folder / "validation.json").read_text())
    assert results["selection"] == "validation" and results["prediction"] == chosen["prediction"]
    choice = chosen["choices"][results["prediction"]]
    assert results["epochs"] == choice["epoch"] in (2, 4)
    assert results["config"]["train"]["epochs"] == 4  # as asked for
    assert {entry["epoch"] for entry in chosen["curves"]} == {2, 4}
    means = {(e["prediction"], e["epoch"], e["classifier_epochs"]): e["metrics"]["harmonic"] for e in chosen["curves"]}
    assert max(means.values()) == pytest.approx(choice["metrics"]["harmonic"])


def test_results_say_which_rule_made_a_number(finished):
    _, results = finished
    for name, found in results["predictions"].items():
        assert found["test_selected"] is None
        at = found["calibrated"]
        assert at["selection"] == "validation" and at["gamma"] == found["validation"]["gamma"]
        u, s = at["unseen"], at["seen"]
        assert at["harmonic"] == pytest.approx(2 * u * s / (u + s) if u + s else 0.0), name
        assert set(found["metrics"]) == {"unseen", "seen", "harmonic", "zsl", "ausuc"}


def test_results_are_explained(finished):
    _, results = finished
    found = results["details"]
    assert set(found["ood"]) == {"teacher", "student", "classifier"}
    assert set(found["ood"]["student"]) == {"msp", "energy", "max_logit", "seen_mass"}
    for name in ("student", "classifier"):
        metrics = results["predictions"][name]["metrics"]
        assert found["accuracy"][name]["macro_seen"] == pytest.approx(metrics["seen"])
        assert found["accuracy"][name]["macro_unseen"] == pytest.approx(metrics["unseen"])
        assert 0 <= found["confusion"][name]["unseen_as_seen"] <= 1 and 0 <= found["calibration_error"][name]["seen"] <= 1
    assert found["generator"]["frechet"] > 0
    assert results["warnings"] == []


def test_a_leak_is_among_the_warnings(data, tmp_path):
    features = data.features.copy()
    features[data.test_seen[:3]] = features[data.trainval[7]]
    results = run(dataclasses.replace(data, features=features), tmp_path / "run", eval__selection="last")
    assert any("3 rows of test_seen are copies of rows of trainval" in line for line in results["warnings"])


def test_test_rows_are_looked_at_once(finished):
    folder, _ = finished
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len({line["step"] for line in lines}) == 1


def test_an_interrupted_run_has_not_looked_at_test_rows(data, finished, tmp_path, monkeypatch):
    """Its figures are those of the folds, and it ends with the bits of a run that was never interrupted."""
    folder, said = tmp_path / "run", []
    shutil.copytree(finished[0] / "validation", folder / "validation")  # the folds are trained already
    display = Display(Console(quiet=True))
    display.say = said.append
    of = lambda resume: config(eval__prediction="auto", eval__folds=2, train__resume=resume)  # noqa: E731
    again = lambda resume="auto": train_on(data, of(resume), str(folder), display)  # noqa: E731
    with pytest.raises(UserError, match=r"holds an earlier run, and config\.train\.resume=never"):
        again("never")
    plain = Display.advance

    def advance(self, units):
        plain(self, units)
        if self.progress.total > 10 and 5 <= self.progress.done < 20:
            signal.raise_signal(signal.SIGINT)

    def over(*_):
        raise AssertionError("test rows were looked at")

    with monkeypatch.context() as patch:
        patch.setattr(Display, "advance", advance)
        patch.setattr(Evaluator, "over", over)
        results = again("must")  # a run whose folds are under way can be gone on with
    choices = json.loads((folder / "validation.json").read_text())["choices"]
    assert results["interrupted"] and results["selection"] == "folds only" and results["teacher"] is None
    assert {name: of["metrics"] for name, of in results["predictions"].items()} == {name: of["metrics"] for name, of in choices.items()}
    assert results["metrics"] == choices[results["prediction"]]["metrics"] and not (folder / "metrics.jsonl").exists()
    assert any("interrupted after epoch 0 of" in line and "no test row was looked at yet; the same command goes on" in line for line in said)
    assert not any("AUROC" in line for line in said) and table.read(folder / "results.json") == "interrupted"
    page = write_page(folder).read_text()
    assert "means over folds inside trainval" in page and "interrupted after epoch 0" in page
    model = load_model(folder)
    assert model.check_predictor() == results["prediction"] and 5 <= model.step < 32
    assert not again()["interrupted"] and any("going on from outer step" in line for line in said) and any("AUROC" in line for line in said)
    assert difference(finished[0], folder) is None


def test_a_checkpoint_evaluated_again_gives_the_same(data, finished):
    folder, results = finished
    found = reopen.evaluate(folder, "last", Display(Console(quiet=True)))
    for name, one in found["predictions"].items():
        assert one["metrics"] == results["predictions"][name]["metrics"]
        assert one["calibrated"] == results["predictions"][name]["calibrated"]


def test_a_finished_run_is_left_as_it_is(data, finished):
    folder, results = finished
    before = (folder / "results.json").read_bytes()
    again = run(data, folder, eval__prediction="auto", eval__folds=2)
    assert again["metrics"] == results["metrics"] and (folder / "results.json").read_bytes() == before


def test_test_rows_decide_nothing(data, finished, tmp_path):
    """With other test rows altogether the same is chosen, to the last digit, and the same model comes of it."""
    folder, _ = finished
    features = data.features.copy()
    tested = np.concatenate([data.test_seen, data.test_unseen])
    features[tested] = features[tested][:, ::-1]
    run(dataclasses.replace(data, features=features), tmp_path / "run", eval__prediction="auto", eval__folds=2)
    one, two = (json.loads((at / "validation.json").read_text()) for at in (folder, tmp_path / "run"))
    assert one["choices"] == two["choices"] and one["curves"] == two["curves"]


def test_a_run_may_stop_after_validation(data, tmp_path):
    trained = api.train(config(eval__retrain=False, eval__prediction="classifier"), data, tmp_path / "run", display=Display(quiet=True))
    results = trained.results
    assert trained.model is None and trained.folder == tmp_path / "run"
    assert results["selection"] == "folds only" and not (tmp_path / "run" / "model").exists()
    assert results["metrics"]["calibrated"] >= results["metrics"]["harmonic"] - 1e-12
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_growing_epochs_validates_on(data, tmp_path):
    run(data, tmp_path / "run", eval__retrain=False)
    longer = run(data, tmp_path / "run", train__epochs=6)  # and looks at the test rows this time
    alone = run(data, tmp_path / "alone", train__epochs=6)
    assert longer["selection"] == "validation" and longer["predictions"] == alone["predictions"]


def test_a_run_that_folds_choose_a_shorter_length_for_is_trained_anew(data, tmp_path, monkeypatch):
    """As the run that was asked for the longer folds at once; also where it is killed before it has a checkpoint."""
    plain, checkpoint, folder = validation.make_plan, Run.checkpoint, tmp_path / "run"

    def choosing(epoch):
        of_epoch = lambda trial: {name: {one: of for one, of in found.items() if one[0] == epoch} for name, found in trial.items()}  # noqa: E731
        monkeypatch.setattr(validation, "make_plan", lambda trials, *others: plain([of_epoch(trial) for trial in trials], *others))

    choosing(4)
    assert run(data, folder)["epochs"] == 4
    choosing(2)

    def killed(self, *arguments, **options):
        if not self.is_fold:
            raise KeyboardInterrupt
        return checkpoint(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            run(data, folder, train__epochs=6)
    assert "it was stopped at its end" in table.read(folder / "results.json")
    steps = 4 * 16
    assert [path.name for path in (folder / "checkpoints").iterdir()] == [f"replaced-{steps}"]
    assert run(data, folder, train__epochs=6)["epochs"] == 2
    run(data, tmp_path / "alone", train__epochs=6)
    shutil.rmtree(folder / "checkpoints" / f"replaced-{steps}")
    assert difference(tmp_path / "alone", folder) is None


def test_a_batch_that_a_later_fold_is_too_small_for_is_refused_before_the_first(data, tmp_path):
    rows = lambda seed: [len(of.trainval) for of in folds(data, 4, seed, 0.3, 0.2)]  # noqa: E731
    seed = next(seed for seed in range(100) if rows(seed)[0] > min(rows(seed)))
    with pytest.raises(UserError, match=rf"config.train.batch_size={rows(seed)[0]}: larger than the .* trainval rows of digits, fold [123]"):
        run(data, tmp_path / "run", eval__folds=4, eval__fold_seed=seed, train__batch_size=rows(seed)[0])
    assert not (tmp_path / "run").exists()


def test_test_selection_is_named_so(data, tmp_path):
    results = run(data, tmp_path / "run", eval__selection="test")
    found = results["predictions"]["student"]
    assert results["selection"] == found["selection"] == "test" and results["metrics"] == found["test_selected"]["metrics"]
    assert found["metrics"]["harmonic"] <= results["metrics"]["harmonic"]
    # Accuracies by class are of the last epoch: they stand with the predictor, not beside another epoch's metrics.
    assert "per_class" in found and not {"per_class", "calibrated", "validation"} & set(results)
    classifier = results["predictions"]["classifier"]  # evaluated at the end only
    assert classifier["selection"] == "last" and classifier["test_selected"] is None
    shown = table.read(tmp_path / "run" / "results.json").figures
    percent = lambda metrics: {name: metrics[name] for name in ("unseen", "seen", "zsl")}  # noqa: E731
    assert set(shown["student"]) == {"test-selected"} and set(shown["classifier"]) == {"result"}
    assert percent(shown["student"]["test-selected"]) == percent(results["metrics"])
    assert percent(shown["classifier"]["result"]) == percent(classifier["metrics"])
    (entry,) = entries_of("x", results, "x", False, results["config"])
    assert (entry.predictor, entry.selection, entry.unseen) == ("student", "test", results["metrics"]["unseen"])
    page = write_page(tmp_path / "run").read_text()
    assert f"<b>{100 * results['metrics']['harmonic']:.1f}</b><span>H</span>" in page and "student, test-selected, no result" in page


@pytest.mark.parametrize("selection", ["last", "validation"])
def test_each_predictor_says_its_rule(data, tmp_path, finished, selection):
    results = finished[1] if selection == "validation" else run(data, tmp_path / "run", eval__selection="last", train__epochs=1)
    assert {of["selection"] for of in results["predictions"].values()} == {selection} and "per_class" in results
    folder = finished[0] if selection == "validation" else tmp_path / "run"
    kinds = {"result", "calibrated"} if selection == "validation" else {"result", "test-selected"}
    assert kinds <= set(table.read(folder / "results.json").figures["student"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eval__selection": "last", "eval__prediction": "auto"}, "eval.prediction='auto'"),
        ({"eval__selection": "test", "eval__prediction": "classifier"}, "there is nothing|nothing to select"),
        ({"eval__selection": "last", "eval__retrain": False}, "retrain=False"),
        ({"checkpoint__best": "test_harmonic"}, "checkpoint.best"),
        ({"eval__fold_classes": 0.8}, "fold_classes"),
        ({"eval__selection": "validaton"}, "did you mean 'validation'"),
    ],
)
def test_what_makes_no_sense_is_refused(data, tmp_path, fields, message):
    with pytest.raises(UserError, match=message):
        run(data, tmp_path / "run", **fields)


def test_the_curve_is_of_the_epochs_of_the_classifier_that_were_chosen(data):
    """Another number of them that is better at the last epoch alone makes no rise, nor a fall."""
    metrics = lambda harmonic: {"harmonic": harmonic, "calibrated": harmonic}  # noqa: E731
    tried = [
        {"prediction": name, "epoch": epoch, "classifier_epochs": count, "metrics": metrics(harmonic)}
        for name, epoch, count, harmonic in [
            ("classifier", 2, 5, 0.5), ("classifier", 2, 10, 0.2), ("classifier", 4, 5, 0.5), ("classifier", 4, 10, 0.9),
            ("student", 2, 0, 0.1), ("student", 4, 0, 0.9),
        ]
    ]  # fmt: skip
    plan = Plan("classifier", {"classifier": Choice(4, 5, 0.0, metrics(0.5))}, config().to_dict())
    few = advice.of_few_classes(1)  # a fifth of seven
    assert validation._advice(plan, tried, {}, [{}, {}], folds(data, 2, 0, 0.2, 0.2)) == few
    plan = plan._replace(choices={"classifier": Choice(4, 10, 0.0, metrics(0.9))})
    told, *further = validation._advice(plan, tried, {}, [{}, {}], folds(data, 2, 0, 0.2, 0.2))
    assert further == few
    assert "still rising at the end, epoch 4 (20.0 to 90.0)" in told


def test_the_rows_of_held_out_classes_are_counted_once(data):
    several = folds(data, 20, 0, 0.2, 0.2)
    classes, rows = validation._held_out(several)
    assert classes == len(several[0].unseen_classes) and rows == len(data.trainval)  # every class has been held out


def test_snapshots_of_the_classifier():
    assert classifier_snapshots(25) == (5, 10, 15, 20, 25)
    assert classifier_snapshots(3) == (1, 2, 3)
    assert classifier_snapshots(1) == (1,)
