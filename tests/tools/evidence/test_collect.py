"""Results are kept small and without folders, and are tabled as those of the runs are."""

import json

import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies.tables.command import read
from d3gzsl_jax.system.terminal import run_command
from tests.tools.evidence.results import results, write
from tools.evidence import collect, report


def test_what_is_kept_is_tabled_as_the_run_is(tmp_path):
    path = write(tmp_path / "runs" / "any", results("wgan", True, 3, 0.5, 0.25))
    ((written,),) = collect.collect([(tmp_path / "runs", tmp_path / "kept")])
    assert written == tmp_path / "kept" / "wgan-d3" / "seed-3" / "results.json"
    kept, run = read(written), read(path)
    assert kept._replace(path=path) == run


def test_no_folder_and_no_class_is_kept(tmp_path):
    of = results("zerodiff", False, 0, 0.5, 0.25, root="/home/somebody/data")
    of["config"]["zerodiff"]["representation_run"] = "/home/somebody/run"
    of["warnings"] = ["/home/somebody/data/x.mat: a warning"]
    write(tmp_path / "runs", of)
    ((written,),) = collect.collect([(tmp_path / "runs", tmp_path / "kept")])
    text = written.read_text(encoding="utf-8")
    assert "somebody" not in text and "per_class" not in text and written.parent.parent.name == "zerodiff-base"
    assert json.loads(text)["details"]["ood"]["student"]["msp"]["auroc"] == 0.75


def test_of_where_it_ran_the_device_is_kept(tmp_path):
    of = results("wgan", True, 0, 0.5, 0.25)
    of["provenance"] = {"device": {"platform": "gpu", "kind": "NVIDIA chip 80GB", "count": 1}, "machine": "Linux, 16 cores", "versions": {"jax": "0.11.2", "flax": "1"}}
    write(tmp_path / "runs", of)
    ((written,),) = collect.collect([(tmp_path / "runs", tmp_path / "kept")])
    assert json.loads(written.read_text())["machine"] == {"device": "NVIDIA chip 80GB", "host": "Linux, 16 cores", "jax": "0.11.2"}
    assert report.hours_text({"FLO": [json.loads(written.read_text())] * 2}) == "The clocks of all programs show 0.8 hours in all: 0.8 of 2 runs on CHIP."


def test_a_further_use_of_the_student_has_a_folder_of_its_own(tmp_path):
    of = results("wgan", True, 0, 0.5, 0.25)
    names = []
    for part, field, value in (("classifier", "inputs", "student"), ("eval", "ensemble", True)):
        of["config"][part][field] = value
        write(tmp_path / "runs", of)
        names += [path.parent.parent.name for path in collect.collect([(tmp_path / "runs", tmp_path / "kept")])[0]]
    assert names == ["wgan-d3-embedding", "wgan-d3-ensemble-embedding"]


def test_a_seed_again_replaces_its_own_and_leaves_others(tmp_path):
    for seed, seen in ((0, 0.5), (1, 0.5), (0, 0.75)):
        write(tmp_path / "runs" / str(seed), results("wgan", True, seed, 0.5, seen))
        collect.collect([(tmp_path / "runs" / str(seed), tmp_path / "kept")])
    kept = {path.parent.name: json.loads(path.read_text()) for path in (tmp_path / "kept").rglob("results.json")}
    assert {name: of["metrics"]["seen"] for name, of in kept.items()} == {"seed-0": 0.75, "seed-1": 0.5}


def test_two_runs_of_one_seed_are_refused(tmp_path):
    for name in "ab":
        write(tmp_path / "runs" / name, results("wgan", True, 0, 0.5, 0.5))
    with pytest.raises(UserError, match="the same method with the same seed"):
        collect.collect([(tmp_path / "runs", tmp_path / "kept")])
    for parts in ([("a", "kept"), ("b", "kept")], [("b", "other"), ("a", "kept"), ("b", "kept")]):
        with pytest.raises(UserError, match="wgan-d3, seed-0, as another folder has"):
            collect.collect([(tmp_path / "runs" / name, tmp_path / output) for name, output in parts])
    assert not (tmp_path / "kept").exists() and not (tmp_path / "other").exists(), "nothing is half-written"


def test_the_command_line_says_what_is_wrong_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["collect.py", f"--output={tmp_path}", f"FLO={tmp_path / 'none'}"])
    assert run_command(collect.main) == 2
    assert capsys.readouterr().err.count("\n") == 1
