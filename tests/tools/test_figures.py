"""Figures from run folders: whose H is compared with whose, and where a curve begins."""

import json

import numpy as np
import pytest

from tools.figures import gains, training_time


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


def test_a_curve_counts_the_first_stage(tmp_path):
    run, line = tmp_path / "run", '{"kind": "epoch", "clock": {"seconds": %d}, "predictions": {"classifier": {"harmonic": %s}}}\n'
    fold = run / "validation" / "fold-0"
    (fold / "first_stage").mkdir(parents=True)
    (run / "config.json").write_text('{"framework": "zerodiff"}')
    (fold / "first_stage" / "metrics.jsonl").write_text(line % (30, 0.1) + line % (60, 0.2))
    (fold / "metrics.jsonl").write_text(line % (30, 0.5) + line % (60, 0.6))
    assert training_time.curves(tmp_path) == {"zerodiff": [(1.5, 50.0), (2.0, 60.0)]}


@pytest.mark.parametrize("tool", ["gains", "training_time"])
def test_they_are_drawn(tmp_path, monkeypatch, tool):
    if tool == "gains":
        test_gains_are_paired_by_seed(tmp_path / "runs")
    else:
        (tmp_path / "runs").mkdir()
        test_a_curve_counts_the_first_stage(tmp_path / "runs")
    target = tmp_path / "figure.svg"
    monkeypatch.setattr("sys.argv", [tool, f"--output={target}", f"Some data={tmp_path / 'runs'}"])
    {"gains": gains, "training_time": training_time}[tool].main()
    assert target.read_text(encoding="utf-8").startswith("<?xml") and json.loads(target.with_suffix(".json").read_text())["Some data"]
