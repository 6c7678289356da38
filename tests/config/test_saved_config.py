"""Run folders and models carry the number of their format; others are refused with what to do."""

import json

import pytest

from configs import default
from d3gzsl_jax.config import saved_config
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import model_files, reopen, resume
from d3gzsl_jax.runs.checkpoints import save_once
from d3gzsl_jax.runs.folder import RunFolder, plain
from d3gzsl_jax.runs.report.record import Recorded

OTHERS = {"another": 2, "none": None, "a text": "1", "a long one": "9" * 3000, "True": True}
REFUSED = r"and this version of d3gzsl_jax reads format 1; use the version that wrote it, or train anew in another folder$"


def test_what_is_saved_is_read():
    config = default.get_config()
    content = json.loads(json.dumps(plain(saved_config.content(config.to_dict()))))
    assert content["format"] == 1 and "format" not in saved_config.nested(content, "x")
    assert plain(saved_config.read(content, "x").to_dict()) == plain(config.to_dict())


@pytest.mark.parametrize("number", OTHERS.values(), ids=OTHERS)
def test_a_run_of_another_format_is_refused(tmp_path, number):
    config = plain(default.get_config().to_dict())
    folder = RunFolder(str(tmp_path), "x")
    folder.write("config.json", config | ({"format": number} if number is not None else {}))
    for read in (
        lambda: reopen.run_config(tmp_path), lambda: Recorded.read(tmp_path), lambda: resume.why_another(folder, config, "d"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=rf"config.json: has (no )?format .*{REFUSED}") as refused:
            read()
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 500


@pytest.mark.parametrize("number", OTHERS.values(), ids=OTHERS)
def test_a_model_of_another_format_is_refused(tmp_path, number):
    save_once(tmp_path / "model", {"params": {}}, {"format": number} if number is not None else {"name": "x"})
    with pytest.raises(UserError, match=rf"model: has (no )?format .*{REFUSED}"):
        model_files.read(tmp_path / "model")


def test_what_was_saved_before_there_was_a_field_is_read_with_its_default(tmp_path):
    """It is no other run by that, either."""
    config = plain(default.get_config().to_dict())
    folder, old = RunFolder(str(tmp_path), "x"), json.loads(json.dumps(config))
    for name in saved_config.ADDED:
        group, field = name.split(".")
        del old[group][field]
    folder.write("config.json", saved_config.content(old))
    assert plain(reopen.run_config(tmp_path).to_dict()) == plain(saved_config.configuration(old, "x").to_dict()) == config
    folder.write("environment.json", {"data": {"sha256": "d"}})
    assert resume.why_another(folder, config, "d") is None
    config["classifier"]["zsl"] = "own"
    assert "config.classifier.zsl=restricted, now it is own" in resume.why_another(folder, config, "d").replace("'", "")
    assert saved_config.nested(saved_config.content({"classifier": {"zsl": "own"}}), "x")["classifier"]["zsl"] == "own"
