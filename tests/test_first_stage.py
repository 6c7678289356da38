"""A run whose base method has a first stage: trained within the run, gone on with, taken from an earlier run; and representations."""

import json
import shutil

import jax
import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.runs.first_stage import BY_TEACHER
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.studies.tables.command import find
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

QUICK = {
    "framework": "zerodiff", "train.epochs": 1, "train.batch_size": 64, "teacher.epochs": 1, "classifier.epochs": 2,
    "classifier.n_syn": 40, "classifier.zsl": "own", "distillation.n_syn": 5, "data.normalize_semantics": True,
    "data.pipeline": "device", "networks.noise": 8, "networks.generator_hidden": 16, "networks.critic_hidden": 16,
    "networks.embedding": 24, "log.report": False,
}  # fmt: skip


def config_of(variant="base", **fields):
    return d3.load_config(f"{ROOT / 'configs' / 'digits.py'}:{variant}", QUICK | {k.replace("__", "."): v for k, v in fields.items()})


def leaves(params):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(params)}


def same(one, other, groups=None):
    found = [leaves({name: tree for name, tree in of.params.items() if not groups or name in groups}) for of in (one, other)]
    assert found[0].keys() == found[1].keys()
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name], err_msg=name)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A finished run without D3, whose representations are the frozen teacher's; for reading only."""
    return d3.train(config_of(), workdir=tmp_path_factory.mktemp("base") / "run")


def test_it_is_trained_within_the_run_and_its_generator_is_frozen(base):
    folder = base.folder / "first_stage"
    of = json.loads((folder / "results.json").read_text())
    assert of["framework"] == "zerodiff_representation" and of["features"] == BY_TEACHER and not of["distillation"]
    assert (folder / "metrics.jsonl").exists() and (folder / "checkpoints").is_dir()
    stage = d3.load_model(folder)
    for name, array in leaves(stage.params["generator"]).items():
        np.testing.assert_array_equal(array, leaves(base.model.params["representation"])[name])
    results = json.loads((base.folder / "results.json").read_text())
    assert results["provenance"]["representations"] == BY_TEACHER and "representations" not in results["digests"]
    assert [path.parent for path in find([base.folder])] == [base.folder]  # its figures are no method's of a table


def test_the_model_predicts_as_evaluated_synthesizes_and_learns_a_class(base):
    data, model = d3.load_data(config_of()), d3.load_model(base.folder)
    found = json.loads((base.folder / "results.json").read_text())["predictions"]["classifier"]["metrics"]
    for split in ("unseen", "seen"):
        rows, classes = getattr(data, f"test_{split}"), getattr(data, f"{split}_classes")
        hits = model.predict(data.features[rows]).classes[:, 0] == data.labels[rows]
        np.testing.assert_allclose(np.mean([hits[data.labels[rows] == label].mean() for label in classes]), found[split], rtol=1e-6)
    assert model.synthesize(data.unseen_classes, 3).shape == (3 * len(data.unseen_classes), 64)
    grown = model.add_classes(data.semantics[:1] * 0.9 + 0.05, ("new",), data)
    assert grown.predict(data.features[:5], top=11).classes.shape == (5, 11)
    with pytest.raises(UserError, match="representations: this model takes none"):
        model.predict(data.features[:5], representations=data.features[:5])


def test_a_run_that_stopped_after_it_goes_on_to_the_same_bits(base, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(base.folder, folder)
    for name in ("checkpoints", "model"):
        shutil.rmtree(folder / name)
    (folder / "results.json").unlink()
    trained = (folder / "first_stage" / "metrics.jsonl").stat().st_mtime_ns
    again = d3.train(config_of(), workdir=folder)
    same(base.model, again.model)
    assert (folder / "first_stage" / "metrics.jsonl").stat().st_mtime_ns == trained
    # And one that has a checkpoint does not look at it, and says so where it would be longer in a run as long as is asked for now.
    shutil.rmtree(folder / "first_stage")
    longer = r"config.zerodiff.representation_epochs=1, now it is 2; .* or give --config.zerodiff.representation_epochs=1 to go on with"
    with pytest.raises(UserError, match=longer):
        d3.train(config_of(train__epochs=2), workdir=folder)
    further = d3.train(config_of(train__epochs=2, zerodiff__representation_epochs=1), workdir=folder)
    same(base.model, further.model, ("representation", "representation_encoder"))
    assert not (folder / "first_stage").exists()


class Killed(Exception):
    """Stands in for kill -9: nothing of the run's own handles it."""


@pytest.mark.parametrize("stage", ["zerodiff_representation", "zerodiff"])
def test_killed_in_either_stage_and_resumed_is_never_killed(base, tmp_path, monkeypatch, stage):
    plain = Run.checkpoint

    def checkpoint(self, state, tally, at, *arguments, **options):
        done = plain(self, state, tally, at, *arguments, **options)
        if self.settings.framework == stage:
            self.checkpoints.close()
            raise Killed
        return done

    fields = {"checkpoint__every_minutes": 0.0, "train__steps_per_call": 3}
    with monkeypatch.context() as patch:
        patch.setattr(Run, "checkpoint", checkpoint)
        with pytest.raises(Killed):
            d3.train(config_of(**fields), workdir=tmp_path / "run")
    again = d3.train(config_of(**fields), workdir=tmp_path / "run")
    same(base.model, again.model)
    assert again.results["metrics"] == base.results["metrics"]
    folder = again.folder / "first_stage" if stage != "zerodiff" else again.folder
    starts = json.loads((folder / "environment.json").read_text())["starts"]
    assert len(starts) == 2 and starts[1]["from_step"] > 0


def test_a_start_that_came_no_further_is_a_run_under_way(base, tmp_path, monkeypatch):
    def checkpoint(self, state, tally, at, *arguments, **options):
        plain(self, state, tally, at, *arguments, **options)
        self.checkpoints.close()
        raise Killed

    plain, folder = Run.checkpoint, tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Run, "checkpoint", checkpoint)
        with pytest.raises(Killed):
            d3.train(config_of(), workdir=folder)
    files = {path: path.read_bytes() for path in folder.rglob("*.json")}
    refused = (
        ({"train__resume": "never"}, r"holds an earlier run, and config.train.resume=never"),
        ({"seed": 5}, r"holds a run with config.seed=0, now it is 5"),
        ({"zerodiff_representation__weight_x0": 2.0}, r"holds a run with config.zerodiff_representation.weight_x0=1.0, now it is 2.0"),
        ({"train__epochs": 2}, r"holds a run with config.zerodiff.representation_epochs=1, now it is 2"),
    )
    for fields, said in refused:
        with pytest.raises(UserError, match=said):
            d3.train(config_of(**fields), workdir=folder)
    assert files == {path: path.read_bytes() for path in folder.rglob("*.json")}
    same(base.model, d3.train(config_of(train__resume="must"), workdir=folder).model)


def test_what_a_start_left_that_came_to_no_checkpoint_goes_with_its_settings(tmp_path):
    folder = tmp_path / "run"
    d3.train(config_of(), workdir=folder)
    for name in ("checkpoints", "first_stage/checkpoints", "results.json"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = d3.train(config_of(seed=5), workdir=folder)
    same(again.model, d3.train(config_of(seed=5), workdir=tmp_path / "alone").model)


def test_that_of_a_validated_run_sees_no_test_row(base, tmp_path):
    fields = {"eval__selection": "validation", "eval__folds": 1, "eval__calibration": "folds", "eval__baselines": "eszsl", "eval__model_predicts": "best"}
    run = d3.train(config_of(**fields), workdir=tmp_path / "run")
    stage = json.loads((run.folder / "first_stage" / "results.json").read_text())
    assert run.results["concluded"] and set(stage["metrics"].values()) == {None}
    assert not any("no rows" in line for line in stage["warnings"])
    lines = [json.loads(line)["metrics"] for line in (run.folder / "first_stage" / "metrics.jsonl").read_text().splitlines()]
    assert {value for metrics in lines for value in (metrics or {}).values()} <= {None}
    same(d3.load_model(run.folder / "first_stage"), d3.load_model(base.folder / "first_stage"))


def test_a_breakdown_within_it_says_once_what_is_left(tmp_path):
    with pytest.raises(DivergenceError, match=r"^first stage: training stopped at outer step 0, ") as broken:
        d3.train(config_of(guards__loss_limit=1e-6), workdir=tmp_path / "run")
    assert str(broken.value).count("checkpoint") == 1 and str(broken.value).endswith("; there is no checkpoint yet")


def test_a_later_run_takes_it_from_an_earlier_one_with_d3_too(base, tmp_path):
    run = d3.train(config_of("d3", zerodiff__representation_run=str(base.folder)), workdir=tmp_path / "run")
    same(base.model, run.model, ("representation", "representation_encoder"))
    assert not (tmp_path / "run" / "first_stage").exists() and "student_head" in run.model.params
    assert set(run.results["predictions"]) == {"student", "classifier"}


def test_what_is_no_such_run_is_refused(base, tmp_path):
    other = d3.train(config_of(framework="wgan"), workdir=tmp_path / "wgan")
    refused = (
        ({"zerodiff__representation_run": str(other.folder)}, "holds a wgan model; name a zerodiff run"),
        ({"zerodiff__representation_run": str(tmp_path / "none")}, "none: no such folder; name that of a run"),
        ({"zerodiff__representation_run": str(base.folder), "data__leave_out": "9"}, "was trained on other data"),
        ({"zerodiff__timesteps": 3}, r"config.zerodiff_representation.timesteps=4: must be 3, as config.zerodiff.timesteps is"),
        ({"zerodiff__representation_run": str(base.folder), "networks__generator_hidden": 12}, "networks of other sizes"),
    )
    for fields, said in refused:
        for validated in ({}, {"eval__selection": "validation"}):  # before its folds, and before its teacher
            with pytest.raises(UserError, match=said):
                d3.train(config_of(**fields, **validated), workdir=tmp_path / "run")
            assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match=r"representation_run=.*none: .* is no folder; name a zerodiff run"):
        d3.train(config_of(zerodiff__representation_run=str(tmp_path / "none"), eval__selection="validation", eval__retrain=False), workdir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_representations_of_the_data_go_with_the_rows(tmp_path):
    data = d3.load_data(config_of())
    array = np.random.default_rng(1).normal(size=(len(data.features), 11)).astype(np.float32) + data.labels[:, None]
    np.save(tmp_path / "r.npy", array)
    fields = {"data__representation_file": str(tmp_path / "r.npy")}
    run = d3.train(config_of("d3", **fields), workdir=tmp_path / "run")
    data, model = d3.load_data(config_of(**fields)), d3.load_model(tmp_path / "run")
    assert run.results["provenance"]["representations"] == "r.npy" and "representation_encoder" not in model.params
    found = json.loads((tmp_path / "run" / "results.json").read_text())["predictions"]
    rows, classes = data.test_unseen, data.unseen_classes
    for predictor in ("student", "classifier"):
        hits = model.predict(data.features[rows], predictor=predictor, representations=array[rows]).classes[:, 0] == data.labels[rows]
        accuracy = np.mean([hits[data.labels[rows] == label].mean() for label in classes])
        np.testing.assert_allclose(accuracy, found[predictor]["metrics"]["unseen"], rtol=1e-6)
    with pytest.raises(UserError, match="trained with some; give"):
        model.predict(data.features[:3])
    with pytest.raises(UserError, match=r"takes \(3, 11\)"):
        model.predict(data.features[:3], representations=array[:2])
    refitted = model.fit_classifier(data)
    for name, one in leaves(refitted.classifier).items():
        np.testing.assert_array_equal(one, leaves(model.classifier)[name])


def test_a_fold_trains_its_own(base, tmp_path):
    """What an earlier run was trained on holds the classes that a fold holds out."""
    fields = {"zerodiff__representation_run": str(base.folder), "eval__selection": "validation", "eval__folds": 1, "eval__retrain": False}
    config = config_of(**fields)
    d3.train(config, workdir=tmp_path / "run")
    stage = d3.load_model(tmp_path / "run" / "validation" / "fold-0" / "first_stage")
    # A run after it takes that of the same fold.
    fields["zerodiff__representation_run"] = str(tmp_path / "run")
    d3.train(config_of("d3", **fields), workdir=tmp_path / "later")
    later = d3.load_model(tmp_path / "later" / "validation" / "fold-0")
    same(later, d3.load_model(tmp_path / "run" / "validation" / "fold-0"), ("representation", "representation_encoder"))
    assert not (tmp_path / "later" / "validation" / "fold-0" / "first_stage").exists()
    assert len(stage.unseen) > 0 and len(stage.class_names) == len(d3.load_data(config).seen_classes)


def test_it_has_no_student_for_a_classifier_in_the_students_embedding(tmp_path):
    run = d3.train(config_of("d3", classifier__inputs="student", eval__prediction="classifier"), workdir=tmp_path / "run")
    stage = json.loads((run.folder / "first_stage" / "config.json").read_text())
    assert stage["classifier"]["inputs"] == "method" and run.results["metrics"]["harmonic"] >= 0.0
    model, data = d3.load_model(run.folder), d3.load_data(config_of())
    assert model.classifier["params"]["linear"]["kernel"].shape == (24, 10)
    hits = model.predict(data.features[data.test_unseen]).classes[:, 0] == data.labels[data.test_unseen]
    of_class = [hits[data.labels[data.test_unseen] == label].mean() for label in data.unseen_classes]
    np.testing.assert_allclose(np.mean(of_class), run.results["metrics"]["unseen"], rtol=1e-6)
