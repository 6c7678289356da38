"""Runs whose scaling and output are chosen by the features: what they record, and that models, streams and later starts carry it."""

import dataclasses
import json

import numpy as np
import pytest

from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.model import load_model
from d3gzsl_jax.studies.start import train_on

AUTO = {"data.scaling": "auto", "networks.output": "auto"}


def turned():
    data = read_digits()
    return validate(dataclasses.replace(data, features=16.0 - data.features))


def quick(**fields):
    values = {
        "train.epochs": 1, "teacher.epochs": 1, "classifier.epochs": 2, "classifier.n_syn": 20, "data.pipeline": "device",
        "networks.critic_hidden": 16, "networks.generator_hidden": 16, "networks.embedding": 16, "log.report": False,
    }  # fmt: skip
    return load_config("digits", values | AUTO | {name.replace("__", "."): value for name, value in fields.items()})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("turned") / "run"
    return folder, train_on(turned(), quick(), str(folder), Display(quiet=True))


@pytest.mark.slow
def test_what_was_chosen_is_recorded_and_a_later_start_is_the_same_run(run, capsys):
    folder, results = run
    for found in (results["config"], json.loads((folder / "config.json").read_text())):
        assert (found["data"]["scaling"], found["networks"]["output"]) == ("standard", "linear")
    look = results["feature_profile"]
    assert look["negatives"] == 0 and look["middle"] == pytest.approx(0.68, abs=0.01) and look["dtype"] == "float32"
    again = train_on(turned(), quick(), str(folder), Display())
    assert again["metrics"] == results["metrics"] and "finished already" in capsys.readouterr().out
    train_on(turned(), quick(data__scaling="standard", networks__output="linear"), str(folder), Display(quiet=True))
    with pytest.raises(UserError, match=r"holds a run with config\.data\.scaling='standard', now it is 'minmax'"):
        train_on(turned(), quick(data__scaling="minmax"), str(folder), Display(quiet=True))


@pytest.mark.slow
def test_the_model_scales_as_the_run_did(run):
    folder, results = run
    model, data = load_model(folder), turned()
    assert model.scaling.kind == "standard" and model.config.networks.output == "linear"
    right = {}
    for name in ("test_seen", "test_unseen"):
        rows = getattr(data, name)
        predicted = model.predict(data.features[rows]).classes.reshape(-1)
        labels = data.labels[rows]
        right[name] = np.mean([(predicted[labels == c] == c).mean() for c in np.unique(labels)])
    assert right["test_seen"] == pytest.approx(results["metrics"]["seen"]) and right["test_unseen"] == pytest.approx(results["metrics"]["unseen"])
    again = model.fit_classifier(data)
    np.testing.assert_array_equal(again.classifier["params"]["linear"]["kernel"], model.classifier["params"]["linear"]["kernel"])
    rows = model.synthesize(model.unseen, 50)
    assert np.abs(rows.mean() - data.features.mean()) < 4  # raw, about the mean of the pictures
    model.save(folder.parent / "saved")
    copy = load_model(folder.parent / "saved")
    np.testing.assert_array_equal(copy.synthesize(model.unseen, 5), model.synthesize(model.unseen, 5))


@pytest.mark.tensorflow
@pytest.mark.slow
def test_streamed_rows_are_the_same(run, tmp_path):
    streamed = train_on(turned(), quick(data__pipeline="stream"), str(tmp_path / "run"), Display(quiet=True))
    for name, value in streamed["metrics"].items():
        assert value == pytest.approx(run[1]["metrics"][name], abs=0.02)  # the teacher's sums are in another order


@pytest.mark.slow
def test_a_run_says_what_its_features_look_like(tmp_path, capsys):
    train_on(turned(), quick(data__scaling="minmax", networks__output="published"), str(tmp_path / "run"), Display())
    told = " ".join(capsys.readouterr().out.split())
    assert "features: float32, 10 % zeros, 0 % below 0, from 0 to 16" in told and "scaling minmax, generator's output relu" in told
    assert "give --config.data.scaling=auto --config.networks.output=auto" in told


@pytest.mark.slow
def test_a_relu_that_cannot_make_what_is_below_0_is_warned_of(tmp_path):
    results = train_on(turned(), quick(data__scaling="standard", networks__output="relu"), str(tmp_path / "run"), Display(quiet=True))
    (told,) = [line for line in results["warnings"] if "scaled values" in line]
    assert "% of the scaled values are below 0, which a generator that ends in a relu never makes" in told


@pytest.mark.slow
def test_a_pair_that_does_not_go_together_is_refused_before_a_folder_is_made(tmp_path):
    config = quick(framework="fvaegan", data__scaling="standard", networks__output="published")
    with pytest.raises(UserError, match="fvaegan needs scaled features in"):
        train_on(turned(), config, str(tmp_path / "run"), Display(quiet=True))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_digits_turned_round_are_recognised_as_well_as_the_digits(tmp_path):
    """The same pictures: what is chosen for them must not cost them their information."""
    config = load_config("digits", {"data.pipeline": "device", "log.report": False, "eval.every_epochs": 20, **AUTO})
    of = lambda name, data: train_on(data, config, str(tmp_path / name), Display(quiet=True))  # noqa: E731
    plain, other = of("digits", read_digits()), of("turned", turned())
    assert plain["config"]["data"]["scaling"] == "minmax" and other["config"]["data"]["scaling"] == "standard"
    assert other["metrics"]["ausuc"] > 0.7 * plain["metrics"]["ausuc"]
    found = [results["predictions"]["classifier"]["metrics"]["ausuc"] for results in (plain, other)]
    assert found[1] > 0.8 * found[0]
