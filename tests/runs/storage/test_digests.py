"""A flipped bit, a missing file, a checkpoint under another's name: noticed, wherever it is."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import reopen
from d3gzsl_jax.runs.checkpoints import Checkpoints, load_arrays, load_once, save_once
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.model import load_model
from d3gzsl_jax.runs.model_commands import run_mode
from d3gzsl_jax.runs.storage import digests
from d3gzsl_jax.studies.start import train
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

FLIPS = 12
TREE = {"a": jnp.arange(5.0), "b": {"c": jnp.int32(3)}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A short digits run with D3, its two newest checkpoints and its configuration."""
    config = d3.load_config(ROOT / "configs" / "digits.py", {
        "networks.embedding": 16, "networks.critic_hidden": 16, "networks.generator_hidden": 16, "train.epochs": 3,
        "teacher.epochs": 1, "classifier.epochs": 1, "classifier.n_syn": 5, "eval.every_epochs": 1, "log.report": False,
        "data.pipeline": "device", "checkpoint.best": "test_harmonic", "checkpoint.keep": 3, "checkpoint.every_minutes": 0.0,
    })  # fmt: skip
    run = d3.train(config, workdir=tmp_path_factory.mktemp("runs") / "run")
    return run.folder, config


@pytest.fixture(scope="module")
def longer(whole, tmp_path_factory):
    """Its results with one more epoch, as it was never stopped."""
    config = whole[1].copy_and_resolve_references()
    config.train.epochs = 4
    return config, train(config, str(tmp_path_factory.mktemp("runs") / "longer"), Display())["predictions"]


@pytest.fixture
def run(whole, tmp_path):
    """A copy of it."""
    shutil.copytree(whole[0], tmp_path / "run")
    return tmp_path / "run"


def spoil(folder, rng):
    """Flips one bit somewhere below `folder`, anywhere alike; returns how to take it back."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    sizes = np.array([path.stat().st_size for path in files])
    place = int(rng.integers(sizes.sum()))
    index = int(np.searchsorted(np.cumsum(sizes), place, side="right"))
    path, content = files[index], files[index].read_bytes()
    at = place - int(np.cumsum(sizes)[index] - sizes[index])
    changed = bytearray(content)
    changed[at] ^= 1 << int(rng.integers(8))
    path.write_bytes(changed)
    return lambda: path.write_bytes(content)


def shapes_of(checkpoint):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), load_arrays(checkpoint / "training"))


def readers_of(run):
    """By part of a run folder, a function that reads it, and one's outcome."""
    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name) if path.name.isdigit() else -1)
    abstract = shapes_of(newest)

    def checkpoint():
        found = Checkpoints(run / "checkpoints", 3, "test_harmonic", 0.0, print, look=True)
        return *found.restore(int(newest.name), abstract), found.best_step()

    def teacher():
        return load_once(run / "teacher")

    def model():
        return load_once(run / "model")

    return {newest: checkpoint, run / "teacher": teacher, run / "model": model}


def equal(one, other):
    same = jax.tree.map(lambda a, b: np.asarray(a).tobytes() == np.asarray(b).tobytes(), one, other)
    return all(jax.tree.leaves(same))


def flips(run, count, seed):
    """By part: of so many single-bit flips, how many are refused, change nothing that is read, and go unnoticed."""
    rng, found = np.random.default_rng(seed), {}
    for folder, read in readers_of(run).items():
        good, counts = read(), {"refused": 0, "equal": 0, "unnoticed": 0}
        for _ in range(count):
            undo = spoil(folder, rng)
            try:
                counts["equal" if equal(read(), good) else "unnoticed"] += 1
            except UserError:
                counts["refused"] += 1
            undo()
        found[folder.name] = counts
    return found


def test_no_flipped_bit_goes_on_unnoticed(run):
    found = flips(run, FLIPS, seed=0)
    assert sum(of["refused"] for of in found.values()) > FLIPS, found
    assert not any(of["unnoticed"] for of in found.values()), found


def damage(folder):
    """Flips a bit in the largest file of numbers."""
    path = max((path for path in folder.rglob("*") if path.is_file() and "/d/" in str(path)), key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


def said_by(call, *arguments):
    said, display = [], Display()
    display.say = said.append
    return call(*arguments, display), said


def test_training_puts_a_damaged_checkpoint_aside_and_ends_the_same(longer, run):
    config, expected = longer
    damage(run / "checkpoints" / "48")
    results, said = said_by(train, config, str(run))
    warnings = [line for line in said if line.startswith("warning: ") and "put aside as damaged-48" in line]
    assert len(warnings) == 1 and any("going on from outer step 32 " in line for line in said)
    assert results["predictions"] == expected


def test_no_whole_checkpoint_is_left(whole, run):
    config = whole[1].copy_and_resolve_references()
    config.train.epochs, config.train.resume = 4, "must"
    for path in (run / "checkpoints").iterdir():
        damage(path)
    with pytest.raises(UserError, match=r"no checkpoint is whole, and config\.train.resume=must"):
        train(config, str(run), Display())


def test_a_damaged_teacher_is_refused_and_fitted_anew_once_removed(longer, run):
    config, expected = longer[0].copy_and_resolve_references(), longer[1]
    damage(run / "teacher")
    with pytest.raises(UserError, match=r"teacher: .*; put a copy of that folder back, or remove it: it is fitted anew"):
        train(config, str(run), Display())
    with pytest.raises(UserError, match="teacher: "):
        reopen.evaluate(run, "last", Display())
    shutil.rmtree(run / "teacher")
    assert train(config, str(run), Display())["predictions"] == expected
    save_once(run / "teacher", {"params": {"x": jnp.zeros(3)}}, {})
    config.train.epochs = 5
    with pytest.raises(UserError, match="teacher: not the teacher of this run"):
        train(config, str(run), Display())


def test_modes_refuse_what_is_damaged(run):
    damage(run / "checkpoints" / "48")
    with pytest.raises(UserError, match=r"checkpoints/48: .*; others there: 16, (24, )?32; the command that trained"):
        reopen.evaluate(run, "last", Display())
    assert reopen.evaluate(run, "32", Display())["checkpoint"] == 32
    damage(run / "model")
    options = dict.fromkeys(("input", "key", "predictor", "semantics", "checkpoint", "data_root"), "")
    options |= {"workdir": str(run), "output": str(run / "x.npz"), "classes": "unseen", "count": 2, "seed": 0, "top": 1}
    with pytest.raises(UserError, match=r"model: .*put a copy of it back; of a run, --checkpoint=last takes its newest state instead"):
        run_mode("synthesize", options, Display())
    assert not (run / "x.npz").exists()


@pytest.mark.parametrize("field", ["scaling", "class_names", "seen", "config", "step"])
def test_notes_that_were_changed_are_refused(run, field):
    path = run / "model" / "notes" / "metadata"
    notes = json.loads(path.read_text())
    if field == "scaling":
        notes["scaling"]["scale"][3] *= 1 + 1e-12
    elif field == "config":
        notes["config"]["seed"] += 1
    else:
        notes[field] = notes[field] + 1 if field == "step" else notes[field][::-1]
    path.write_text(json.dumps(notes))
    with pytest.raises(UserError, match="its notes are not what was written"):
        d3.load_model(run)


def test_checkpoints_under_each_others_names(run, tmp_path):
    folder = run / "checkpoints"
    (folder / "16").rename(tmp_path / "16")
    (folder / "48").rename(folder / "16")
    (tmp_path / "16").rename(folder / "48")
    abstract = shapes_of(folder / "32")
    said = []
    found = Checkpoints(folder, 3, "test_harmonic", 0.0, said.append)
    assert found.restore_newest(abstract)[0] == 32
    assert any("48: damaged (it holds outer step 16); skipped" in line for line in said)
    assert sum("cannot be the best" in line for line in said) == 2 and found.best_step() == 32


@pytest.mark.parametrize("which", ["16", "digests", "sha256.json"])
def test_what_is_missing(run, which):
    """A checkpoint that lost its digests is damaged."""
    newest = run / "checkpoints" / "48"
    if which == "16":
        shutil.rmtree(run / "checkpoints" / "16")
        (newest / "more").write_text("x")  # what nobody reads is in nobody's way
        (run / "checkpoints" / "notes.txt").write_text("x")
    elif which == "digests":
        shutil.rmtree(newest / "digests")
    else:
        (newest / "digests" / "sha256.json").unlink()
    said = []
    found = Checkpoints(run / "checkpoints", 3, "", 0.0, said.append)
    abstract = shapes_of(run / "checkpoints" / "32")
    step, *_ = found.restore_newest(abstract)
    assert step == (48 if which == "16" else 32)
    assert ["sha256.json is missing" in line for line in said] == ([] if which == "16" else [True])


def test_a_model_without_digests_is_damaged(run):
    shutil.rmtree(run / "model" / "digests")
    with pytest.raises(UserError, match=r"digests/sha256\.json is missing"):
        load_model(run)


def test_digests_are_of_path_type_shape_and_bytes():
    whole = digests.of_arrays(TREE)
    assert whole.keys() == {"a", "b/c"} and whole == digests.of_arrays(jax.device_get(TREE))
    for other in ({"a": TREE["a"].reshape(5, 1)}, {"a": TREE["a"].astype(jnp.int32)}, {"a": TREE["a"].at[1].set(1.0000001)}, {"a": -TREE["a"]}):
        assert digests.of_arrays(other)["a"] != whole["a"]
    assert digests.of_arrays({"a": jnp.zeros(1)}) != digests.of_arrays({"a": -jnp.zeros(1)})
    assert digests.of_arrays([jnp.zeros((0, 3)), jnp.bfloat16(1.5)]).keys() == {"0", "1"}
    assert digests.of_notes({"b": 1, "a": (1.5,)}) == digests.of_notes({"a": [1.5], "b": 1})
