"""What the command line cannot bring about at will."""

import json

import pytest

from configs import digits
from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.evaluation.predictors import Predictors
from d3gzsl_jax.run import Run
from d3gzsl_jax.runs.console import Display
from d3gzsl_jax.train import train


def quick(variant="d3"):
    config = digits.get_config(variant)
    config.train.epochs = config.teacher.epochs = 3
    config.eval.every_epochs = 1
    config.classifier.epochs = 2
    return config


@pytest.mark.parametrize("variant", ["d3", "base"])
def test_control_c_while_the_next_batches_are_made(tmp_path, monkeypatch, variant):
    """After an evaluation and before anything more was trained: the results are those of that evaluation."""
    plain = Run.feed

    def feed(self, calls):
        for call, item in zip(calls, plain(self, calls), strict=True):
            self.stop.interrupted = call.first >= self.model.optimization.steps_per_epoch
            yield item

    monkeypatch.setattr(Run, "feed", feed)
    results = train(quick(variant), str(tmp_path / "run"), Display())
    assert results["interrupted"] and results["epochs"] == 1
    assert json.loads((tmp_path / "run" / "results.json").read_text())["metrics"] == results["metrics"]


def test_a_failing_final_classifier_leaves_the_students_results(tmp_path, monkeypatch):
    def fail(self, *arguments):
        raise DivergenceError("final classifier")

    monkeypatch.setattr(Predictors, "finish", fail)
    with pytest.raises(DivergenceError):
        train(quick(), str(tmp_path / "run"), Display())
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(found["predictions"]) == {"student"} and found["metrics"] == found["predictions"]["student"]["metrics"]
