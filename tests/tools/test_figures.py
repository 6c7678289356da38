"""Figures from run folders: whose H is compared with whose, and where a curve begins."""

import json

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from tests.conftest import ROOT
from tools.figures import command, gains, training_time


def write(folder, framework, distillation, seed, harmonic, student=None):
    folder.mkdir(parents=True)
    predictions = {"classifier": {"metrics": {"harmonic": harmonic}}}
    predictions |= {} if student is None else {"student": {"metrics": {"harmonic": student}}}
    content = {
        "framework": framework, "distillation": distillation, "seed": seed, "metrics": {"harmonic": harmonic}, "predictions": predictions
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(content))


def test_gains_are_paired_by_seed(tmp_path):
    for seed, (base, ours, student) in enumerate([(0.5, 0.52, 0.4), (0.6, 0.61, 0.5), (0.7, 0.73, 0.3)]):
        write(tmp_path / f"b{seed}", "fvaegan", False, seed, base)
        write(tmp_path / f"d{seed}", "fvaegan", True, seed, ours, student)
    write(tmp_path / "lonely", "tfvaegan", False, 0, 0.5)  # nothing to compare it with
    write(tmp_path / "d0" / "first_stage", "fvaegan", False, 0, 0.9)  # no method's result
    rows = gains.gains(tmp_path)
    assert list(rows) == ["fvaegan"] and rows["fvaegan"][gains.CHOSEN]["n"] == 3
    found = rows["fvaegan"][gains.CHOSEN]
    np.testing.assert_allclose([found["difference"], found["base"], found["with"]], [2.0, 60.0, 62.0])
    assert found["low"] < 2.0 < found["high"]
    np.testing.assert_allclose(rows["fvaegan"][gains.STUDENT]["difference"], -20.0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with two runs that stopped after validation."""
    folder = tmp_path_factory.mktemp("runs")
    for framework in ("wgan", "zerodiff"):
        fields = {"framework": framework, "eval.selection": "validation", "eval.folds": 1, "eval.retrain": False, "train.epochs": 1}
        fields |= {"networks.generator_hidden": 16, "networks.critic_hidden": 16, "networks.embedding": 24, "teacher.epochs": 1}
        fields |= {"classifier.fit": "every", "classifier.epochs": 1, "data.pipeline": "device", "log.report": False}
        d3.train(d3.load_config(f"{ROOT / 'configs' / 'digits.py'}:base", fields), workdir=folder / framework)
    return folder


@pytest.mark.slow
def test_a_curve_counts_the_steps_of_both_stages(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(training_time, "seconds_per_step", lambda config, data: {"wgan": 6.0, "zerodiff": 60.0}.get(config.framework, 600.0))
    found = training_time.curves(runs)
    steps = {name: training_time.lines(runs / name / "validation" / "fold-0")[0]["step"] for name in ("wgan", "zerodiff")}
    assert list(found) == ["wgan", "zerodiff"]
    assert found["wgan"][0][0] == pytest.approx(steps["wgan"] / 10)
    assert found["zerodiff"][0][0] == pytest.approx(11 * steps["zerodiff"])
    monkeypatch.setattr("sys.argv", ["training_time", f"--output={tmp_path / 'figure.svg'}", f"Digits={runs}"])
    command.run("", training_time.curves, training_time.draw)
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.slow
def test_a_step_is_timed(runs):
    """Both stages of a run, on its own data."""
    assert training_time.curve(runs / "zerodiff")[1][0][0] > 0


def test_gains_are_drawn(tmp_path, monkeypatch):
    test_gains_are_paired_by_seed(tmp_path / "runs")
    target = tmp_path / "figure.svg"
    monkeypatch.setattr("sys.argv", ["gains", f"--output={target}", f"Some data={tmp_path / 'runs'}"])
    command.run("", gains.gains, gains.draw)
    assert target.read_text(encoding="utf-8").startswith("<?xml") and json.loads(target.with_suffix(".json").read_text())["Some data"]
