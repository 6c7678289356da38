import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from d3gzsl_jax import settings
from d3gzsl_jax.config_file import load_config
from d3gzsl_jax.errors import DivergenceError, UserError
from tests import small
from tests.conftest import ROOT
from tools import ablate, ablation_figure, ablation_grid, ablation_table, workers
from tools.ablation_presets import PRESETS

DIGITS = str(ROOT / "configs" / "digits.py")


@pytest.fixture
def quick(tmp_path):
    """A configuration file that takes a second a run."""
    return small.write_quick_config(
        tmp_path, train__epochs=1, teacher__epochs=1, classifier__epochs=1, train__n_critic=1, distillation__n_syn=2
    )


def results_of(seed, predictions, selection="last", prediction=None, **further):
    """results.json by hand: metrics of each predictor as (U, S, T1)."""
    found = {}
    for name, (unseen, seen, zsl) in predictions.items():
        metrics = {"unseen": unseen, "seen": seen, "harmonic": 9.0, "zsl": zsl}  # H is to be recomputed
        found[name] = {"metrics": metrics, "selection": selection, "epochs": 20, "calibrated": None, "test_selected": None}
    return {
        "seed": seed, "selection": selection, "prediction": prediction or next(iter(predictions)), "predictions": found,
        "seconds": 1.0, **further,
    }  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
def test_cells_of_presets_are_configurations_that_make_sense(preset):
    cells = ablation_grid.cells_of([DIGITS], preset, [], {}, [], False)
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names) >= 3 and all(cell.against in names for cell in cells)
    assert cells[0].against == cells[0].name and not any(cell.against == cell.name for cell in cells[1:])
    assert all(cell.config.classifier.fit != "never" and cell.config.data.pipeline == "device" for cell in cells)
    resolved = [json.dumps(cell.config.to_dict(), sort_keys=True) for cell in cells]
    assert len(set(resolved)) == len(resolved), "two cells are the same"
    if any(name.startswith("full, ") for name in names):  # D3 with and without at every level, and compared there
        for cell in cells:
            assert settings.has_distillation(cell.config) == cell.name.startswith("full, ")
            if cell.name.startswith("full, "):
                assert cell.against == cell.name.replace("full", "base")


def test_components_have_the_weights_of_the_configuration():
    cells = ablation_grid.cells_of([DIGITS], "components", [], {"distillation.weight_kl": 0.5}, [], False)
    on = {
        cell.name: {term: cell.config.distillation[f"weight_{term}"] for term in ("cls", "od", "be", "kl")} for cell in cells
    }
    own = load_config(DIGITS, {"distillation.weight_kl": 0.5}).distillation
    assert on["base"] == dict.fromkeys(("cls", "od", "be", "kl"), 0.0)
    assert on["full"] == {"cls": own.weight_cls, "od": own.weight_od, "be": own.weight_be, "kl": 0.5}
    for name in ("cls", "cls+od", "cls+be", "cls+kl", "cls+be+kl"):
        assert {term for term, weight in on[name].items() if weight > 0} == set(name.split("+"))
    with pytest.raises(UserError, match=r"config\.distillation\.weight_cls=0: .* give a configuration with D3"):
        ablation_grid.cells_of([f"{DIGITS}:base"], "components", [], {}, [], False)


def test_the_grid_is_every_file_with_every_combination():
    vary = ["distillation.temperature=1,2", "distillation.variant=released,described"]
    cells = ablation_grid.cells_of([DIGITS, f"{DIGITS}:base"], "", vary, {"train.epochs": 3}, ["eszsl"], False)
    assert len(cells) == 2 * 4 + 2
    assert cells[0].name == "digits, distillation.temperature=1, distillation.variant=released"
    assert {cell.against for cell in cells} == {cells[0].name} and all(cell.config.train.epochs == 3 for cell in cells)
    assert cells[3].config.distillation.temperature == 2.0 and cells[3].config.distillation.variant == "described"
    assert [cell.folder for cell in cells if cell.baseline] == ["baseline-digits-eszsl", "baseline-digits-base-eszsl"]
    jobs = ablation_grid.jobs_of(cells, 2, Path("out"), False)
    assert [job.seed for job in jobs] == [0] * 10 + [1] * 10
    assert jobs[13].folder == "out/digits-distillation.temperature=2-distillation.variant=described/seed-1"
    assert jobs[13].config["seed"] == 1


def test_presets_and_values_are_combined_and_compared_at_the_same_values():
    cells = ablation_grid.cells_of([DIGITS], "framework", ["precision=float32,bfloat16"], {}, [], False)
    against = {cell.name: cell.against for cell in cells}
    assert against["full, cegzsl, precision=bfloat16"] == "base, cegzsl, precision=bfloat16"
    assert against["base, cegzsl, precision=bfloat16"] == "base, wgan, precision=float32"


def harmonic(unseen, seen):
    return 200 * unseen * seen / (unseen + seen)


def test_the_table_pairs_by_seed_and_falls_back_on_the_classifier():
    base = {0: (0.2, 0.6, 0.3), 1: (0.3, 0.5, 0.4), 2: (0.1, 0.9, 0.2)}
    student = {0: (0.4, 0.6, 0.5), 1: (0.3, 0.6, 0.6), 3: (0.9, 0.9, 0.9)}  # seeds 2 and 3 have no partner
    classifier = {0: (0.2, 0.6, 0.3), 1: (0.2, 0.5, 0.1), 3: (0.9, 0.9, 0.9)}
    entries = []
    for seed in (2, 0, 1):
        entries += ablation_table.entries_of("base", results_of(seed, {"classifier": base[seed]}), f"base/seed-{seed}", False)
    for seed in (0, 1, 3):
        both = {"student": student[seed], "classifier": classifier[seed]}
        entries += ablation_table.entries_of("full | x", results_of(seed, both), f"full/seed-{seed}", False)
    entries += ablation_table.entries_of("eszsl", results_of(0, {"eszsl": (0.5, 0.5, 0.6)}, "validation"), "b/seed-0", True)
    against = {"base": "base", "full | x": "base", "eszsl": "base"}
    rows = ablation_table.rows_of(entries, against)
    assert [(row.cell, row.predictor) for row in rows] == [
        ("base", "classifier"), ("full | x", "student"), ("full | x", "classifier"), ("eszsl", "eszsl")
    ]  # fmt: skip
    of = {(row.cell, row.predictor): row for row in rows}
    assert of["base", "classifier"].against is None
    np.testing.assert_allclose(of["base", "classifier"].percent("harmonic"), [harmonic(*base[s][:2]) for s in range(3)])
    expected = [harmonic(*student[seed][:2]) - harmonic(*base[seed][:2]) for seed in (0, 1)]
    found = of["full | x", "student"].against
    assert found["n"] == 2 and found["wins"] == 2 and found["difference"] == pytest.approx(np.mean(expected))
    assert of["full | x", "classifier"].against["wins"] == 0
    assert of["eszsl", "eszsl"].against["difference"] == pytest.approx(50 - harmonic(0.2, 0.6))

    text = ablation_table.markdown("digits: x", entries, rows, against, "python tools/ablate.py --x", ["full, seed 2: broke"])
    lines = text.splitlines()
    table = [[cell.strip() for cell in line.replace("\\|", "/").strip("|").split("|")] for line in lines if line.startswith("|")]
    assert {len(row) for row in table} == {len(table[0])}
    row = dict(zip(table[0], table[3], strict=True))
    values = [harmonic(*student[seed][:2]) for seed in student]
    assert row["cell"] == "full / x" and row["seeds"] == "3" and row["epoch"] == "20"
    assert row["H"] == f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}" and row["AUSUC"] == "—"
    assert float(row["ΔH"]) == pytest.approx(np.mean(expected), abs=0.051) and row["ΔH"].startswith("+")
    assert row["wins"] == "2/2" and row["compared with"] == "base"
    assert "Selection `last`: the last epoch" in text and "- full, seed 2: broke" in text
    assert lines[-3:] == ["```bash", "python tools/ablate.py --x", "```"]

    read = list(csv.DictReader(ablation_table.comma_separated(entries).splitlines()))
    assert len(read) == len(entries) and read[0]["cell"] == "base" and read[0]["seed"] == "2" and read[0]["ausuc"] == ""
    assert float(read[0]["harmonic"]) == pytest.approx(harmonic(*base[2][:2]) / 100)
    figure = ablation_figure.files(ablation_figure.draw("digits", rows))
    assert figure["png"].startswith(b"\x89PNG") and b"<svg" in figure["svg"]


def test_calibrated_figures_and_absent_ones():
    results = results_of(0, {"student": (None, 0.5, None)}, "validation")
    results["predictions"]["student"] |= {"calibrated": {"gamma": 1.0, "unseen": 0.4, "seen": 0.6}, "epochs": 7}
    (entry,) = ablation_table.entries_of("x", results, "x/seed-0", False)
    assert math.isnan(entry.harmonic) and entry.calibrated == pytest.approx(0.48) and entry.epochs == 7
    rows = ablation_table.rows_of([entry], {"x": "x"})
    text = ablation_table.markdown("x", [entry], rows, {"x": "x"}, "c", [])
    assert "| x | student | 1 | — | 50.0 | — | — | — | — | 48.0 | 7 |" in text and "held out inside trainval" in text
    ablation_figure.draw("x", rows)


def test_figures_of_folds_and_test_selected_ones():
    results = results_of(0, {"student": (0.4, 0.6, 0.7)}, "folds only")
    results["predictions"]["student"] |= {"validation": {"epoch": 15}}
    results["predictions"]["student"]["metrics"] |= {"harmonic": 0.47, "calibrated": 0.49}
    (entry,) = ablation_table.entries_of("x", results, "x/seed-0", False)
    assert (entry.harmonic, entry.calibrated, entry.epochs) == (0.47, 0.49, 15)
    results = results_of(0, {"student": (0.4, 0.6, 0.7)}, "test")
    best = {"unseen": 0.5, "seen": 0.5, "harmonic": 0.5, "zsl": 0.6, "ausuc": 0.3}
    results["predictions"]["student"]["test_selected"] = {"selection": "test", "epochs": 3, "metrics": best}
    (entry,) = ablation_table.entries_of("x", results, "x/seed-0", False)
    assert (entry.unseen, entry.harmonic, entry.epochs, entry.ausuc) == (0.5, 0.5, 3, 0.3)
    text = ablation_table.markdown("x", [entry], ablation_table.rows_of([entry], {"x": "x"}), {"x": "x"}, "c", [])
    assert "TEST-SELECTED" in text


def test_selection_rules_are_not_mixed():
    entries = ablation_table.entries_of("a", results_of(0, {"student": (0.5, 0.5, 0.5)}, "last"), "a/seed-0", False)
    entries += ablation_table.entries_of("b", results_of(0, {"student": (0.5, 0.5, 0.5)}, "test"), "b/seed-0", False)
    with pytest.raises(UserError, match=r"selection rules differ .*'last' in a/seed-0, 'test' in b/seed-0"):
        ablation_table.rows_of(entries, {"a": "a", "b": "a"})


def test_a_real_ablation_is_gone_on_with_and_tabled(quick, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out"
    vary = ["--config", quick, "--vary", "distillation.weight_od=0.0,0.1", "--output", str(output), "--workers", "1"]
    vary += ["--baselines", "eszsl"]
    assert ablate.main([*vary, "--seeds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "[2/3] distillation.weight_od=0.1, seed 0" in printed and "student U " in printed and "classifier U " in printed
    first = [path.read_text() for path in sorted(output.glob("*/seed-0/results.json"))]

    def breaks(config, folder, display):
        if config.distillation.weight_od == 0.0:
            raise DivergenceError("loss is nan after outer step 3")
        return train(config, folder, display)

    # One run breaks down: it is named, and the others are done.
    train = ablation_grid.train
    monkeypatch.setattr(ablation_grid, "train", breaks)
    assert ablate.main([*vary, "--seeds", "2", "--prune"]) == 3
    message = capsys.readouterr()
    failure = "distillation.weight_od=0.0, seed 1: DivergenceError loss is nan after outer step 3"
    assert f"ablate: failed: {failure}" in message.err and f"- {failure}" in (output / "ablation.md").read_text()
    assert "3 of 6 runs are finished already" in message.out and "[5/6] distillation.weight_od=0.1, seed 1" in message.out
    monkeypatch.undo()
    assert ablate.main([*vary, "--seeds", "2"]) == 0
    assert "5 of 6 runs are finished already" in capsys.readouterr().out and "Failed" not in (output / "ablation.md").read_text()
    assert first == [path.read_text() for path in sorted(output.glob("*/seed-0/results.json"))]
    assert (output / "distillation.weight_od=0.1/seed-0/checkpoints").is_dir()
    assert not (output / "distillation.weight_od=0.1/seed-1/checkpoints").exists()
    for extension in ("md", "csv", "png", "svg"):
        assert (output / f"ablation.{extension}").stat().st_size > 0
    with (output / "ablation.csv").open() as file:
        read = list(csv.DictReader(file))
    assert len(read) == 2 * (2 * 2 + 1)
    assert {(line["selection"], line["baseline"]) for line in read} == {("last", "False"), ("validation", "True")}
    for line in read:
        results = json.loads((output / line["folder"] / "results.json").read_text())
        assert float(line["harmonic"]) == pytest.approx(results["predictions"][line["predictor"]]["metrics"]["harmonic"])
    text = (output / "ablation.md").read_text()
    assert "| distillation.weight_od=0.1 | student | 2 |" in text and "--vary distillation.weight_od=0.0,0.1" in text

    # Another configuration in that folder is told before anything is trained.
    assert ablate.main([*vary, "--set", "train.batch_size=32"]) == 2
    message = capsys.readouterr().err
    assert "holds a run with config.train.batch_size=64, now it is 32" in message and message.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--config is missing"),
        (["--config", "nowhere.py"], "nowhere.py: no such configuration file"),
        (["--config", DIGITS, "--preset", "component"], "--preset component: expected one of components, "),
        (["--config", DIGITS, "--vary", "distillation.temprature=1"], "config.distillation.temprature: no such field; did you mean"),
        (["--config", DIGITS, "--vary", "distillation.temperature"], "--vary distillation.temperature: must be FIELD=VALUE"),
        (["--config", DIGITS, "--vary", "distillation.score=msp,mps"], "cell 'distillation.score=mps': config.distillation.score"),
        (["--config", DIGITS, "--config", DIGITS], "'digits' and 'digits' would share a folder"),
        (["--config", DIGITS, "--vary", "eval.selection=last,test"], "config.eval.selection differs between cells"),
        (["--config", DIGITS, "--baselines", "eszsl,sezsl"], "--baselines sezsl: expected some of eszsl"),
        (["--config", DIGITS, "--seeds", "0"], "--seeds 0: must be at least 1"),
        (["--config", str(ROOT / "configs/cub.py"), "--root", "/nowhere", "--preset", "components"], "res101.mat"),
    ],
)
def test_bad_input_exits_2_before_any_training(arguments, message, tmp_path, capsys):
    assert ablate.main([*arguments, "--output", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr().err
    assert message in captured and captured.count("\n") == 1 and not (tmp_path / "out").exists()


def test_list_says_what_there_is(capsys):
    assert ablate.main(["--list", "--config", DIGITS]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}: " in printed for name in PRESETS) and "    cls+be+kl: {" in printed


# What is done in processes here is Python's own `eval`: nothing of ours has to be imported there.
CORES, WHO = "__import__('os').sched_getaffinity(0)", "__import__('os').getpid()"


def test_processes_do_jobs_on_cores_of_their_own():
    jobs = [CORES, WHO, "1 / 0", f"__import__('os').kill({WHO}, 9)", "2 * 3", "None"]
    with workers.Pool(eval, 2) as pool:
        found = dict(pool.finished(jobs))
    assert found[jobs[2]] == workers.Failed("ZeroDivisionError", "ZeroDivisionError: division by zero")
    assert "its process ended by itself (killed: out of memory?)" in found[jobs[3]].message
    assert found["2 * 3"] == 6 and found["None"] is None and found[WHO] != os.getpid()
    assert sorted(found[CORES]) in workers.shares(workers.cores(), 2)
    assert set(workers.cores()) == os.sched_getaffinity(0)


def test_processes_end_when_they_are_interrupted():
    began, pool = time.monotonic(), workers.Pool(eval, 1)

    def interrupted():
        with pool:
            for _ in pool.finished(["1", "__import__('time').sleep(60)"]):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - began < 30 and not pool._workers[0].process.is_alive()


def test_cores_are_shared_evenly_and_accelerators_seen(tmp_path, monkeypatch):
    assert workers.shares([2, 3, 5], 2) == [[2], [3, 5]] and workers.shares([2, 3], 3) == [[2], [3], [2]]
    assert workers.shares(range(8), 4) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert workers.has_accelerator({"JAX_PLATFORMS": "cuda,cpu"}) and not workers.has_accelerator({"JAX_PLATFORMS": "cpu"})
    assert not workers.has_accelerator({}, tmp_path)
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(workers.importlib.util, "find_spec", lambda name: name == "jax_cuda12_plugin" or None)
    assert workers.has_accelerator({}, tmp_path)
    monkeypatch.setattr(workers.importlib.util, "find_spec", lambda name: None)
    assert not workers.has_accelerator({}, tmp_path)


def test_sigterm_stops_all_processes_and_the_same_command_goes_on(quick, tmp_path):
    command = [
        sys.executable, str(ROOT / "tools" / "ablate.py"), "--config", f"{quick}:base", "--vary", "train.beta2=0.99,0.999",
        "--seeds", "1", "--workers", "2", "--output", str(tmp_path / "out"), "--set", "train.epochs=100000", "--set", "eval.every_epochs=1",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("*/seed-0/metrics.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, told_last = process.communicate(timeout=60)
    assert process.returncode == 143 and told_last == "ablate: stopped; the same command goes on\n"
    assert list((tmp_path / "out").glob("*/seed-0/checkpoints/*"))
