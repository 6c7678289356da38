"""The log of a run goes to Weights & Biases: offline here, so nothing is sent."""

import importlib.util
import re
import time
from types import SimpleNamespace

import pytest

from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import wandb_run
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.studies.start import train_on
from tests.test_resuming import config_of, killed_at, started

HEADER = 7
"""Bytes of a file that nothing was written to yet."""

pytestmark = pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="needs wandb")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_NAME", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


def sent(folder):
    """What the starts of a run left to be sent, each in a file, which a process of wandb's own writes: on a busy machine, late."""
    files, until = sorted(folder.glob("wandb/offline-run-*/run-*.wandb")), time.monotonic() + 30.0
    while any(path.stat().st_size <= HEADER for path in files) and time.monotonic() < until:
        time.sleep(0.1)
    return [path.read_bytes() for path in files]


@pytest.mark.slow
def test_a_run_and_its_resumption_are_one_run_of_wandb(tmp_path, monkeypatch):
    config, said = config_of(), []
    config.log.wandb = True
    killed_at(monkeypatch, config, tmp_path / "run", 40)
    results = started(config, tmp_path / "run", said)
    first, second = sent(tmp_path / "run")
    run_id = (tmp_path / "run" / "wandb" / "run-id").read_text().strip()
    for content in (first, second):
        assert run_id.encode() in content and b"d3gzsl-digits" in content
        assert b"norms/gradient/generator" in content and b"n_critic" in content
    assert b"harmonic" in second and repr(results["metrics"]["harmonic"]).encode() in second
    assert any(re.match("W&B: offline; wandb sync .*offline-run-", line) for line in said)
    assert not [path for path in (tmp_path / "run" / "wandb").iterdir() if path.is_symlink()]
    assert started(config, tmp_path / "run")["metrics"] == results["metrics"]  # the folder is still known as a run's


@pytest.mark.slow
def test_it_moves_no_bit_and_its_failure_costs_no_run(tmp_path, monkeypatch):
    config, said = config_of(), []
    plain = started(config, tmp_path / "plain")
    config.log.wandb = True
    import wandb

    def fail(*arguments, **options):
        raise OSError("the service is gone")

    monkeypatch.setattr(wandb.Run, "log", fail)
    found = started(config, tmp_path / "run", said)
    assert found["metrics"] == plain["metrics"] and found["predictions"] == plain["predictions"]
    assert len([line for line in said if "nothing more is sent to W&B (OSError: the service is gone)" in line]) == 1


def test_missing_or_not_logged_in_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    config = config_of()
    config.log.wandb = True
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs wandb, which is not installed: pip install .*\[wandb\]'"):
        train_on(validate(read_digits()), config, str(tmp_path / "run"))
    monkeypatch.undo()
    import wandb

    monkeypatch.delenv("WANDB_MODE", raising=False)
    online = SimpleNamespace(settings=SimpleNamespace(mode="online"))
    monkeypatch.setattr(wandb, "setup", lambda: online)
    monkeypatch.setattr(wandb, "login", lambda prompt: False)
    with pytest.raises(UserError, match="nobody is logged in"):
        wandb_run.require_wandb()
    assert not (tmp_path / "run").exists()


def test_a_damaged_id_is_named(tmp_path):
    folder = RunFolder(tmp_path / "run", "digits")
    (folder.path / "wandb").mkdir()
    (folder.path / "wandb" / "run-id").write_text("../x")
    with pytest.raises(UserError, match="run-id: holds no id of a W&B run; remove it"):
        wandb_run.WandbRun(folder, "digits", "a run", {}, print)


def test_seeds_are_called_after_the_folder_they_are_in(tmp_path, monkeypatch):
    import wandb

    asked = {}

    class Offline:
        offline, url = False, None

    monkeypatch.setattr(wandb, "init", lambda **options: asked.update(options) or Offline())
    wandb_run.WandbRun(RunFolder(tmp_path / "digits" / "seed-3", "d"), "my data/x", "", {"a": (1,)}, print)
    assert asked["name"] == "digits-seed-3" and asked["project"] == "d3gzsl-my-data-x"
    assert re.fullmatch("[0-9a-f]{12}", asked["id"]) and asked["config"] == {"a": [1]}
