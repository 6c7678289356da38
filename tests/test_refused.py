"""What a command refuses leaves nothing behind: no lock, no folder, no file."""

import json

import numpy as np
import pytest

from d3gzsl_jax import api
from d3gzsl_jax import main as program
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies import cluster

HELD_OUT = "eval.fold_classes=0.9"  # leaves one class to train on
MUST = "--config.train.resume=must"
REFUSED = {
    "no run to go on with": ["train", "--config=digits", MUST],
    "no runs to go on with": ["train", "--config=digits", "--config.seeds=(0,1)", MUST],
    "folds that cannot be": ["train", "--config=digits", "--config.eval.selection=validation", f"--config.{HELD_OUT}"],
    "no such database": ["search", "--config=digits", "--storage=foo://x"],
    "a search on no such cluster": ["search", "--config=digits", "--executor=local", "--executor_parameters=foo=1"],
    "an ablation on no such cluster": ["ablate", "--config=digits", "--executor=local", "--executor_parameters=foo=1"],
    "Slurm elsewhere": ["ablate", "--config=digits", "--executor=slurm"],
    "baselines on no folds": ["baselines", "--config=digits", f"--set={HELD_OUT}"],
    "no weights to convert": ["convert", "to-jax", "--config=digits", "--torch=weights.npz"],
}


def entries(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("there", ["nothing", "a folder"])
@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_command_leaves_nothing_behind(case, there, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "weights.npz", **{"generator/fc1.weight": np.zeros((2, 3), np.float32)})
    if there == "a folder":
        (tmp_path / "a").mkdir() if case == "no weights to convert" else (tmp_path / "a" / "b").mkdir(parents=True)
    before = entries(tmp_path)
    name, *more = REFUSED[case]
    assert program.main([name, *more, f"--{'workdir' if name == 'train' else 'output'}=a/b"]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and entries(tmp_path) == before


def test_what_lay_there_stays(tmp_path, capsys):
    (tmp_path / "run.lock").write_text("")
    (tmp_path / "train.log").write_text("mine")
    before = entries(tmp_path)
    assert program.main(["train", "--config=digits", MUST, f"--workdir={tmp_path}"]) == 2
    assert entries(tmp_path) == before
    (tmp_path / "run.lock").unlink()
    assert program.main(["train", "--config=digits", MUST, f"--workdir={tmp_path}"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["train.log"]


def test_from_a_notebook_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = api.load_config("digits", {"eval.selection": "validation", "eval.fold_classes": 0.9})
    for workdir in ("", "a/b"):
        with pytest.raises(UserError, match="at least 2 must stay"):
            api.train(config, workdir=workdir)
    assert not entries(tmp_path)


def test_a_job_that_cannot_be_submitted_is_not_kept(tmp_path, monkeypatch):
    where = cluster.Cluster(json.loads, "local", {}, tmp_path / "new" / "submitted")
    (tmp_path / "new" / "mine").write_text("x")

    def refuse(command):
        raise RuntimeError("no such partition")

    monkeypatch.setattr(where._executor._executor, "_submit_command", refuse)
    with pytest.raises(UserError, match=r"could not submit a job .*no such partition"):
        list(where.finished(["1"]))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine"]
