"""Seeds together and one after another are timed with one and the same configuration."""

import sys

import pytest

from configs import digits
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.terminal import run_command
from tests.conftest import ROOT
from tools.benchmark import time_seeds

DIGITS = str(ROOT / "configs" / "digits.py")


def test_outer_steps_are_timed_with_the_settings_of_the_commands(monkeypatch, capsys):
    further = ["--config.train.n_critic=2", "--config.distillation.weight_od=0.5", "--config.log.report=False", "--config.data.leave_out=9"]
    given = []
    monkeypatch.setattr(time_seeds, "command", lambda config, folder, arguments: given.append((config, arguments)) or time_seeds.Seconds(1.0, 1.0))
    monkeypatch.setattr(time_seeds.json, "loads", lambda _: {"predictions": {}})
    monkeypatch.setattr(time_seeds.Path, "read_text", lambda _, encoding: "")

    def training(config, *_):
        given.append(config)
        return {"map": 1.0, "vmap": 1.0, "alone": 2.0}

    monkeypatch.setattr(time_seeds, "training", training)
    monkeypatch.setattr(sys, "argv", ["time_seeds.py", "--config", DIGITS, "--seeds", "2", "--turns", "1", "--training", "--", *further])
    assert time_seeds.main() == 0 and "ratio 0.50" in capsys.readouterr().out
    *commands, config = given
    assert len(commands) == 3 and all(arguments[:4] == further for _, arguments in commands)
    expected = digits.get_config()
    expected.train.n_critic, expected.distillation.weight_od, expected.log.report = 2, 0.5, False
    expected.data.leave_out = "9"
    assert config.to_dict() == expected.to_dict()


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (["--config.train.n_critics=2"], "n_critics"), (["--config.train.n_critic=two"], "two"), (["--workdir=x"], "--workdir=x: with --training"),
        (["train.epochs=3"], "train.epochs=3: with --training, what follows -- is written --config.group.field=value"),
        (["--config.train.n_critic=0"], "config.train.n_critic=0: must be at least 1"),
    ],
)
def test_arguments_that_no_command_takes(further, message):
    with pytest.raises(UserError, match=message):
        time_seeds.configuration(DIGITS, further)


@pytest.mark.parametrize("option", ["--seeds", "--turns", "--steps"])
def test_nothing_to_time(option, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["time_seeds.py", "--config", DIGITS, option, "0"])
    assert run_command(time_seeds.main) == 2
    assert capsys.readouterr().err == f"time_seeds: {option} 0: must be at least 1\n"
