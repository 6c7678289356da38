"""The command, with trials that train nothing; what trials train is in test_trial.py."""

import dataclasses
import json
import shlex
from pathlib import Path

import pytest

from d3gzsl_jax import main as program
from d3gzsl_jax.config import check, command_line
from d3gzsl_jax.data import load as data_load
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.studies.search import database, study
from d3gzsl_jax.system import extras
from tests import small
from tests.conftest import ROOT

DIGITS = str(ROOT / "configs" / "digits.py")
QUICK = {"--workers": "1", "--trials": "3"}


@pytest.fixture(autouse=True)
def as_in_a_process_of_its_own():
    database.storage_of.cache_clear()
    yield
    database.storage_of.cache_clear()


@pytest.fixture
def trained(monkeypatch):
    """Trials whose value follows from the learning rate alone; each that was begun."""
    begun = []

    def work(job):
        begun.append((job.name, job.number))
        rate = job.runs[0].config["train"]["learning_rate"]
        value = 1.0 - min(abs(rate - 3e-3) * 100, 1.0)
        seeds = [
            {"seed": run.seed, "prediction": "student", "epoch": 5, "classifier_epochs": 0, "value": value, "folds": [value]}
            for run in job.runs
        ]
        return {"value": value, "seeds": seeds}

    monkeypatch.setattr(study, "work", work)
    return begun


def search(output, *arguments, configs=(DIGITS,)):
    specs = [text for spec in configs for text in ("--config", spec)]
    quick = [text for option, value in QUICK.items() if option not in arguments for text in (option, value)]
    return program.main(["search", *specs, *quick, "--output", str(output), *arguments])


def entries(output):
    return json.loads((output / "search.json").read_text())


@pytest.mark.slow
def test_every_configuration_is_given_as_many_trials_and_its_best_settings_are_told(trained, tmp_path, capsys):
    output = tmp_path / "new" / "out"
    assert search(output, "--seeds", "2", configs=[f"{DIGITS}:base", DIGITS]) == 0
    printed = capsys.readouterr().out
    # One after the other: at any time both have as many, or one less.
    assert trained == [(f"search: {name}", number) for number in range(3) for name in ("digits:base", "digits")]
    base, d3 = entries(output)
    assert (base["configuration"], d3["configuration"]) == ("digits:base", "digits")
    for entry in (base, d3):
        assert entry["budget"]["trials"] == entry["budget"]["done"] == len(entry["trials"]) == 3
        assert entry["own"] == entry["trials"][0]["value"] == pytest.approx(0.8)
        assert entry["best"]["value"] == max(trial["value"] for trial in entry["trials"])
        assert entry["trials"][0]["settings"]["train.learning_rate"] == 1e-3
        assert [seed["seed"] for seed in entry["trials"][1]["seeds"]] == [0, 1]
    assert "distillation.weights" in d3["searched"] and "distillation.weights" not in base["searched"]
    text = (output / "search.md").read_text()
    assert "3 trials for each configuration" in text and "No test row was looked at" in text and "d3gzsl search --config" in text
    assert "| digits:base | 3 | 3 | 0 | 0 | 0 |" in text and "| digits | 3 | 3 | 0 | 0 | 0 |" in text
    assert d3["train"] in text and d3["train"] in printed and base["train"] in printed

    # The commands are configurations that can be trained, with the settings of the best trial.
    for entry in (base, d3):
        config, given, rest = command_line.taken(shlex.split(entry["train"])[2:])
        flags = dict(flag.removeprefix("--config.").split("=") for flag in entry["best"]["flags"])
        assert config.train.learning_rate == float(flags["train.learning_rate"]) == entry["best"]["settings"]["train.learning_rate"]
        assert (config.eval.selection, config.eval.retrain, config.seeds) == ("validation", True, (0, 1)) and flags.keys() <= given.keys()
        assert rest == [f"--workdir={output / entry['configuration'].replace(':', '-') / 'best'}"]


@pytest.mark.slow
def test_the_same_command_does_nothing_twice_and_more_trials_go_on(trained, tmp_path, capsys):
    assert search(tmp_path) == 0
    before = (tmp_path / "search.md").read_text()
    capsys.readouterr()
    database.storage_of.cache_clear()
    assert search(tmp_path) == 0 and len(trained) == 3
    assert "3 of 3 trials are done already" in capsys.readouterr().out and (tmp_path / "search.md").read_text() == before
    assert search(tmp_path, "--trials", "4") == 0 and len(trained) == 4
    (entry,) = entries(tmp_path)
    assert [trial["trial"] for trial in entry["trials"]] == [0, 1, 2, 3]

    # Another configuration, other fields, another number of seeds.
    for further, what in (
        (["--set", "train.batch_size=32"], "config.train.batch_size=64, now it is 32"), (["--seeds", "2"], "other --seeds (1; now 2)"),
        (["--field", "train.learning_rate=1e-4..1e-2:log"], "other fields (train.learning_rate: 0.0001 to 0.01, log; distillation.weights"),
    ):
        capsys.readouterr()
        assert search(tmp_path, *further) == 2
        told = capsys.readouterr().err
        assert what in told and told.startswith("d3gzsl search: the study 'search: digits' in sqlite:///") and told.count("\n") == 1


@pytest.mark.slow
def test_a_configuration_with_more_trials_than_wanted_takes_none_of_anothers(trained, tmp_path, capsys):
    assert search(tmp_path, "--trials", "4") == 0 and len(trained) == 4
    capsys.readouterr()
    assert search(tmp_path, "--trials", "2", configs=[DIGITS, f"{DIGITS}:base"]) == 0
    assert trained[4:] == [("search: digits:base", 0), ("search: digits:base", 1)]
    assert "2 of 4 trials are done already" in capsys.readouterr().out


@pytest.mark.slow
def test_what_failed_is_tried_again_and_what_broke_down_is_told(trained, tmp_path, capsys, monkeypatch):
    work, errors = study.work, {1: UserError("no space there"), 2: DivergenceError("loss is nan after outer step 3")}

    def fails(job):
        if error := errors.get(job.number):
            raise error
        return work(job)

    monkeypatch.setattr(study, "work", fails)
    assert search(tmp_path) == 3
    told = capsys.readouterr()
    assert "d3gzsl search: failed: digits, trial 1: UserError no space there" in told.err
    assert "digits, trial 2: broke down: loss is nan after outer step 3" in told.out
    (entry,) = entries(tmp_path)
    assert [trial["state"] for trial in entry["trials"]] == ["done", "begun", "broke down"]
    settings = entry["trials"][1]["settings"]
    assert entry["budget"] | {"trials": 3, "done": 1, "begun": 1, "broke_down": 1} == entry["budget"]
    assert "broke down: loss is nan after outer step 3 |" in (tmp_path / "search.md").read_text()

    errors.clear()
    assert search(tmp_path) == 0
    (entry,) = entries(tmp_path)
    assert [trial["state"] for trial in entry["trials"]] == ["done", "done", "broke down"]
    assert entry["trials"][1]["settings"] == settings and trained[-1] == ("search: digits", 1)


@pytest.mark.slow
def test_machines_that_share_a_database_share_the_trials(trained, tmp_path, capsys):
    shared = ["--storage", f"sqlite:///{tmp_path / 'shared.db'}"]
    assert search(tmp_path / "one", *shared, "--trials", "2") == 0
    assert search(tmp_path / "other", *shared) == 0
    assert [number for _, number in trained] == [0, 1, 2]
    (entry,) = entries(tmp_path / "other")
    assert entry["budget"]["trials"] == 3 and not (tmp_path / "other" / "study.db").exists()
    database.load(shared[1], "search: digits", "median", {}).ask()  # a third machine has taken one
    capsys.readouterr()
    assert search(tmp_path / "other", *shared, "--trials", "4") == 0 and len(trained) == 3
    assert "1 trials have no end: they run on other machines, or were left there" in capsys.readouterr().out


def test_settings_that_do_not_go_together_end_a_trial_and_not_the_search(trained, tmp_path, capsys):
    fields = ["--field", "classifier.n_syn=100,300", "--field", "classifier.zsl_n_syn=0,200", "--set", "classifier.zsl=own"]
    assert search(tmp_path, "--trials", "8", *fields) == 0
    (entry,) = entries(tmp_path)
    states = {tuple(trial["settings"].values()): trial["state"] for trial in entry["trials"]}
    assert states[300, 0] == "done" and states.get((100, 200), "broke down") == "broke down" and len(entry["trials"]) == 8


NORMALIZED = ["--field", "data.normalize_semantics=False,True", "--field", "train.batch_size=32,64"]


def test_data_is_read_once_and_what_cannot_be_read_ends_the_search_and_no_trial(trained, tmp_path, capsys, monkeypatch):
    """A trial with semantics of length 1 reads them anew: by then the data may be gone, or be another."""
    load, read = data_load.load, []
    monkeypatch.setattr(data_load, "load", lambda name, config: read.append(config.normalize_semantics) or load(name, config))
    assert search(tmp_path / "whole", "--trials", "6", *NORMALIZED, "--field", "data.scaling=minmax,unit") == 0
    assert read == [False, True]
    (entry,) = entries(tmp_path / "whole")
    assert {trial["state"] for trial in entry["trials"]} == {"done"}
    digests = {trial["settings"]["data.normalize_semantics"] for trial in entry["trials"]}
    assert digests == {False, True}

    def gone(name, config):
        if config.normalize_semantics:
            raise UserError("data.npz: no such file")
        return load(name, config)

    def other(name, config):
        found = load(name, config)
        return dataclasses.replace(found, features=found.features + 1.0) if config.normalize_semantics else found

    told = {gone: "d3gzsl search: data.npz: no such file", other: "what is under config.data.root has changed while it was searched"}
    for wrong, message in told.items():
        output = tmp_path / wrong.__name__
        database.storage_of.cache_clear()
        monkeypatch.setattr(data_load, "load", wrong)
        capsys.readouterr()
        assert search(output, "--trials", "6", *NORMALIZED) == 2
        assert message in (error := capsys.readouterr().err) and error.count("\n") == 1
        states = [trial["state"] for trial in entries(output)[0]["trials"]]
        assert states[-1] == "begun" and set(states[:-1]) == {"done"}, "no trial broke down"
        monkeypatch.setattr(data_load, "load", load)
        database.storage_of.cache_clear()
        assert search(output, "--trials", "6", *NORMALIZED) == 0
        assert {trial["state"] for trial in entries(output)[0]["trials"]} == {"done"}


def test_a_configuration_file_that_is_edited_while_it_is_searched_ends_no_trial(trained, tmp_path, monkeypatch):
    file = small.write_quick_config(tmp_path)
    work = study.work

    def edits(job):
        Path(file).write_text("def get_config(", encoding="utf-8")
        return work(job)

    monkeypatch.setattr(study, "work", edits)
    assert search(tmp_path / "out", configs=[file]) == 0
    assert [trial["state"] for trial in entries(tmp_path / "out")[0]["trials"]] == ["done"] * 3


def test_the_command_that_looks_at_the_test_rows_is_one_that_is_taken(trained, tmp_path):
    """Whatever the file says that a run which is chosen on folds must not have."""
    file = small.write_quick_config(
        tmp_path, checkpoint__best="test_harmonic", eval__selection="test", classifier__fit="every", eval__retrain=True,
    )
    assert search(tmp_path / "out", "--trials", "1", configs=[file]) == 0
    (entry,) = entries(tmp_path / "out")
    config, _, _ = command_line.taken(shlex.split(entry["train"])[2:])
    check.check(config)
    assert (config.eval.selection, config.checkpoint.best, config.eval.retrain) == ("validation", "", True)
    assert search(tmp_path / "other", "--trials", "1") == 0
    assert "checkpoint.best" not in entries(tmp_path / "other")[0]["train"], "only where the file has it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--config is missing"),
        (["--config", "nowhere.py"], "nowhere.py: no such configuration file"),
        (["--config", DIGITS, "--field", "train.lerning_rate=1..2"], "config.train.lerning_rate: no such field; did you mean"),
        (["--config", DIGITS, "--field", "train.batch_size=64"], "there is nothing to choose from"),
        (["--config", DIGITS, "--set", "train.learning_rate=1e-2", "--field", "train.learning_rate=1e-3..1e-1"], "--set train.learning_rate: is searched"),
        (["--config", DIGITS, "--config", DIGITS], "'digits' and 'digits' would share a folder"),
        (["--config", DIGITS, "--field", "distillation.n_syn=0,100,500", "--field", "networks.noise=0..10", "--set", "networks.noise=99"], "--set networks.noise"),
        (["--config", DIGITS, "--trials", "0"], "--trials: expected a whole number, 1 or more, not 0"),
        (["--config", DIGITS, "--pruner", "mean"], "--pruner: expected one of median, none, not mean"),
        (["--config", DIGITS, "--storage", "study.db"], "--storage: must be the address of a database"),
        (["--config", DIGITS, "--storage", "nodb://me:secret@host/x"], "--storage=nodb://me:***@host/x: cannot be used"),
        (["--config", DIGITS, "--set", "seed=3"], "--set seed=3: every run is made with seeds 0, 1, ..."),
        (["--config", DIGITS, "--set", "eval.selection=test"], "--set eval.selection=test: every trial is trained on folds alone, with eval.selection='validation'; leave"),
        (["--config", DIGITS, "--set", "eval.retrain=True"], "--set eval.retrain=True: every trial is trained on folds alone"),
        (["--config", DIGITS, "--set", "eval.baselines=eszsl"], "--set eval.baselines=eszsl: every trial is trained on folds alone"),
        (["--config", DIGITS, "--set", "checkpoint.best=test_zsl"], "--set checkpoint.best=test_zsl: every trial is trained on folds alone"),
        (["--config", DIGITS, "--set", "log.report=True"], "--set log.report=True: every trial is trained on folds alone"),
        (["--config", str(ROOT / "configs/cub.py"), "--root", "/nowhere"], "res101.mat"),
    ],
)  # fmt: skip
def test_bad_input_exits_2_before_any_training(arguments, message, trained, tmp_path, capsys):
    assert program.main(["search", *arguments, "--output", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr().err
    assert message in captured and captured.count("\n") == 1 and not trained and "secret" not in captured


def test_what_others_wrote_stays(trained, tmp_path, capsys):
    for name in ("search.md", "search.json", "study.db"):
        output = tmp_path / name.partition(".")[2]
        output.mkdir()
        (output / name).write_text("somebody's")
        assert search(output) == 2
        assert f"{name}: a file is there that holds no " in capsys.readouterr().err and (output / name).read_text() == "somebody's"
    assert not trained


def test_where_optuna_is_missing_it_is_said_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    assert search(tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert told == f"d3gzsl search: this command needs optuna, which is not installed: {extras.install_command('search')}\n"


def test_list_says_what_would_be_searched(capsys, monkeypatch):
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)  # needs nothing
    fields = ["--field", "train.learning_rate=1e-4..1e-2:log", "--field", "distillation.weights=1e-5..1e-3:log"]
    assert program.main(["search", "--list", "--config", f"{DIGITS}:base", "--config", DIGITS, *fields]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "digits:base:", "    train.learning_rate: 0.0001 to 0.01, log (own: 0.001)",
        "    left out, since they mean nothing to it: distillation.weights",
        "digits:", "    train.learning_rate: 0.0001 to 0.01, log (own: 0.001)", "    distillation.weights: 1e-05 to 0.001, log (own: 0.0001)",
    ]  # fmt: skip


def test_no_password_gets_into_the_tables(trained, tmp_path, monkeypatch):
    url = "postgresql://me:se cret'@host/x"
    kept = database.load(f"sqlite:///{tmp_path / 'study.db'}", "search: digits", "median", {"train.learning_rate": 1e-3})
    monkeypatch.setattr(database, "load", lambda *_: kept)
    fields = ["--field", "train.learning_rate=1e-4..1e-2:log", "--trials", "1"]
    assert search(tmp_path / "out", *fields, "--storage", url) == 0
    written = (tmp_path / "out" / "search.md").read_text() + (tmp_path / "out" / "search.json").read_text()
    assert "postgresql://me:" in written and "cret" not in written


def test_one_command_at_a_time_works_in_a_folder(trained, tmp_path, capsys):
    with study.lock.writing(tmp_path):
        assert search(tmp_path) == 2
    told = capsys.readouterr().err
    assert f"--output={tmp_path}: is being written by process" in told and told.count("\n") == 1 and not trained
