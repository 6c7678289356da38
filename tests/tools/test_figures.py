"""Figures and tables from run folders: where a curve begins, and what is refused."""

import matplotlib.pyplot as plt
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.terminal import run_command
from tests.conftest import ROOT
from tests.tools.evidence.results import metrics, results, write
from tools.figures import command, own_table, training_time


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with two runs that stopped after validation."""
    folder = tmp_path_factory.mktemp("runs")
    for framework in ("wgan", "zerodiff"):
        fields = {"framework": framework, "eval.selection": "validation", "eval.folds": 1, "eval.retrain": False, "train.epochs": 1}
        fields |= {"networks.generator_hidden": 16, "networks.critic_hidden": 16, "networks.embedding": 24, "teacher.epochs": 1}
        fields |= {"classifier.fit": "every", "classifier.epochs": 1, "data.pipeline": "device", "log.report": False}
        d3.train(d3.load_config(f"{ROOT / 'configs' / 'digits.py'}:base", fields), workdir=folder / framework)
    return folder


@pytest.mark.slow
def test_a_curve_counts_the_steps_of_both_stages(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(training_time, "seconds_per_step", lambda config, data: {"wgan": 6.0, "zerodiff": 60.0}.get(config.framework, 600.0))
    found = training_time.curves(runs)
    steps = {name: training_time.lines(runs / name / "validation" / "fold-0")[0]["step"] for name in ("wgan", "zerodiff")}
    assert list(found) == ["wgan", "zerodiff"]
    assert found["wgan"][0][0] == pytest.approx(steps["wgan"] / 10)
    assert found["zerodiff"][0][0] == pytest.approx(11 * steps["zerodiff"])
    monkeypatch.setattr("sys.argv", ["training_time", f"--output={tmp_path / 'figure.svg'}", f"Digits={runs}"])
    command.run("", training_time.curves, training_time.draw)
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.slow
def test_a_step_is_timed(runs):
    """Both stages of a run, on its own data."""
    assert training_time.curve(runs / "zerodiff")[1][0][0] > 0


def test_where_a_figure_goes_is_looked_at_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "mine.svg").write_text("mine", encoding="utf-8")
    (tmp_path / "b.json").write_text("[1]", encoding="utf-8")
    for output, told in (("mine.svg", "holds no figure"), ("b.svg", "name another file"), ("b.json", "holds no figure"), ("b.png", "end in .svg"),
                         ("mine.svg/c.svg", "is no folder")):  # fmt: skip
        monkeypatch.setattr("sys.argv", ["tool.py", f"--output={tmp_path / output}", f"FLO={tmp_path / 'runs'}"])
        with pytest.raises(UserError, match=told):
            command.run("", lambda folder: 1 / 0, lambda found: 1 / 0)
    monkeypatch.setattr("sys.argv", ["tool.py", f"--output={tmp_path / 'new' / 'c.svg'}", f"FLO={tmp_path / 'runs'}"])
    command.run("", lambda folder: folder.name, lambda found: plt.figure())
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"c.svg", "c.json"}


def test_a_folder_without_a_run_has_no_curve(tmp_path):
    with pytest.raises(UserError, match="holds no run"):
        training_time.curve(tmp_path)
    with pytest.raises(UserError, match="has no evaluation of a final classifier"):
        training_time.lines(tmp_path)


@pytest.fixture
def own(tmp_path):
    """results.json of a run with a baseline beside it."""
    of = results("wgan", False, 0, 0.5, 0.5)
    on_folds = {"metrics": metrics(0.25, 0.5) | {"calibrated": 0.75}}
    of["predictions"]["classifier"]["validation"] = on_folds
    of["baselines"] = {"eszsl": {"metrics": metrics(0.2, 0.8), "validation": on_folds}}
    of["classes"] = {"seen": [0, 1, 2], "unseen": [3]}
    return of


def test_the_table_of_own_sets(own, tmp_path, monkeypatch, capsys):
    write(tmp_path / "run", own)
    monkeypatch.setattr("sys.argv", ["own_table.py", f"four birds={tmp_path / 'run'}"])
    assert run_command(own_table.main) == 0
    assert capsys.readouterr().out.splitlines()[2] == "| four birds | 4, 1 | 75.0 | 50.0 | 50.0 | 50.0 | ESZSL | 75.0 | 32.0 |"


def test_what_the_table_cannot_be_made_of_gets_one_line(own, tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "alone", own | {"baselines": {}})
    write(tmp_path / "blind", own | {"metrics": metrics(0.5, 0.5) | {"unseen": None}})
    monkeypatch.chdir(write(tmp_path / "here", own).parent)
    for given, told in (("run", "give a name"), (f"a={tmp_path / 'none'}", "there is no folder"), (f"a={tmp_path / 'empty'}", "has no results.json"),
                        (f"a={tmp_path / 'alone'}", "has no baselines"), (f"a={tmp_path / 'blind'}", "lacks a figure of the table")):  # fmt: skip
        monkeypatch.setattr("sys.argv", ["own_table.py", given])
        assert run_command(own_table.main) == 2
        said = capsys.readouterr()
        assert told in said.err and said.err.count("\n") == 1 and not said.out
