"""What a search found, with the runs of its best settings."""

import json

import pytest

from d3gzsl_jax.system.terminal import run_command
from tests.tools.evidence.results import results, write
from tools.evidence import report, searches

BASE, D3 = "cub100_small:wgan,base", "cub100_small:wgan"
FOLDERS = {BASE: "cub100_small-wgan-base", D3: "cub100_small-wgan"}
WEIGHTS = {f"distillation.weight_{term}": 0.25 for term in ("cls", "be", "kl", "od")}


def entry(name, settings, best, output):
    seed = {"seed": 0, "prediction": "classifier", "epoch": 3, "classifier_epochs": 2, "value": best, "folds": [best, best]}
    return {
        "configuration": name, "criterion": "calibrated", "searched": {"train.learning_rate": "3e-05 to 0.003, log"}, "left_out": [],
        "budget": {"trials": 4, "done": 3, "stopped_early": 1, "broke_down": 0, "begun": 0, "seconds": 8000.0, "core_seconds": 7200.0},
        "own": 0.5, "best": {"trial": 2, "value": best, "settings": settings, "flags": []}, "trials": [{"trial": 0, "seeds": [seed]}],
        "train": f"d3gzsl train --config=configs/{name} --workdir={output}/{FOLDERS[name]}/best",
    }  # fmt: skip


@pytest.fixture
def output(tmp_path):
    """A search of a base method and D3, as it was written to a folder of another name; and a run a seed of both's best settings."""
    found = [entry(BASE, {"train.learning_rate": 0.001}, 0.6, "OTHER"), entry(D3, {"train.learning_rate": 0.002} | WEIGHTS, 0.75, "OTHER")]
    folder = tmp_path / "search"
    for name, with_d3, unseen in ((BASE, False, 0.4), (D3, True, 0.6)):
        for seed in range(3):
            write(folder / FOLDERS[name] / "best" / f"seed-{seed}", results("wgan", with_d3, seed, unseen, 0.4 + 0.1 * seed))
    (folder / "search.json").write_text(json.dumps(found), encoding="utf-8")
    return folder


def test_a_row_a_configuration_with_its_budget_and_its_runs(output, tmp_path, monkeypatch):
    target = tmp_path / "kept" / "searches.json"
    monkeypatch.setattr("sys.argv", ["searches.py", f"--output={target}", f"FLO={output}"])
    assert run_command(searches.main) == 0
    table = searches.table(json.loads(target.read_text(encoding="utf-8")))
    rows = [[cell.text for cell in row] for row in table.rows]
    assert [row[:7] for row in rows] == [
        ["FLO", "WGAN-GP", "4", "2.0", "50.0", "60.0", "learning_rate 0.001"],
        ["FLO", "WGAN-GP + D3", "4", "2.0", "50.0", "75.0", "learning_rate 0.002, weights 0.25"],
    ]
    harmonics = {unseen: sum(200 * unseen * seen / (unseen + seen) for seen in (0.4, 0.5, 0.6)) / 3 for unseen in (0.4, 0.6)}
    assert [row[7:9] for row in rows] == [["classifier", "3"]] * 2
    assert all(row[9].startswith(f"{harmonics[unseen]:.1f} ± ") for row, unseen in zip(rows, (0.4, 0.6), strict=True))
    assert rows[0][-2:] == ["—", "—"] and rows[1][-2] == f"+{harmonics[0.6] - harmonics[0.4]:.1f}"


def test_the_report_has_its_block(output, tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    monkeypatch.setattr("sys.argv", ["searches.py", f"--output={kept / 'searches.json'}", f"FLO={output}"])
    assert run_command(searches.main) == 0
    for with_d3 in (False, True):
        write(kept / "FLO" / f"wgan-{with_d3}" / "seed-0", results("wgan", with_d3, 0, 0.5, 0.5))
    assert "WGAN-GP + D3" in report.blocks(kept)[0]["searches"]


def test_best_settings_that_were_not_trained_are_told_how_to(output, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["searches.py", f"--output={tmp_path / 'file.json'}", f"FLO={output}"])
    for path in (output / FOLDERS[D3]).rglob("results.json"):
        path.unlink()
    assert run_command(searches.main) == 2
    error = capsys.readouterr().err
    assert f"no finished run of {D3}" in error and "d3gzsl train" in error and not (tmp_path / "file.json").exists()
    (output / "search.json").unlink()
    assert run_command(searches.main) == 2 and "is not there" in capsys.readouterr().err
