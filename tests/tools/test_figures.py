"""Figures from run folders: where a curve begins."""

import pytest

from d3gzsl_jax import api as d3
from tests.conftest import ROOT
from tools.figures import command, training_time


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
