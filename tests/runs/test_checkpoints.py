"""Orbax checkpoints: which are kept, which are skipped, and what a full disk does."""

import errno
import shutil
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.checkpoints import Checkpoints, load_once, save_once
from d3gzsl_jax.training.loop import Loop
from tests import small

TREE = {"a": jnp.arange(5.0), "b": {"c": jnp.int32(3)}}


def store(tmp_path, said, **changes):
    options = {"keep": 2, "best": "", "minutes": 0.0} | changes
    return Checkpoints(tmp_path / "checkpoints", say=said.append, **options)


def fill(checkpoints, values):
    for step, value in values.items():
        assert checkpoints.save(step, TREE, {"step": step}, None if value is None else {"test_harmonic": value}, wait=True)


def test_the_newest_and_the_best_stay(tmp_path):
    said = []
    checkpoints = store(tmp_path, said, best="test_harmonic")
    assert checkpoints.steps == [] and checkpoints.newest() is None and checkpoints.restore_newest(TREE) is None
    fill(checkpoints, {1: 0.5, 2: 0.9, 3: 0.1, 4: None, 5: 0.2})
    checkpoints.close()
    again = store(tmp_path, said, best="test_harmonic")
    assert again.steps == [2, 4, 5] and again.best_step() == 2
    assert again.better({"test_harmonic": 0.95}) and not again.better({"test_harmonic": 0.8})
    step, training, history = again.restore_newest(TREE)
    assert step == 5 and history == {"step": 5}
    np.testing.assert_array_equal(training["a"], TREE["a"])
    assert not said
    with pytest.raises(UserError, match="no checkpoint was kept as the best"):
        store(tmp_path, said).best_step()


@pytest.mark.parametrize("damage", ["emptied", "missing", "history"])
def test_a_damaged_checkpoint_is_skipped_with_a_warning(tmp_path, damage, capfd):
    said = []
    checkpoints = store(tmp_path, said)
    fill(checkpoints, {1: None, 2: None})
    newest = tmp_path / "checkpoints" / "2"
    if damage == "missing":
        shutil.rmtree(newest / "training")
    elif damage == "history":
        (newest / "history" / "metadata").write_text("{")
    else:
        for path in newest.glob("training/**/*"):
            if path.is_file():
                path.write_bytes(b"")
    step, _, history = store(tmp_path, said).restore_newest(TREE)
    assert step == 1 and history == {"step": 1}
    assert len(said) == 1 and "2: not a whole checkpoint" in said[0] and "put aside as damaged-2" in said[0]
    after = store(tmp_path, said)
    assert after.steps == [1]
    fill(after, {2: None})  # the step can be reached and saved again
    assert after.steps == [1, 2]
    assert "Traceback" not in capfd.readouterr().err


def test_a_half_written_checkpoint_is_removed_with_a_warning(tmp_path):
    said = []
    fill(store(tmp_path, said), {1: None, 2: None})
    whole = tmp_path / "checkpoints" / "2"
    whole.rename(tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp-7")  # what Orbax calls it until it is whole
    looking = store(tmp_path, said, look=True)
    assert looking.steps == [1] and not said
    assert store(tmp_path, said).steps == [1]
    assert len(said) == 1 and "2 in" in said[0] and "half-written" in said[0]


def test_a_failing_save_is_said_once_and_the_last_good_one_stays(tmp_path, monkeypatch):
    said = []
    checkpoints = store(tmp_path, said)
    fill(checkpoints, {1: None})

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints._manager, "save", full)
    assert not checkpoints.save(2, TREE, {}, None) and not checkpoints.save(3, TREE, {}, None)
    assert len(said) == 1 and "No space left" in said[0] and "the last good one is" in said[0]
    monkeypatch.undo()
    assert checkpoints.restore_newest(TREE)[0] == 1
    fill(checkpoints, {4: None})
    assert checkpoints.steps == [1, 4]


@pytest.mark.slow
def test_a_state_may_be_donated_while_it_is_written(tmp_path):
    """The buffers of a saved state are given to the next steps at once; what is written is what was saved."""
    p = small.problem(framework="cegzsl")
    loop = Loop(p.objective, p.optimization, p.n_critic, p.batch)
    empty = loop.empty_tally(p.state, p.constants, None)
    state, tally = loop.run(jax.tree.map(jnp.copy, p.state), empty, p.constants, None, 0, 2)
    expected = jax.tree.map(lambda leaf: np.array(leaf, copy=True), (state, tally))
    checkpoints = store(tmp_path, [])
    checkpoints.save(2, {"state": state, "tally": tally}, {}, None)
    for _ in range(5):
        state, tally = loop.run(state, tally, p.constants, None, 0, 3)
    checkpoints.close()
    abstract = jax.eval_shape(lambda: {"state": p.state, "tally": empty})
    _, training, _ = store(tmp_path, []).restore_newest(abstract)
    jax.tree.map(np.testing.assert_array_equal, (training["state"], training["tally"]), expected)
    assert type(training["state"].opt_state["comparator"]) is type(p.state.opt_state["comparator"])


def test_what_is_saved_once(tmp_path):
    save_once(tmp_path / "model", {"p": TREE}, {"n": [1, 2.5]})
    save_once(tmp_path / "model", {"p": TREE}, {"n": "new"})
    arrays, notes = load_once(tmp_path / "model")
    assert notes == {"n": "new"} and arrays["p"]["b"]["c"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    shutil.rmtree(tmp_path / "model" / "arrays")
    with pytest.raises(UserError, match="no whole arrays"):
        load_once(tmp_path / "model")
    with pytest.raises(UserError, match="cannot be written"):
        save_once(tmp_path / "file" / "model", TREE, {}) if (tmp_path / "file").write_text("x") else None


def test_time_between_two(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("d3gzsl_jax.runs.checkpoints.time.monotonic", lambda: clock.now)
    checkpoints = store(tmp_path, [], minutes=2.0)
    clock.now = 119.0
    assert not checkpoints.due()
    clock.now = 121.0
    assert checkpoints.due()
    fill(checkpoints, {1: None})
    assert not checkpoints.due()


METRICS = {"test_harmonic": 0.9}


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("again", [True, False])
def test_metrics_come_to_a_checkpoint_that_was_saved_without_them(tmp_path, wait, again):
    """As when ctrl-C or SIGTERM comes in the last call before an evaluation: saved on leaving, evaluated afterwards."""
    said = []
    checkpoints = store(tmp_path, said, best="test_harmonic")
    fill(checkpoints, {1: 0.5})
    assert checkpoints.save(2, TREE, {"step": 2}, None, wait)
    if again:
        checkpoints.close()
        checkpoints = store(tmp_path, said, best="test_harmonic")
    assert checkpoints.better(METRICS) and checkpoints.save(2, TREE, {"step": "other"}, METRICS, wait)
    assert not checkpoints.better(METRICS) and checkpoints.best_step() == 2
    fill(checkpoints, {3: 0.1, 4: None, 5: None})
    checkpoints.close()
    for look in (True, False):
        found = store(tmp_path, said, best="test_harmonic", look=look)
        assert found.steps == [2, 4, 5] and found.best_step() == 2 and not found.better(METRICS)
        assert found.restore(2, TREE)[1] == {"step": 2}
    assert not said


def test_any_order_of_saves_of_one_step(tmp_path):
    for number, order in enumerate(([None, 0.9, None], [0.9, None], [0.9, 0.9], [None, None, 0.9])):
        checkpoints = store(tmp_path / str(number), [], best="test_harmonic", keep=1)
        (tmp_path / str(number)).mkdir()
        for value in order:
            fill(checkpoints, {1: value})
        fill(checkpoints, {2: 0.2, 3: None})
        assert checkpoints.steps == [1, 3] and checkpoints.best_step() == 1


def test_a_disk_that_is_full_when_metrics_are_added(tmp_path, monkeypatch):
    said = []
    checkpoints = store(tmp_path, said, best="test_harmonic")
    fill(checkpoints, {1: None})

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("d3gzsl_jax.runs.checkpoint_metrics.atomic.write_text", full)
        assert not checkpoints.save(1, TREE, {}, METRICS)
    assert len(said) == 1 and store(tmp_path, said, best="test_harmonic").restore_newest(TREE)[0] == 1
    fill(checkpoints, {1: 0.9})
    assert store(tmp_path, said, best="test_harmonic").best_step() == 1


@pytest.mark.parametrize("content", ["", "[" * 100_000, "5", '{"step": 2, "metrics": {"test_harmonic": 0.99}, "sha256": "x"}', "\udcff"])
def test_damaged_metrics_are_not_the_best(tmp_path, content):
    said = []
    checkpoints = store(tmp_path, said, best="test_harmonic")
    fill(checkpoints, {1: 0.5, 2: 0.9})
    path = tmp_path / "checkpoints" / "2" / "evaluation" / "metadata"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    found = store(tmp_path, said, best="test_harmonic")
    assert found.best_step() == 1 and len(said) == 1 and "evaluation/metadata" in said[0] and "cannot be the best" in said[0]
    fill(found, {2: 0.9})  # evaluated again, when the run goes on from there
    assert store(tmp_path, said, best="test_harmonic").best_step() == 2


def test_metrics_that_are_not_finite(tmp_path):
    checkpoints = store(tmp_path, [], best="test_harmonic", keep=1)
    fill(checkpoints, {1: 0.3, 2: float("nan"), 3: 0.2})
    assert checkpoints.steps == [1, 3] and store(tmp_path, [], best="test_harmonic").best_step() == 1
