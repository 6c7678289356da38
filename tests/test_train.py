"""What the command line cannot bring about at will."""

import errno
import json
import shutil
import signal

import orbax.checkpoint as ocp
import pytest

from configs import digits
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.evaluation.predictors import Predictors
from d3gzsl_jax.runs import teacher
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.runs.storage.lock import Held
from d3gzsl_jax.studies.start import train


def quick(variant="d3"):
    config = digits.get_config(variant)
    config.train.epochs = config.teacher.epochs = 3
    config.eval.every_epochs = 1
    config.classifier.epochs = 2
    config.log.report = False
    return config


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["d3", "base"])
def test_control_c_while_the_next_batches_are_made(tmp_path, monkeypatch, variant):
    """After an evaluation and before anything more was trained: the results are those of that evaluation."""
    plain = Run.feed

    def feed(self, calls):
        for call, item in zip(calls, plain(self, calls), strict=True):
            if call.first == self.model.optimization.steps_per_epoch:
                signal.raise_signal(signal.SIGINT)
            yield item

    monkeypatch.setattr(Run, "feed", feed)
    results = train(quick(variant), str(tmp_path / "run"), Display())
    assert results["interrupted"] and results["epochs"] == 1
    assert json.loads((tmp_path / "run" / "results.json").read_text())["metrics"] == results["metrics"]


@pytest.mark.slow
def test_a_failing_final_classifier_leaves_the_students_results(tmp_path, monkeypatch):
    def fail(self, *arguments):
        raise DivergenceError("final classifier")

    monkeypatch.setattr(Predictors, "finish", fail)
    with pytest.raises(DivergenceError):
        train(quick(), str(tmp_path / "run"), Display())
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(found["predictions"]) == {"student"} and found["metrics"] == found["predictions"]["student"]["metrics"]


def gone(monkeypatch, remove):
    """Something happens to the folder after the first epoch."""
    plain = Run.feed

    def feed(self, calls):
        for call, item in zip(calls, plain(self, calls), strict=True):
            if call.first >= self.model.optimization.steps_per_epoch:
                remove(self.folder.path)
            yield item

    monkeypatch.setattr(Run, "feed", feed)


def empty(folder):
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def replace(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "run.lock").write_text("")


WAYS = {
    "emptied": empty, "removed": shutil.rmtree, "replaced": replace, "moved": lambda folder: folder.rename(f"{folder}-moved"),
    "without its configuration": lambda folder: (folder / "config.json").unlink(),
    "without its teacher": lambda folder: shutil.rmtree(folder / "teacher"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_run_whose_folder_vanishes_is_stopped_in_one_line(tmp_path, monkeypatch, way):
    folder, done = tmp_path / "run", []
    gone(monkeypatch, lambda path: done or done.append(WAYS[way](path)))
    with pytest.raises(UserError, match=r"was removed.*the run is stopped$") as error:
        train(quick(), str(folder), Display())
    assert (str(error.value).startswith(f"--workdir={folder}: ") and not (folder / "results.json").exists()) or way.startswith("without")


@pytest.mark.slow
def test_a_folder_without_checkpoints_is_whole_at_the_end(tmp_path, monkeypatch):
    gone(monkeypatch, lambda path: shutil.rmtree(path / "checkpoints", ignore_errors=True))
    train(quick(), str(tmp_path / "run"), Display())
    assert {"config.json", "results.json", "model", "teacher", "checkpoints"} <= {path.name for path in (tmp_path / "run").iterdir()}


@pytest.mark.slow
def test_checkpoints_that_cannot_be_written_are_found_before_training(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(teacher, "prepare", lambda *_: pytest.fail("the teacher was trained"))
    monkeypatch.setattr(ocp.Checkpointer, "save", refuse)
    with pytest.raises(UserError, match=r"checkpoints/probe: cannot be written \(Read-only file system\); .*read-only: name another"):
        train(quick(), str(tmp_path / "run"), Display())
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_second_training_in_one_process_is_refused_and_a_third_goes_on(tmp_path, monkeypatch):
    """As in a notebook with threads, and after a cell was interrupted."""
    folder, refused = str(tmp_path / "run"), []

    def again(path):
        with pytest.raises(Held, match="this very process"):
            train(quick(), folder, Display(quiet=True))
        refused.append(path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        gone(patch, again)
        with pytest.raises(KeyboardInterrupt):
            train(quick(), folder, Display(quiet=True))
    assert refused and train(quick(), folder, Display(quiet=True))["concluded"]
