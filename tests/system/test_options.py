"""An option has one value: where a command line says two, none is taken silently."""

import pytest

from d3gzsl_jax import main as program
from d3gzsl_jax.config import command_line
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.options import Parser

TWICE = [
    (["predict", "--workdir=r", "--input=a.npy", "--input=b.npy"], "--input=a.npy and --input=b.npy"),
    (["predict", "--workdir=r", "--image_encoder", "a", "--image-encoder=b"], "--image-encoder=a and --image-encoder=b"),
    (["--mode=predict", "--workdir=r", "-workdir", "s"], "--workdir=r and --workdir=s"),
    (["--mode=predict", "--mode", "evaluate"], "--mode=predict and --mode=evaluate"),
    (["train", "--config=digits", "--config", "own"], "--config=digits and --config=own"),
    (["train", "--config=digits", "--workdir=a", "--workdir=b"], "--workdir=a and --workdir=b"),
    (["ablate", "--config=digits", "--output=a", "--output=b"], "--output=a and --output=b"),
    (["ablate", "--config=digits", "--output=a", "--data_root=a", "--root=b"], "--data-root=a and --root=b"),
    (["ablate", "--config=digits", "--output=a", "--set=seed=1"], "--set seed=1: every run"),  # as before
    (["ablate", "--config=digits", "--output=a", "--set=train.epochs=1", "--set", "config.train.epochs=2"], "--set train.epochs=1 and --set train.epochs=2"),
    (["ablate", "--config=digits", "--output=a", "--set=data.root=a", "--data_root=b"], "--set data.root=a and --data-root=b"),
    (["ablate", "--config=digits", "--output=a", "--vary=train.epochs=1,2", "--vary=train.epochs=3"], "--vary train.epochs=1,2 and --vary train.epochs=3"),
    (["search", "--config=digits", "--storage=pg://me:secret@h/x", "--storage=pg://me:secret@h/y"], "--storage=pg://me:***@h/x and --storage=pg://me:***@h/y"),
    (["baselines", "--config=digits", "--config=own"], "--config=digits and --config=own"),
    (["table", "runs", "--by=train.epochs", "more", "--by=seed"], "--by=train.epochs and --by=seed"),
    (["convert", "to-torch", "--workdir=a", "--workdir=b", "--output=x"], "--workdir=a and --workdir=b"),
    (["embed", "--images=a", "--images=b", "--classes=c", "--output=d.npz"], "--images=a and --images=b"),
    (["serve", "--workdir=a", "--port=1", "--port=2"], "--port=1 and --port=2"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), TWICE)
def test_an_option_with_two_values_is_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert program.main(arguments) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1 and not list(tmp_path.iterdir())


def test_what_loses_nothing_may_be_given_again():
    parser = Parser("d3gzsl x")
    parser.add_argument("--one", default="")
    parser.add_argument("--switch", action="store_true")
    parser.add_argument("--all", action="append", default=[])
    parser.add_argument("rest", nargs="*")
    given = parser.parse_args(["--one=a", "--one", "a", "--switch", "--switch", "--all=a", "--all=b", "--", "--one=b"])
    assert (given.one, given.switch, given.all, given.rest) == ("a", True, ["a", "b"], ["--one=b"])
    with pytest.raises(UserError, match=r"^--one=a and --one=: give one of them$"):
        parser.parse_args(["--one=a", "--one="])
    _, overrides, _ = command_line.taken(["--config=digits", "--config=digits", "--config.seeds=3", "--config.seeds=5"])
    assert overrides == {"seeds": (3, 5)}  # a field of several values has them all


def test_a_field_given_to_a_command_that_has_it_takes_its_place():
    _, overrides, _ = command_line.taken(["--config=digits", "--config.seed=1", "--config.log.report", "-config.seed", "2", "--noconfig.log.report"])
    assert overrides == {"seed": 2, "log.report": False}


def test_what_comes_after_two_dashes_is_another_commands(monkeypatch):
    parser = Parser(prog="launch")
    parser.add_argument("--at-once", type=int)
    parser.add_argument("arguments", nargs="*")
    monkeypatch.setattr("sys.argv", ["launch", "--at_once=2", "--", "--at_once=3", "--data_root=x"])
    found = parser.parse_args()
    assert found.at_once == 2 and found.arguments == ["--at_once=3", "--data_root=x"]
