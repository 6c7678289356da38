"""A run that stops anywhere and is started again ends with the bits of one that never stopped."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from configs import digits
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.runs.checkpoints import Checkpoints, load_arrays
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.studies.start import train
from tests.conftest import ROOT
from tools.robustness.kills import difference

pytestmark = pytest.mark.slow


class Killed(Exception):
    """Stands in for kill -9: nothing of the run's own handles it."""


def config_of(framework="wgan", mode="device", variant="d3"):
    config = digits.get_config(variant)
    config.framework, config.data.pipeline = framework, mode
    config.train.epochs, config.teacher.epochs, config.eval.every_epochs, config.classifier.epochs = 4, 2, 2, 2
    config.train.steps_per_call, config.checkpoint.every_minutes, config.log.report = 3, 0.0, False
    return config


def started(config, folder, said=None):
    display = Display()
    if said is not None:
        display.say = said.append
    return train(config, str(folder), display)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """(arguments of config_of) -> the folder of that run, never stopped; for reading only."""

    @functools.cache
    def folder(*arguments):
        path = tmp_path_factory.mktemp("alone") / "run"
        started(config_of(*arguments), path)
        return path

    return folder


def killed_at(monkeypatch, config, folder, step):
    """Starts the run and stops it when `step` outer steps are done, its checkpoint of that moment written."""
    plain = Run.checkpoint

    def checkpoint(self, state, tally, at, *arguments, **options):
        done = plain(self, state, tally, at, *arguments, **options)
        if at >= step:
            self.checkpoints.close()
            raise Killed
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Run, "checkpoint", checkpoint)
        with pytest.raises(Killed):
            started(config, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "mode", "variant", "steps"),
    [
        ("wgan", "device", "d3", (7, 32)),  # within an epoch; at an evaluation
        pytest.param("wgan", "stream", "d3", (64,), marks=pytest.mark.tensorflow),  # at the very end, before the final classifier
        pytest.param("cegzsl", "index", "d3", (40,), marks=pytest.mark.tensorflow),  # its comparator's gradient runs on within an epoch
        ("fclswgan", "device", "base", (10,)),
        ("tfvaegan", "device", "d3", (25,)),  # in the second pass of an epoch, its penalty's weight adapted
        pytest.param("cadavae", "index", "d3", (9,), marks=pytest.mark.tensorflow),
        ("free", "device", "d3", (20,)),  # its centres' gradient runs on through all of training
    ],
)
def test_killed_and_resumed_is_never_killed(alone, tmp_path, monkeypatch, framework, mode, variant, steps):
    config = config_of(framework, mode, variant)
    for step in steps:
        killed_at(monkeypatch, config, tmp_path / "killed", step)
    said = []
    started(config, tmp_path / "killed", said)
    assert any("going on from outer step" in line for line in said)
    assert difference(alone(framework, mode, variant), tmp_path / "killed") is None
    starts = json.loads((tmp_path / "killed" / "environment.json").read_text())["starts"]
    assert len(starts) == len(steps) + 1 and [start["from_step"] >= step for start, step in zip(starts[1:], steps, strict=True)]


@pytest.mark.slow
def test_the_comparison_sees_one_bit(alone, tmp_path):
    one = alone("wgan", "device", "d3")
    started(config_of(), tmp_path / "other")
    assert difference(one, tmp_path / "other") is None
    results = json.loads((tmp_path / "other" / "results.json").read_text())
    results["metrics"]["seen"] = float(np.nextafter(results["metrics"]["seen"], 2.0))
    (tmp_path / "other" / "results.json").write_text(json.dumps(results))
    assert difference(one, tmp_path / "other") == "results.json: metrics"
    folder = tmp_path / "other" / "checkpoints"
    training = load_arrays(folder / "64" / "training")
    critic = training["state"]["params"]["critic"]["params"]
    critic["hidden_bias"] = critic["hidden_bias"].at[0].set(np.nextafter(critic["hidden_bias"][0], np.float32(9.0)))
    shutil.rmtree(folder)
    Checkpoints(folder, 1, "", 0.0, print).save(64, training, {}, None, wait=True)
    assert "hidden_bias" in difference(one, tmp_path / "other")


@pytest.mark.slow
def test_a_finished_run_is_left_alone_and_can_be_trained_on(alone, tmp_path):
    """To as many epochs as if it had been asked for them at once."""
    long, short = config_of(), config_of()
    short.train.epochs = 3  # no multiple of eval.every_epochs: the evaluation at its end is not one of the longer run's
    first = started(short, tmp_path / "grown")
    before = (tmp_path / "grown" / "metrics.jsonl").read_text()
    said = []
    assert started(short, tmp_path / "grown", said)["metrics"] == first["metrics"]
    assert "finished already, 3 epochs" in said[0] and (tmp_path / "grown" / "metrics.jsonl").read_text() == before
    started(long, tmp_path / "grown")
    assert difference(alone("wgan", "device", "d3"), tmp_path / "grown") is None
    with pytest.raises(UserError, match=r"has done 4 epochs, and config.train.epochs=3"):
        started(short, tmp_path / "grown")


@pytest.mark.slow
def test_control_c_saves_and_can_be_gone_on_from(alone, tmp_path, monkeypatch):
    config = config_of()
    plain = Display.advance

    def advance(self, units):
        plain(self, units)
        if self.progress.total > 10 and self.progress.done >= 20:  # in the adversarial loop, between two evaluations
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Display, "advance", advance)
        results = started(config, tmp_path / "stopped")
    assert results["interrupted"] and results["epochs"] == 1
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "stopped" / "metrics.jsonl").open()]
    assert kinds == ["interrupted", "final"]
    started(config, tmp_path / "stopped")
    assert difference(alone("wgan", "device", "d3"), tmp_path / "stopped") is None


@pytest.mark.slow
def test_a_loss_that_explodes_names_the_last_good_checkpoint(tmp_path, monkeypatch):
    config = config_of()
    config.guards.loss_limit = 0.3
    with pytest.raises(DivergenceError, match=r"outer step 0, critic update 1: over .*loss_limit=0.3: .*; there is no checkpoint yet"):
        started(config, tmp_path / "new")
    killed_at(monkeypatch, config_of(), tmp_path / "run", 20)
    with pytest.raises(DivergenceError, match=r"over .*loss_limit=0.3: .*cls = \S+,.*; the last good checkpoint is .*checkpoints/\d+"):
        started(config, tmp_path / "run")


def test_a_full_disk_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("d3gzsl_jax.runs.folder.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(UserError, match="0 MiB are free there and the run's checkpoints need"):
        started(config_of(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_collapsed_generator_is_warned_of_once(tmp_path):
    config, said = config_of(), []
    config.guards.diversity = 1e3
    results = started(config, tmp_path / "run", said)
    warnings = [line for line in said if "may have collapsed" in line]
    assert len(warnings) == 1 and "for 3 of 3 unseen classes" in warnings[0]
    assert "train longer or with a smaller config.train.learning_rate" in warnings[0] and "or predict by a baseline" in warnings[0]
    assert len(results["warnings"]) == 1 and "epoch 2" in results["warnings"][0]


@pytest.mark.slow
def test_tensorboard_events_are_those_of_the_log(tmp_path, monkeypatch):
    config = config_of()
    config.log.tensorboard = True
    killed_at(monkeypatch, config, tmp_path / "run", 40)
    started(config, tmp_path / "run")
    files = list((tmp_path / "run" / "tensorboard").glob("events*"))
    assert len(files) == 2 and b"norms/gradient/generator" in b"".join(path.read_bytes() for path in files)


@pytest.mark.slow
def test_sigterm_saves_and_leaves_with_143(tmp_path):
    command = [sys.executable, "-m", "d3gzsl_jax.main", "--config=configs/digits.py", f"--workdir={tmp_path / 'run'}"]
    process = subprocess.Popen(
        [*command, "--config.train.epochs=100000", "--config.eval.every_epochs=1", "--config.teacher.epochs=3", "--config.checkpoint.every_minutes=1000"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143 and "Traceback" not in errors
    assert "SIGTERM: stopped after outer step" in errors and "the same command goes on from there" in errors
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 1
