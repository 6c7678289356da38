"""Files of a run folder that hold something else than they should: each reader works, or says so in one line."""

import contextlib
import io
import json
import shutil
import zipfile

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import file_schemas, json_files, resume
from tests.conftest import ROOT
from tests.runs.readers import DAMAGES, READERS, mutations, odd_arrays
from tests.runs.report.test_report import arrays

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run chosen on validation, with all that a folder may hold."""
    config = d3.load_config(ROOT / "configs" / "digits.py", {
        "train.epochs": 2, "teacher.epochs": 1, "classifier.epochs": 2, "eval.every_epochs": 1, "log.report": False,
        "data.pipeline": "device", "eval.selection": "validation",
    })  # fmt: skip
    data = d3.load_data(config)
    run = d3.train(config, data, workdir=tmp_path_factory.mktemp("runs") / "run", overrides={"train.epochs": 2})
    asked = {"config": config.to_dict(), "digest": resume.digest(data), "digests": data.digests}
    (run.folder / "asked.json").write_text(json.dumps(asked))
    np.savez(run.folder / "diagnostics.npz", **arrays())
    return run.folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of what the readers look at."""
    copy = tmp_path / "run"
    shutil.copytree(whole, copy, ignore=shutil.ignore_patterns("checkpoints", "model", "teacher"))
    return copy


def outcomes(folder, name):
    """What each reader of a file comes to: '' or the line it refuses with; anything else is raised."""
    found = []
    for reader in READERS[name]:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                reader(folder)
            found.append("")
        except UserError as error:
            found.append(str(error))
    assert all("\n" not in line and len(line) < 1200 for line in found), found
    return found


def test_what_is_whole_is_read(folder):
    for name in READERS:
        assert (folder / name).is_file() and outcomes(folder, name) == [""] * len(READERS[name]), name


@pytest.mark.parametrize("name", READERS)
def test_damaged_files(folder, name):
    path = folder / name
    content = path.read_bytes()
    refused = set()
    for what, damage in DAMAGES.items():
        path.write_bytes(damage(content))
        found = outcomes(folder, name)
        assert all(str(folder) in line or not line for line in found), (what, found)
        if all(found):
            refused.add(what)
    assert {"brackets", "no UTF-8", "zeros"} <= refused, refused
    path.unlink()
    outcomes(folder, name)
    path.mkdir()
    assert all("a folder" in line and name in line for line in outcomes(folder, name)), outcomes(folder, name)


@pytest.mark.parametrize("name", ["environment.json", "overrides.json", "validation.json"])
def test_every_value_of_another_type(folder, name):
    for _, content in list(mutations((folder / name).read_bytes()))[::3]:
        (folder / name).write_bytes(content)
        outcomes(folder, name)


@pytest.mark.parametrize("name", ["config.json", "results.json", "metrics.jsonl"])
def test_values_of_another_type_here_and_there(folder, name, rng):
    content = (folder / name).read_bytes().splitlines()[0] if name.endswith("l") else (folder / name).read_bytes()
    found = list(mutations(content))
    for index in rng.choice(len(found), 40, replace=False):
        (folder / name).write_bytes(found[index][1] + b"\n")
        outcomes(folder, name)


@pytest.mark.parametrize("name", ["diagnostics.npz", "validation/fold-0/trials/2.npz"])
def test_arrays_of_another_shape(folder, name):
    for _, other in list(odd_arrays(io.BytesIO((folder / name).read_bytes())))[::2]:
        np.savez(folder / name, **other)
        outcomes(folder, name)


def test_a_flipped_bit_in_arrays_of_folds(folder):
    path = folder / "validation" / "fold-0" / "trials" / "2.npz"
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:  # a place within an array, not in the names and dates of the archive
        place = archive.infolist()[0].header_offset + 30 + len(archive.infolist()[0].filename) + 40
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    (line,) = outcomes(folder, "validation/fold-0/trials/2.npz")
    assert "2.npz: damaged" in line and "to validate anew" in line


def test_the_line_and_the_key_are_named(folder):
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 3, "epo')  # a process was killed while it wrote
    assert outcomes(folder, "metrics.jsonl")[0] == ""
    content = (folder / "metrics.jsonl").read_text().splitlines()
    (folder / "metrics.jsonl").write_text("\n".join([content[0], '{"step": "x"}', *content[1:]]) + "\n")
    assert "metrics.jsonl, line 2: step is 'x' (Expected int, got str); remove that line" in outcomes(folder, "metrics.jsonl")[0]
    (folder / "metrics.jsonl").write_text("")
    results = json.loads((folder / "results.json").read_text())
    results["predictions"]["student"]["per_class"]["3 3"] = "a" * 3000
    (folder / "results.json").write_text(json.dumps(results))
    assert "results.json: predictions.student.per_class.3 3 is 'aaa" in outcomes(folder, "results.json")[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "config.dataset: missing"), ({"eval": 5}, r"eval is 5"), ({"items": 3}, "config.json: "), ({"eval": {"a.b": 1}}, "config.json: "),
    ],
)  # fmt: skip
def test_a_configuration_that_is_none(folder, content, message):
    from d3gzsl_jax.runs.reopen import run_config

    (folder / "config.json").write_text(json.dumps({"format": 1} | content))
    with pytest.raises(UserError, match=message):
        run_config(folder)


@pytest.mark.parametrize("kind", [None, file_schemas.Results, file_schemas.WholeResults])
@pytest.mark.parametrize(("found", "told"), [({}, "has no format number"), ({"format": 99}, "has format 99"), ({"format": True}, "has format True")])
def test_results_of_another_format(tmp_path, kind, found, told):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(found))
    with pytest.raises(UserError, match=f"results.json: {told}.*use the version that wrote it, or train anew"):
        json_files.read(path, kind)


def test_unknown_keys_and_null_are_read(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"format": 1, "epochs": 3, "of a later version": [{"deep": 1}], "metrics": None, "seconds": 3}))
    assert json_files.read(path)["of a later version"] == [{"deep": 1}]
    assert json_files.read(tmp_path / "absent.json", file_schemas.Results) is None
