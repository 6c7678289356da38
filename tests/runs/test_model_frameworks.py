"""Models of the methods whose classifier sees more than features: they predict as evaluated, synthesize, and learn a class."""

import json

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from tests.conftest import ROOT

QUICK = {
    "train.epochs": 1, "teacher.epochs": 1, "classifier.epochs": 2, "log.report": False, "data.leave_out": "9", "data.pipeline": "device",
    "classifier.zsl": "own", "classifier.n_syn": 40, "distillation.n_syn": 5,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["fvaegan", "tfvaegan", "cadavae", "free"])
def test_it_predicts_as_evaluated_synthesizes_and_learns_a_class(tmp_path, framework):
    config = d3.load_config(ROOT / "configs" / "digits.py", QUICK | {"framework": framework})
    run = d3.train(config, workdir=tmp_path / "run")
    data = d3.load_data(config)
    model = d3.load_model(tmp_path / "run")
    for predictor, found in json.loads((tmp_path / "run" / "results.json").read_text())["predictions"].items():
        for split, metric in (("unseen", "unseen"), ("seen", "seen")):
            rows, classes = getattr(data, f"test_{split}"), getattr(data, f"{split}_classes")
            hits = model.predict(data.features[rows], predictor=predictor).classes[:, 0] == data.labels[rows]
            accuracy = np.mean([hits[data.labels[rows] == label].mean() for label in classes])
            np.testing.assert_allclose(accuracy, found["metrics"][metric], rtol=1e-6)
    made = model.synthesize(data.unseen_classes, 3, seed=1)
    assert made.shape == (3 * len(data.unseen_classes), data.feature_size) and np.isfinite(made).all()
    np.testing.assert_array_equal(made, run.model.synthesize(data.unseen_classes, 3, seed=1))
    grown = model.add_classes(data.semantics[:1] * 0.9 + 0.05, ("new",), data)
    predicted = grown.predict(data.features[:20], top=len(data.class_names) + 1)
    assert grown.prediction == "classifier" and set(predicted.classes[0]) == set(range(len(data.class_names) + 1))
