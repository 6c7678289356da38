"""Run folders and models that lack what has been added since can still be used."""

import json
import shutil

import numpy as np
import pytest

from configs import default
from d3gzsl_jax import api as d3
from d3gzsl_jax.config import check
from d3gzsl_jax.config.earlier_versions import ADDED, completed
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.runs import resume
from d3gzsl_jax.runs.checkpoints import load_once, save_once
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.folder import plain
from d3gzsl_jax.studies import reopen
from d3gzsl_jax.studies.start import train
from tests.conftest import ROOT

ADDED_TO_RESULTS = ("selection", "interrupted", "concluded", "digests", "details")


def stripped(config, fields=ADDED):
    """A nested configuration without these fields, and without groups of them alone."""
    found = {}
    for field, value in flat(config):
        if field not in fields:
            node = found
            *groups, name = field.split(".")
            for group in groups:
                node = node.setdefault(group, {})
            node[name] = value
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = d3.load_config(ROOT / "configs" / "digits.py", {
        "train.epochs": 2, "teacher.epochs": 2, "classifier.epochs": 2, "log.report": False, "data.pipeline": "device"
    })  # fmt: skip
    return d3.train(config, workdir=tmp_path_factory.mktemp("runs") / "run"), config


@pytest.fixture
def older(run, tmp_path):
    """Its folder, as an earlier version would have left it."""
    folder = tmp_path / "run"
    shutil.copytree(run[0].folder, folder)
    (folder / "config.json").write_text(json.dumps(stripped(json.loads((folder / "config.json").read_text()))))
    results = json.loads((folder / "results.json").read_text())
    results = {key: value for key, value in results.items() if key not in ADDED_TO_RESULTS} | {"config": stripped(results["config"])}
    results["selection"], results["interrupted"] = "last", False
    for of in results["predictions"].values():
        for name in ("selection", "calibrated", "validation"):
            del of[name]
        del of["metrics"]["ausuc"]
    (folder / "results.json").write_text(json.dumps(results))
    arrays, notes = load_once(folder / "model")
    save_once(folder / "model", arrays, notes | {"config": stripped(notes["config"])})
    return folder


def test_its_model_predicts_and_learns(run, older):
    before, after = run[0].model, d3.load_model(older)
    assert "precision" not in load_once(older / "model")[1]["config"] and "stress" not in load_once(older / "model")[1]["config"]["data"]
    features = read_digits().features[:50]
    for one, other in zip(before.predict(features, 3), after.predict(features, 3), strict=True):
        np.testing.assert_array_equal(one, other)
    data = d3.load_data(after.config)
    again = after.fit_classifier(data).classifier["params"]["linear"]["kernel"]
    np.testing.assert_array_equal(again, before.classifier["params"]["linear"]["kernel"])
    assert after.add_classes(read_digits().semantics[:1] * 2, ("another",), data).class_names[-1] == "another"


def test_its_checkpoint_is_evaluated(run, older):
    found = reopen.evaluate(older, "last", Display())
    assert {name: of["metrics"] for name, of in found["predictions"].items()} == {
        name: of["metrics"] for name, of in run[0].results["predictions"].items()
    }


def test_it_is_finished_and_can_be_trained_on(run, older, tmp_path):
    config, said, display = run[1].copy_and_resolve_references(), [], Display()
    display.say = said.append
    train(config, str(older), display)
    assert "finished already, 2 epochs" in said[0]
    config.train.epochs = 3
    results = train(config, str(older), display)
    assert any("going on from outer step 32 " in line for line in said)
    assert results["predictions"] == train(config, str(tmp_path / "alone"), Display())["predictions"]
    config.seed = 1
    with pytest.raises(d3.UserError, match=r"holds a run with config.seed=0, now it is 1"):
        train(config, str(older), display)


def test_a_field_that_is_new_and_set_otherwise_is_another_run():
    config = plain(default.get_config().to_dict())
    assert resume.disagreement(stripped(config), config) is None and resume.disagreement(config, stripped(config)) is None
    for field, value in (("eval.selection", "test"), ("data.stress.seen_rows", 0.5), ("classifier.logit_adjustment", 1.0)):
        other = default.get_config()
        other.update_from_flattened_dict({field: value})
        assert resume.disagreement(stripped(config), plain(other.to_dict())) == (field, ADDED[field], value)


def test_how_folds_are_made_means_nothing_without_validation():
    config, other = default.get_config(), default.get_config()
    other.eval.fold_classes = 0.3
    config, other = plain(config.to_dict()), plain(other.to_dict())
    assert resume.disagreement(stripped(config), other) is None
    assert resume.disagreement(config, other) == ("eval.fold_classes", 0.2, 0.3)  # to baselines it does mean something
    other["eval"]["selection"] = "validation"
    assert resume.disagreement(stripped(config), other) == ("eval.selection", "last", "validation")


def test_results_that_say_less_are_read():
    config = default.get_config().to_dict()
    older = {"epochs": 3, "config": {"train": {"epochs": config["train"]["epochs"]}}}
    assert resume.is_finished(older, config) and not resume.is_finished(older | {"interrupted": True}, config)
    assert not resume.is_finished(older | {"concluded": False}, config)


def test_what_was_added_is_listed():
    """Whoever adds a field to configs/default.py enters it in ADDED, with the value that means what there was before."""
    fields = dict(flat(default.get_config()))
    assert fields.keys() >= ADDED.keys() and len(fields.keys() - ADDED.keys()) == 69
    config = d3.load_config(ROOT / "configs" / "default.py")
    before = stripped(config.to_dict())
    found = completed(before)
    assert dict(flat(found)).keys() == fields.keys() and "precision" not in before
    check.check(type(config)(found))
    assert completed(config.to_dict()) == config.to_dict()
