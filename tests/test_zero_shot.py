"""A split without test rows of seen classes: conventional zero-shot learning, from training to the table."""

import dataclasses
import json

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax import main as program
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.runs.display import percent
from tests.conftest import ROOT
from tests.runs.test_model import QUICK

pytestmark = pytest.mark.slow

KNOWN, UNKNOWN = ("unseen", "zsl"), ("seen", "harmonic", "ausuc")


@pytest.fixture(scope="module")
def data():
    return d3.validate(dataclasses.replace(read_digits(), test_seen=np.zeros(0)))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "zsl"
    fields = QUICK | {"train.epochs": 2, "classifier.epochs": 1, "log.report": True, "checkpoint.best": "test_zsl"}
    return d3.train(d3.load_config(ROOT / "configs" / "digits.py", fields), data, folder)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_the_run_knows_t1_and_u_alone(run, capsys):
    results = json.loads((run.folder / "results.json").read_text())
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    for metrics in (results["metrics"], *(of["metrics"] for of in results["predictions"].values()), lines[0]["metrics"]):
        assert all(0 <= metrics[name] <= 1 for name in KNOWN) and all(metrics[name] is None for name in UNKNOWN)
    assert results["concluded"] and results["test_selected"] is None and results["teacher"]["auroc"] is None
    assert "conventional zero-shot learning" in results["warnings"][0]
    assert results["details"]["ood"]["student"]["msp"]["auroc"] is None
    assert results["details"]["accuracy"]["student"]["micro_unseen"] is not None
    page = (run.folder / "report.html").read_text()
    assert '<div class="number main"><b>' + percent(results["metrics"]["zsl"]) in page and "<b>n/a</b><span>H</span>" in page


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_its_model_predicts_and_it_stands_in_a_table(run, data, capsys):
    rows = data.test_unseen
    found = run.model.predict(data.features[rows]).classes[:, 0]
    right = [np.mean(found[data.labels[rows] == label] == label) for label in data.unseen_classes]
    assert np.mean(right) == pytest.approx(run.results["metrics"]["unseen"])
    capsys.readouterr()
    assert program.main(["table", str(run.folder)]) == 0
    table = capsys.readouterr().out
    assert percent(run.results["metrics"]["zsl"]) in table and "nan" not in table


@pytest.mark.parametrize(
    "fields", [{"eval.selection": "test"}, {"checkpoint.best": "test_harmonic"}, {"checkpoint.best": "test_seen"}], ids=str
)
def test_what_picks_by_unknown_figures_is_refused(fields, data, tmp_path):
    with pytest.raises(d3.UserError, match=r"no test_seen rows .*zsl"):
        d3.train(d3.load_config(ROOT / "configs" / "digits.py", fields), data, tmp_path / "run")
    assert not list(tmp_path.glob("run/*"))
