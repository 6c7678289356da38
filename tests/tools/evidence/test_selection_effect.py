"""What the choice of an epoch on test rows makes out of nothing."""

import json

import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.terminal import run_command
from tests.tools.evidence.results import metrics, results, write
from tools.evidence import selection_effect

CURVES = {0: (0.2, 0.6, 0.4), 1: (0.2, 0.3, 0.5)}


def lines(curve, predictor="classifier"):
    of = [{"kind": "epoch", "epoch": 2 * place + 1, "step": place, "predictions": {predictor: metrics(value, value)}} for place, value in enumerate(curve)]
    return "".join(json.dumps(line) + "\n" for line in [{"kind": "epoch", "epoch": 0, "step": 0}, *of])


@pytest.fixture
def runs(tmp_path):
    for seed, curve in CURVES.items():
        path = write(tmp_path / "runs" / str(seed), results("wgan", False, seed, curve[-1], curve[-1]))
        (path.parent / "metrics.jsonl").write_text(lines(curve), encoding="utf-8")
    return tmp_path / "runs"


def test_the_best_epoch_of_a_seed_is_compared_with_the_last_of_others(runs):
    (row,) = selection_effect.effects(runs)
    assert (row["framework"], row["distillation"], row["predictor"], row["seeds"], row["epochs"]) == ("wgan", False, "classifier", 2, 3)
    np.testing.assert_allclose(row["last"], [40.0, 50.0])
    np.testing.assert_allclose(row["best"], [60.0, 50.0])
    assert row["gain"] == pytest.approx(10.0)  # of a method over itself
    np.testing.assert_allclose(row["over_other_seeds"], [10.0, 10.0, 10.0])


def test_other_epochs_and_single_ones_are_refused(runs):
    (runs / "1" / "metrics.jsonl").write_text(lines(CURVES[1][:2]), encoding="utf-8")
    with pytest.raises(UserError, match="evaluated at 2 epochs, or not at those"):
        selection_effect.effects(runs)


def test_the_command_writes_what_the_report_tables(runs, tmp_path, monkeypatch):
    target = tmp_path / "kept" / "selection.json"
    monkeypatch.setattr("sys.argv", ["selection_effect.py", f"--output={target}", f"FLO={runs}"])
    assert run_command(selection_effect.main) == 0
    table = selection_effect.table(json.loads(target.read_text(encoding="utf-8")))
    assert [cell.text for cell in table.rows[0]] == [
        "FLO", "WGAN-GP", "classifier", "2", "3", "45.0 ± 7.1", "55.0 ± 7.1", "+10.0", "+10.0 … +10.0",
        "45.0, 45.0", "55.0, 55.0", "3, 5",
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["selection_effect.py", f"--output={target}", f"FLO={tmp_path / 'none'}"])
    assert run_command(selection_effect.main) == 2
