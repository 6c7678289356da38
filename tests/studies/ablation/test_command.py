import csv
import json
import signal
import subprocess
import sys
import time

import pytest

from d3gzsl_jax import main as program
from d3gzsl_jax.baselines.eszsl import ESZSL
from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.studies import executors, jobs, worker_pool
from d3gzsl_jax.studies.ablation import study
from d3gzsl_jax.studies.ablation.presets import PRESETS
from d3gzsl_jax.studies.baselines import harness
from d3gzsl_jax.studies.tables.writer import markdown_text as escaped
from tests import small
from tests.conftest import ROOT

DIGITS = str(ROOT / "configs" / "digits.py")


@pytest.fixture
def quick(tmp_path):
    """A configuration file that takes a second a run."""
    return small.write_quick_config(
        tmp_path, train__epochs=1, teacher__epochs=1, classifier__epochs=1, train__n_critic=1, distillation__n_syn=2
    )


@pytest.mark.slow
def test_a_real_ablation_is_gone_on_with_and_tabled(quick, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out"
    vary = ["--config", quick, "--vary", "distillation.weight_od=0.0,0.1", "--output", str(output), "--workers", "1"]
    vary += ["--baselines", "eszsl"]
    assert program.main(["ablate", *vary, "--seeds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "[2/3] distillation.weight_od=0.1, seed 0" in printed and "student U " in printed and "classifier U " in printed
    first = [path.read_text() for path in sorted(output.glob("*/seed-0/results.json"))]

    def breaks(config, folder, display, **named):
        if config.distillation.weight_od == 0.0:
            raise DivergenceError("loss is nan after outer step 3")
        return train(config, folder, display, **named)

    # One run breaks down: it is named, and the others are done.
    train = jobs.train
    monkeypatch.setattr(jobs, "train", breaks)
    assert program.main(["ablate", *vary, "--seeds", "2", "--prune"]) == 3
    message = capsys.readouterr()
    failure = "distillation.weight_od=0.0, seed 1: DivergenceError loss is nan after outer step 3"
    assert f"ablate: failed: {failure}" in message.err and f"- {escaped(failure)}" in (output / "ablation.md").read_text()
    assert "3 of 6 runs are finished already" in message.out and "[5/6] distillation.weight_od=0.1, seed 1" in message.out
    monkeypatch.undo()
    assert program.main(["ablate", *vary, "--seeds", "2"]) == 0
    assert "5 of 6 runs are finished already" in capsys.readouterr().out and "Failed" not in (output / "ablation.md").read_text()
    assert first == [path.read_text() for path in sorted(output.glob("*/seed-0/results.json"))]
    assert (output / "distillation.weight_od=0.1/seed-0/checkpoints").is_dir()
    assert not (output / "distillation.weight_od=0.1/seed-1/checkpoints").exists()
    for ending in (".md", ".tex", ".html", ".csv", "-curves.csv", ".png", ".svg"):
        assert (output / f"ablation{ending}").stat().st_size > 0
    with (output / "ablation-curves.csv").open() as file:
        curves = list(csv.DictReader(file))
    assert len(curves) == 2 * 2 * 2 and {curve["predictor"] for curve in curves} == {"student", "classifier"}
    for curve in curves:
        lines = (output / curve["cell"] / f"seed-{curve['seed']}" / "metrics.jsonl").read_text().splitlines()
        of_epoch = [line["predictions"] for line in map(json.loads, lines) if line["epoch"] == int(curve["epoch"])]
        assert float(curve["harmonic"]) in [found[curve["predictor"]]["harmonic"] for found in of_epoch if curve["predictor"] in found]
    with (output / "ablation.csv").open() as file:
        read = list(csv.DictReader(file))
    assert len(read) == 2 * (2 * 2 + 1)
    assert {(line["selection"], line["baseline"]) for line in read} == {("last", "False"), ("validation", "True")}
    for line in read:
        results = json.loads((output / line["folder"] / "results.json").read_text())
        assert float(line["harmonic"]) == pytest.approx(results["predictions"][line["predictor"]]["metrics"]["harmonic"])
    text = (output / "ablation.md").read_text()
    assert f"| {escaped('distillation.weight_od=0.1')} | student | 2 |" in text and "--vary distillation.weight_od=0.0,0.1" in text

    # Another configuration in that folder is told before anything is trained.
    assert program.main(["ablate", *vary, "--set", "train.batch_size=32"]) == 2
    message = capsys.readouterr().err
    assert "holds a run with config.train.batch_size=64, now it is 32" in message and message.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--config is missing"),
        (["--config", "nowhere.py"], "nowhere.py: no such configuration file"),
        (["--config", DIGITS, "--preset", "component"], "test_shift, feature_noise, semantic_noise, classes; did you mean components?; --list shows "),
        (["--config", DIGITS, "--vary", "distillation.temprature=1"], "config.distillation.temprature: no such field; did you mean"),
        (["--config", DIGITS, "--vary", "distillation.temperature"], "--vary distillation.temperature: must be FIELD=VALUE"),
        (["--config", DIGITS, "--vary", "distillation.score=msp,mps"], "cell 'distillation.score=mps': config.distillation.score"),
        (["--config", DIGITS, "--config", DIGITS], "'digits' and 'digits' would share a folder"),
        (["--config", DIGITS, "--vary", "eval.selection=last,test"], "config.eval.selection differs between cells"),
        (["--config", DIGITS, "--baselines", "eszsl,sezsl"], "--baselines sezsl: expected some of eszsl, regressor, class_norm; did you mean eszsl?"),
        (["--config", DIGITS, "--vary", "dataset=digits,CUB"], "config.dataset differs between cells: digits (dataset=digits), CUB ("),
        (["--config", DIGITS, "--vary", "seed=3,4"], "--vary seed=3,4: every run is made with seeds 0, 1, ..., as many as --seeds says"),
        (["--config", DIGITS, "--set", "config.seed=3"], "--set config.seed=3: every run is made with seeds 0, 1, ..."),
        (["--config", DIGITS, "--set", "seeds=(0, 1)"], "config.seeds=(0, 1), and every run here has one seed; give --seeds 2"),
        (["--config", DIGITS, "--only", "base"], "--only base: chooses among the cells of a preset; give --preset"),
        (["--config", DIGITS, "--preset", "imbalance", "--only", "base, imbalance 3"], "is called 'base'; it has 'base, imbalance 1', "),
        (["--config", DIGITS, "--seeds", "0"], "--seeds: expected a whole number, 1 or more, not 0"),
        (["--config", str(ROOT / "configs/cub.py"), "--root", "/nowhere", "--preset", "components"], "res101.mat"),
    ],
)
def test_bad_input_exits_2_before_any_training(arguments, message, tmp_path, capsys):
    assert program.main(["ablate", *arguments, "--output", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr().err
    assert message in captured and captured.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_without_a_look_at_the_test_rows_baselines_are_of_the_folds_too(quick, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(harness.BASELINES, "eszsl", ESZSL(exponents=(0, 1)))
    looked_at = []

    def evaluate(baseline, data, *given, **named):
        looked_at.append(data.name)
        return evaluate_(baseline, data, *given, **named)

    evaluate_ = harness.evaluate
    monkeypatch.setattr(harness, "evaluate", evaluate)
    output = tmp_path / "out"
    command = ["--config", quick, "--set", "eval.selection=validation", "--set", "eval.prediction=auto", "--seeds", "1"]
    command += ["--baselines", "eszsl", "--workers", "1", "--output", str(output), "--prune"]
    assert program.main(["ablate", *command, "--set", "eval.retrain=False"]) == 0
    assert looked_at == ["digits, fold 0"]
    text = (output / "ablation.md").read_text()
    assert "no test row was looked at" in text and "| quick | chosen | 1 |" in text
    with (output / "ablation.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["selection"] for line in lines} == {"folds only"}
    for line in lines:
        entry = json.loads((output / line["folder"] / "results.json").read_text())["predictions"][line["predictor"]]
        assert float(line["harmonic"]) == pytest.approx(entry["validation"]["metrics"]["harmonic"])
        assert float(line["calibrated"]) == pytest.approx(entry["validation"]["metrics"]["calibrated"])
    assert not list(output.glob("**/checkpoints")) and list(output.glob("quick/seed-0/validation/fold-0/trials/*.npz"))

    # Pruned and of folds alone, they go on to the test rows; the folds are not trained again.
    before = (output / "quick/seed-0/validation/fold-0/results.json").stat().st_mtime_ns
    capsys.readouterr()
    assert program.main(["ablate", *command]) == 0
    assert "finished already" not in capsys.readouterr().out and looked_at == ["digits, fold 0"] * 2 + ["digits"]
    assert (output / "quick/seed-0/validation/fold-0/results.json").stat().st_mtime_ns == before
    with (output / "ablation.csv").open() as file:
        assert {line["selection"] for line in csv.DictReader(file)} == {"validation"}
    assert not list(output.glob("**/checkpoints"))
    assert program.main(["ablate", *command, "--set", "eval.retrain=False"]) == 2
    assert "looked at the test rows, and config.eval.retrain=False asks for none" in capsys.readouterr().err


@pytest.mark.slow
def test_what_cannot_be_selected_on_the_test_rows_is_left_out(quick, tmp_path, capsys):
    command = ["--config", quick, "--set", "eval.selection=test", "--seeds", "1", "--workers", "1", "--output", str(tmp_path / "out")]
    assert program.main(["ablate", *command]) == 0
    text = (tmp_path / "out" / "ablation.md").read_text()
    assert "| quick | student | 1 |" in text and "| quick | classifier |" not in text
    assert "no epochs to select from: quick, classifier." in text


@pytest.mark.slow
def test_data_that_has_changed_is_not_mixed_with_what_was_there(tmp_path, capsys):
    small.write_mat_folder(tmp_path / "data")
    config = small.write_quick_config(
        tmp_path, dataset="small", data__source="mat", train__epochs=1, teacher__epochs=1, classifier__epochs=1, train__batch_size=8
    )
    command = ["--config", f"{config}:base", "--root", str(tmp_path / "data"), "--seeds", "1", "--workers", "1"]
    command += ["--output", str(tmp_path / "out")]
    assert program.main(["ablate", *command]) == 0
    assert program.main(["ablate", *command]) == 0
    small.write_mat_folder(tmp_path / "data", att_splits={"att": small.mat_arrays()["att_splits"]["att"][:, ::-1]})
    capsys.readouterr()
    assert program.main(["ablate", *command]) == 2
    message = capsys.readouterr().err
    assert "seed-0: holds a run on other data (what is under config.data.root has changed)" in message and message.count("\n") == 1


@pytest.mark.slow
def test_few_runs_that_are_left_have_no_more_cores_than_before(quick, tmp_path, monkeypatch):
    asked = []

    class Pool(worker_pool.Here):
        def __init__(self, work, workers, processes):
            super().__init__(work)
            asked.append((workers, processes))

    monkeypatch.setattr(executors, "Pool", Pool)
    command = ["--config", f"{quick}:base", "--seeds", "1", "--workers", "3", "--output", str(tmp_path / "out")]
    assert program.main(["ablate", *command]) == 0
    assert program.main(["ablate", *command]) == 0
    assert asked == [(3, 1), (3, 0)]


@pytest.mark.slow
def test_seeds_of_a_cell_together_are_the_same_runs(quick, tmp_path, capsys):
    given = ["ablate", "--config", quick, "--vary", "distillation.weight_od=0.0,0.1", "--workers", "1", "--baselines", "eszsl"]
    apart, together = tmp_path / "apart", tmp_path / "together"
    assert program.main([*given, "--seeds", "2", "--output", str(apart)]) == 0
    assert program.main([*given, "--seeds", "1", "--output", str(together)]) == 0
    capsys.readouterr()
    assert program.main([*given, "--seeds", "3", "--seeds-together", "--prune", "--output", str(together)]) == 0
    printed = capsys.readouterr().out
    assert "3 of 9 runs are finished already" in printed and "[9/9] " in printed
    lines = [line for line in printed.splitlines() if line.startswith("[")]
    assert [line.split(",")[0].split("] ")[1] for line in lines[:2]] == ["distillation.weight_od=0.0"] * 2, "a cell after the other"
    for path in apart.glob("*/seed-*/results.json"):
        ours, theirs = (json.loads(of.read_text()) for of in (together / path.relative_to(apart), path))
        assert ours["config"] == theirs["config"] and ours["predictions"] == theirs["predictions"]
    assert not list(together.glob("*/seed-2/checkpoints")) and list(together.glob("*/seed-0/checkpoints"))
    assert program.main([*given, "--seeds", "3", "--output", str(together)]) == 0
    assert "9 of 9 runs are finished already" in capsys.readouterr().out


@pytest.mark.slow
def test_of_seeds_together_one_that_breaks_down_does_not_take_the_others_along(quick, tmp_path, capsys, monkeypatch):
    def breaks(config, folder, display, **named):
        if config.seed == 1:
            raise DivergenceError("loss is nan after outer step 3")
        return train(config, folder, display, **named)

    def breaks_together(folder, config, *others, **named):
        asked.append(tuple(config.seeds))
        raise DivergenceError("loss is nan after outer step 2")

    train, asked = jobs.train, []
    monkeypatch.setattr(jobs, "train", breaks)
    monkeypatch.setattr(jobs, "train_together", breaks_together)
    given = ["ablate", "--config", quick, "--seeds", "3", "--seeds-together", "--prune", "--output", str(tmp_path / "out")]
    assert program.main([*given, "--workers", "1"]) == 3
    told = capsys.readouterr()
    assert asked == [(0, 1, 2)] and "seed 1: failed: DivergenceError loss is nan after outer step 3" in told.err
    assert "[3/3] quick, seed 2, " in told.out and len(list(tmp_path.glob("out/*/*/results.json"))) == 2
    assert not list(tmp_path.glob("out/*/seed-[02]/checkpoints")), "what is finished is pruned"


def test_seeds_that_cannot_be_one_program_are_refused(quick, tmp_path, capsys):
    given = ["ablate", "--config", quick, "--seeds", "2", "--seeds-together", "--set", "data.pipeline=stream"]
    assert program.main([*given, "--output", str(tmp_path / "out")]) == 2
    assert "--seeds-together, cell 'quick': config.data.pipeline='stream' and config.seeds" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_jobs_are_grouped_by_what_differs_in_its_seed_alone():
    of = lambda cell, seed, baseline="": jobs.Job(cell, seed, f"{cell}/seed-{seed}", {}, baseline, {}, False)  # noqa: E731
    given = [of("a", 0), of("b", 0), of("c", 0, "eszsl"), of("a", 1), of("c", 1, "eszsl")]
    assert [[(job.cell, job.seed) for job in group] for group in jobs.together(given)] == [
        [("a", 0), ("a", 1)], [("b", 0)], [("c", 0)], [("c", 1)],
    ]  # fmt: skip


def test_it_is_said_which_cell_has_nothing_to_be_compared_with(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(study, "_do", lambda *_: None)
    given = ["ablate", "--config", DIGITS, "--preset", "imbalance", "--seeds", "1", "--output", str(tmp_path / "out")]
    assert program.main([*given, "--only", "base, imbalance 1,full, imbalance 1,full, imbalance 10"]) == 0
    told = capsys.readouterr().err
    assert told == "d3gzsl ablate: not compared, since that cell is not run: full, imbalance 10 (with base, imbalance 10)\n"
    assert program.main([*given, "--only", "base, imbalance 1,full, imbalance 1"]) == 0 and not capsys.readouterr().err


def test_list_says_what_there_is(capsys):
    assert program.main(["ablate", "--list", "--config", DIGITS]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}: " in printed for name in PRESETS) and "    cls+be+kl: {" in printed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--list", "--preset=components"], "leave --preset out"), (["--list", "--only=a"], "leave --only out"),
     (["--list", f"--config={DIGITS}"], "leave the other --config out"),
     (["--preset=components", "--only=,", "--output=o"], "--only ,: names no cell of the preset; it has 'base'")],
)  # fmt: skip
def test_what_would_not_be_looked_at_is_refused(arguments, told, capsys):
    assert program.main(["ablate", f"--config={DIGITS}", *arguments]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.processes
@pytest.mark.slow
def test_sigterm_stops_all_processes_and_the_same_command_goes_on(quick, tmp_path):
    command = [
        sys.executable, "-m", "d3gzsl_jax", "ablate", "--config", f"{quick}:base", "--vary", "train.beta2=0.99,0.999",
        "--seeds", "1", "--workers", "2", "--output", str(tmp_path / "out"), "--set", "train.epochs=100000", "--set", "eval.every_epochs=1",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("*/seed-0/metrics.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, told_last = process.communicate(timeout=60)
    assert process.returncode == 143 and told_last == "d3gzsl ablate: stopped; the same command goes on\n"
    assert list((tmp_path / "out").glob("*/seed-0/checkpoints/*"))
