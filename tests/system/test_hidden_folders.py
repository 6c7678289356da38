"""A folder that may not be looked into is told as that, by every command: what lies in it is not "not there", and nothing breaks off."""

import errno
import os

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.main import main
from d3gzsl_jax.runs import contents


@pytest.fixture
def shut(tmp_path, monkeypatch):
    """A folder without permissions, also for root, whom the system lets in everywhere."""
    (tmp_path / "shut").mkdir()
    (tmp_path / "pictures" / "okapi").mkdir(parents=True)
    (tmp_path / "pictures" / "okapi" / "a.png").write_text("x")
    (tmp_path / "classes.csv").write_text("class,description\nokapi,Striped legs.\n")
    (tmp_path / "pictures.csv").write_text("file,class\nshut/a.png,okapi\n")
    np.save(tmp_path / "rows.npy", np.zeros((2, 3), np.float32))
    np.savez(tmp_path / "weights.npz", **{"generator/fc1.weight": np.zeros((2, 3), np.float32)})
    (tmp_path / "link").symlink_to(tmp_path / "shut" / "x")
    monkeypatch.chdir(tmp_path)
    place = os.path.join(tmp_path, "shut")
    really, known = os.path.realpath, {name: getattr(os, name) for name in ("stat", "lstat", "scandir", "listdir", "mkdir", "access")}

    def is_shut(name, path):
        if isinstance(path, int):
            return False
        here = os.path.abspath(os.fsdecode(path))
        here = really(here) if name == "stat" and here == os.path.join(tmp_path, "link") else here
        return here.startswith(place + os.sep) or (here == place and name in ("scandir", "listdir", "access"))

    def guarded(name):
        def call(path=".", *more, **further):
            if not is_shut(name, path):
                return known[name](path, *more, **further)
            if name == "access":
                return False
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))

        return call

    for name in known:
        monkeypatch.setattr(os, name, guarded(name))
    return tmp_path / "shut"


EMBED = "embed --images=pictures --classes=classes.csv --output=x.npz "


@pytest.mark.parametrize(
    "command",
    [
        "predict --workdir=shut/run --input=rows.npy --output=x.csv", "predict --workdir=shut --input=rows.npy --output=x.csv",
        "predict --workdir=link --input=rows.npy --output=x.csv", "evaluate --workdir=shut", "report shut/run",
        "synthesize --workdir=shut/run --output=x.npz", "add-classes --workdir=shut --classes=classes.csv --output=x",
        "serve --workdir=shut/run", "serve --workdir=shut", "train --config=digits --workdir=shut/run", "train --config=shut/mine.py",
        "train --config=own --config.data.root=shut/own.npz",
        "convert to-torch --workdir=shut/run --output=x.npz", "convert to-torch --workdir=shut --output=x.npz",
        "convert to-jax --torch=shut/w.npz --config=digits --output=x", "convert to-jax --torch=weights.npz --like=shut/run --output=x",
        "convert to-jax --torch=weights.npz --config=digits --output=shut/x", "table shut/run", "ablate --config=digits --output=shut/x",
        EMBED.replace("images=pictures", "images=shut/a"), EMBED.replace("classes.csv", "shut/c.csv"),
        EMBED.replace("images=pictures", "images=pictures.csv"), EMBED.replace("x.npz", "shut/x.npz"),
    ],
)  # fmt: skip
def test_commands_name_the_folder(command, shut, capsys):
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "there is no permission to look into" in said and str(shut) in said, said
    assert "no such" not in said and "holds no" not in said


def test_from_python_too(shut):
    for folder in (shut, shut / "run"):
        with pytest.raises(d3.UserError, match=f"there is no permission to look into {shut};"):
            d3.load_model(folder)
    with pytest.raises(d3.UserError, match=f"there is no permission to look into {shut};"):
        d3.embed(shut / "a", "classes.csv", "x.npz")


def test_what_cannot_be_looked_into_is_not_empty(shut):
    assert not contents.is_empty(shut) and not contents.is_empty(shut / "x")


def test_a_model_is_looked_for_in_a_folder_that_is_there(tmp_path):
    with pytest.raises(d3.UserError, match=f"^{tmp_path / 'x'}: no such folder; name that of a run or of a saved model$"):
        d3.load_model(tmp_path / "x")
    with pytest.raises(d3.UserError, match=f"^{tmp_path}: holds no saved model; a run saves one at its end$"):
        d3.load_model(tmp_path)
