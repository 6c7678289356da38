"""What a run may be written into, and what other outputs may not be written over."""

import json
import os

import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.checkpoints import save_once
from d3gzsl_jax.runs.folder import RunFolder, check_place
from d3gzsl_jax.runs.storage import lock
from d3gzsl_jax.system import paths

CONFIG = json.dumps({"dataset": "digits", "seed": 0, "data": {}, "train": {}})
NOTES = {"format": 1, "class_names": [], "scaling": {}}


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "checkpoints" / "7").mkdir(parents=True)
    (folder / "config.json").write_text(CONFIG)
    save_once(folder / "model", {"p": np.zeros(2)}, NOTES)
    save_once(folder / "teacher", {"p": np.zeros(2)}, {"seen_accuracy": 1.0})
    return folder


FOREIGN = {
    "another config.json": {"config.json": '{"my": "app"}'}, "no JSON": {"config.json": "dataset: x"}, "deep": {"config.json": "[" * 100_000},
    "a file": {"thesis.txt": "x"}, "a folder": {"chapters/1.txt": "x"}, "a teacher of others": {"teacher/notes.txt": "x"},
    "a model of others": {"model/weights.pt": "x"}, "a file called model": {"model": "x"}, "a file called plots": {"plots": "x"},
    "a folder called results.json": {"results.json/x": "x"}, "checkpoints of others": {"checkpoints/model.ckpt": "x"},
    "our config, their model": {"config.json": CONFIG, "model/weights.pt": "x"},
    "our config, their teacher": {"config.json": CONFIG, "teacher/notes/x": "x", "teacher/arrays/x": "x", "teacher/thesis.txt": "x"},
    "our config, a file called checkpoints": {"config.json": CONFIG, "checkpoints": "x"},
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_run_is_refused_and_stays(tmp_path, name):
    for path, content in FOREIGN[name].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match=f"^--workdir={tmp_path}: ") as error:
        RunFolder(str(tmp_path), "x")
    assert "\n" not in str(error.value) and "free space" not in str(error.value) and snapshot(tmp_path) == before


LEFT = {
    "nothing": [], "a lock": [lock.NAME], "an old probe": [".writable"], "half a file": ["config.json.abcd1234.part", "config.json.part"],
    "half a model": ["model.abcd1234.part/new.orbax-checkpoint-tmp/x"], "logs": ["slurm-17.out", "train.log"],
    "a fold begun": [f"validation/fold-0/{lock.NAME}"],
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_what_a_killed_start_leaves_is_no_obstacle(tmp_path, name):
    for path in LEFT[name]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    with RunFolder(str(tmp_path), "x").held():
        assert not list(tmp_path.glob("*.part")) and not (tmp_path / ".writable").exists()
    assert (tmp_path / "train.log").exists() == (name == "logs")


def test_a_fold_marks_its_run(tmp_path):
    """The folds are trained before the run has a config.json."""
    fold = tmp_path / "validation" / "fold-0"
    fold.mkdir(parents=True)
    (fold / "config.json").write_text(CONFIG)
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder(str(tmp_path), "x")


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "results.json", "run.lock", "checkpoints", "model", "teacher", "plots",
                                  "validation", "report.html", "evaluation-3.json", "checkpoints/7", "plots/losses.png"])  # fmt: skip
def test_nothing_is_written_through_a_link(tmp_path, run, name):
    elsewhere = tmp_path / "elsewhere"
    (run / "plots").mkdir()
    path = run / name
    os.rename(path, elsewhere) if path.exists() else elsewhere.write_text("mine")
    path.symlink_to(elsewhere)
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match="symbolic link"):
        RunFolder(str(run), "x")
    assert snapshot(tmp_path) == before


def test_a_link_to_a_run_folder_is_that_folder_and_a_dangling_one_is_refused(tmp_path, run):
    (tmp_path / "link").symlink_to(run)
    with RunFolder(str(tmp_path / "link"), "x").held(), pytest.raises(lock.Held), RunFolder(str(run), "x").held():
        pass
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="dangling: cannot be written"):
        RunFolder(str(tmp_path / "dangling"), "x")


def test_reading_writes_nothing(run):
    before = snapshot(run), run.stat().st_mtime_ns
    folder = RunFolder.reading(run)
    assert folder.read("config.json") and folder.read("results.json") is None and folder.lines("metrics.jsonl") == []
    folder.require_there()
    assert (snapshot(run), run.stat().st_mtime_ns) == before
    assert not RunFolder.reading(run / "none").path.exists()


def test_models_are_known(run):
    assert contents.is_model(run / "model") and contents.is_saved(run / "teacher") and not contents.is_model(run / "teacher")
    (run / "model" / "thesis.txt").write_text("x")
    assert not contents.is_saved(run / "model")


@pytest.mark.parametrize("name", ["results.json", "report.html", "evaluation-3.json", "model", "model/x.csv", "teacher/arrays/x",
                                  "checkpoints/x.csv", "seed-0", "plots/x.png", "run.lock", "link/x.csv"])  # fmt: skip
def test_no_part_of_a_run_is_an_output(run, name):
    (run / "plots").mkdir()
    (run / "link").symlink_to(run / "checkpoints")
    with pytest.raises(UserError, match=r"the run's own|a saved model"):
        contents.require_apart(run / name, "--output")


def test_other_names_in_a_run_folder_are_outputs(run):
    assert contents.output(run / "predictions.csv", "--output", lambda path: False, "predictions") == run / "predictions.csv"


def test_other_names_in_the_folder_of_one_of_several_seeds_are_outputs(tmp_path, run):
    one = tmp_path / "five" / "seed-3"
    one.parent.mkdir()
    os.rename(run, one)
    assert contents.output(one / "x.csv", "--output", lambda path: False, "predictions") == one / "x.csv"
    for name in ("results.json", "model/x.csv", ""):
        with pytest.raises(UserError, match=r"the run's own|a saved model"):
            contents.require_apart(one / name, "--output")


@pytest.mark.parametrize("name", ["model", "model/run", "checkpoints/run", "teacher/arrays/run", "seed-0/model/run"])
def test_no_run_begins_among_the_parts_of_another(run, name):
    if name.startswith("seed"):
        os.rename(run, run.parent / "seed-0")
        run = run.parent
    with pytest.raises(UserError, match=r"--workdir=.*(the run's own|a saved model)"):
        check_place(run / name)


def test_a_run_may_stand_where_it_stands_and_a_seed_beside_others(tmp_path, run):
    (tmp_path / "five").mkdir()
    os.rename(run, tmp_path / "five" / "seed-3")
    for name in ("five", "five/seed-3", "five/seed-4", "another", "five/seed-3/inner"):
        check_place(tmp_path / name)
    check_place("")


def test_a_folder_of_what_is_read_is_no_output(tmp_path, run):
    save_once(tmp_path / "grown", {"p": np.zeros(2)}, NOTES)
    (tmp_path / "grown" / "new.csv").write_text("x")
    for given, inputs in ((tmp_path / "grown", [tmp_path / "grown" / "new.csv"]), (tmp_path, [run])):
        with pytest.raises(UserError, match="which is read from"):
            contents.output(given, "--output", lambda path: True, "saved model", inputs)
    assert contents.output(tmp_path / "a" / "b", "--output", contents.is_model, "saved model", [run]) == tmp_path / "a" / "b"
    with pytest.raises(UserError, match="is no folder"):
        contents.output(run / "config.json" / "b", "--output", contents.is_model, "saved model")


def test_what_is_empty_may_be_replaced(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("empty", "file"):
        assert contents.output(tmp_path / name, "--output", lambda path: False, "saved model") == paths.clean(tmp_path / name, "--output")


def test_a_model_takes_the_place_of_a_model_or_nothing_changes(tmp_path, monkeypatch):
    save_once(tmp_path / "model", {"p": np.zeros(2)}, NOTES)
    before, rename = snapshot(tmp_path), os.rename
    (tmp_path / "model.part").mkdir()  # somebody's own
    (tmp_path / "model.part" / "x").write_text("mine")

    def fail(source, target):
        if str(target) == str(tmp_path / "model") and str(source).endswith("new"):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(UserError, match=r"model: cannot be written \(No space left on device\); free space there"):
        save_once(tmp_path / "model", {"p": np.ones(2)}, NOTES)
    (tmp_path / "model.part" / "x").unlink()
    assert snapshot(tmp_path) == before and sorted(os.listdir(tmp_path)) == ["model", "model.part"]
