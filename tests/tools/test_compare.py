import json

import pytest

from tests import small
from tests.conftest import ROOT
from tools import compare


@pytest.fixture
def quick(tmp_path):
    """A configuration file that takes a second a run."""
    return small.write_quick_config(tmp_path, train__epochs=2, eval__every_epochs=1, teacher__epochs=1, classifier__epochs=2)


def test_every_predictor_of_every_configuration_over_seeds(quick, tmp_path, capsys):
    output = tmp_path / "runs.json"
    specs = [f"{quick}:base", quick]
    assert compare.main([*specs, "--seeds", "2", "--output", str(output)]) == 0
    runs = json.loads(output.read_text())
    assert [(run["spec"], run["seed"]) for run in runs] == [(spec, seed) for seed in (0, 1) for spec in specs]
    assert set(runs[0]["last"]) == {"classifier"} and set(runs[1]["last"]) == {"student", "classifier"}
    for run in runs:
        assert [point["epoch"] for point in run["curve"]] == [1, 2]
        for name, metrics in run["last"].items():
            assert run["curve"][-1][name] == metrics
    printed = capsys.readouterr().out
    assert "student" in printed and "±" in printed
    # The same command again trains nothing; a third seed trains two runs more.
    assert compare.main([*specs, "--seeds", "2", "--output", str(output)]) == 0
    assert "seed 0" not in capsys.readouterr().out and json.loads(output.read_text()) == runs
    assert compare.main([specs[0], "--seeds", "3", "--output", str(output)]) == 0
    assert len(json.loads(output.read_text())) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py", "--output", "{}/x.json"], "nowhere.py: no such configuration file"),
        (["configs/digits.py:bse", "--output", "{}/x.json"], "unknown variant 'bse'"),
        (["configs/digits.py", "--output", "{}/none/x.json"], "is no folder; make it first"),
        (["configs/digits.py", "--seeds", "0", "--output", "{}/x.json"], "--seeds 0: must be at least 1"),
        (["configs/cub.py", "--root", "{}", "--output", "{}/x.json"], "res101.mat"),
    ],
)
def test_bad_input_exits_2(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert compare.main([argument.replace("{}", str(tmp_path)) for argument in arguments]) == 2
    captured = capsys.readouterr().err
    assert message in captured and captured.count("\n") == 1


def test_an_output_of_something_else_is_not_overwritten(quick, tmp_path, capsys):
    other = tmp_path / "other.json"
    other.write_text('"mine"')
    assert compare.main([quick, "--output", str(other)]) == 2
    assert "not an output of this tool" in capsys.readouterr().err and other.read_text() == '"mine"'


def test_fields_after_a_comma_make_another_configuration(quick):
    config = compare.configuration(f"{quick}:d3,precision=bfloat16,train.epochs=3", 1, None)
    assert (config.precision, config.train.epochs, config.seed) == ("bfloat16", 3, 1)
    with pytest.raises(compare.UserError, match="after the comma, 'bfloat16' is not FIELD=VALUE"):
        compare.configuration(f"{quick},bfloat16", 0, None)
    with pytest.raises(compare.UserError, match=r"config\.precison: no such field; did you mean config\.precision"):
        compare.configuration(f"{quick},precison=tf32", 0, None)
