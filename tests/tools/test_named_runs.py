"""Benchmarks by name, and what is kept of those that are not given."""

import json

import pytest

from d3gzsl_jax.errors import UserError
from tools import named_runs


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Calls write_json with these arguments; returns what the file holds."""

    def call(*arguments):
        target = tmp_path / "kept" / "found.json"
        monkeypatch.chdir(tmp_path)
        for folder in "abcd":
            (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setattr("sys.argv", ["tool.py", f"--output={target}", *arguments])
        named_runs.write_json("A tool.", lambda folder: folder.name)
        return json.loads(target.read_text(encoding="utf-8"))

    return call


def test_a_benchmark_given_again_is_made_anew_and_others_are_kept(written):
    assert written("FLO=a", "CUB=b") == {"CUB": "b", "FLO": "a"}
    assert list(written("FLO=c", "AWA=d").items()) == [("AWA", "d"), ("CUB", "b"), ("FLO", "c")]


def test_a_name_given_twice_is_refused(written):
    with pytest.raises(UserError, match="FLO=FOLDER was given twice"):
        written("FLO=a", "FLO=b")


@pytest.mark.parametrize(
    ("argument", "told"),
    [("FLO", "FLO: give a name and a folder"), ("=a", "=a: give a name"), ("FLO=", "FLO=: give a name"),
     ("../FLO=a", "is a path; give one word"), ("FLO=none", "there is no folder none")],
)  # fmt: skip
def test_half_an_argument_is_refused(written, tmp_path, argument, told):
    with pytest.raises(UserError, match=told):
        written(argument)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("text", ["[1]", "no JSON"])
def test_a_file_of_something_else_is_left_alone(written, tmp_path, text):
    target = tmp_path / "kept" / "found.json"
    target.parent.mkdir()
    target.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"found\.json.*name another file for --output"):
        written("FLO=a")
    assert target.read_text(encoding="utf-8") == text
