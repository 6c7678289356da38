"""Which results.json d3gzsl table counts."""

import json
from pathlib import Path

from d3gzsl_jax import main as program
from d3gzsl_jax.studies.tables import command, runs
from d3gzsl_jax.studies.tables.runs import Run
from tests.studies.tables.test_command import run


def left(folder, results):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results))
    return folder / "results.json"


def test_only_a_runs_own_folds_are_left_out(tmp_path, capsys):
    folder = tmp_path / "validation"  # what a folder of runs may be called, too
    for name in ("cell/seed-0", "fold-x", "fold-1/seed-0", "run/validation/fold-0", "run"):
        left(folder / name, run(0))
    found = {str(path.parent.relative_to(folder)) for path in command.find([folder])}
    assert found == {"cell/seed-0", "fold-x", "fold-1/seed-0", "run"}
    assert program.main(["table", str(folder / "cell")]) == 0
    assert program.main(["table", str(folder / "run" / "validation")]) == 2
    assert "or only those of validation folds" in capsys.readouterr().err


def test_a_run_that_was_killed_at_its_end_is_left_out(tmp_path):
    assert "stopped at its end" in command.read(left(tmp_path / "killed", run(0) | {"concluded": False}))
    for name, further in (("finished", {"concluded": True}), ("of-an-earlier-version", {})):
        assert command.read(left(tmp_path / name, run(0) | further)).seed == 0


def test_a_baseline_is_told_apart_by_its_data_and_by_whether_its_figures_are_calibrated():
    def named(*of):
        found = [
            Run(Path(), {}, method, True if "D3" in method else None, 0, {"eval.calibration": kind, "eval.fold_seed": seed}, {})
            for seed, (method, kind) in enumerate(of)
        ]
        return runs._names([[one] for one in found], ())

    assert named(("eszsl", "none"), ("eszsl", "folds"))[0][1].endswith("calibration=folds, fold_seed=1")
    assert named(("wgan + D3", "none"), ("eszsl", "folds")) == (["wgan + D3", "eszsl"], "calibration none (wgan + D3), folds (eszsl)")
    assert named(("wgan + D3", "folds"), ("eszsl", "folds")) == (["wgan + D3", "eszsl"], "")
