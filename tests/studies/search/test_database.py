import sqlite3

import optuna
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies.search import database
from d3gzsl_jax.studies.search.fields import Searched

RATE = Searched("train.learning_rate", ("train.learning_rate",), 1e-3, 1e-4, 1e-2, log=True)
BATCH = Searched("train.batch_size", ("train.batch_size",), 64, choices=(32, 64, 128))
TRAIN = {"learning_rate": 1e-3, "batch_size": 64, "epochs": 20, "outer_steps": 0}
CONFIG = {"framework": "wgan", "train": TRAIN, "data": {"root": "here"}}
ASKED = {"config": CONFIG, "digests": {"features": "a"}, "seeds": 1}


def trials(folder, fields=(RATE, BATCH), pruner="median", name="search: digits", **changed):
    database.storage_of.cache_clear()  # as in a process that begins
    return database.Trials(f"sqlite:///{folder / 'study.db'}", name, pruner, fields, ASKED | changed)


def value_of(settings):
    return 1.0 - abs(settings["train.learning_rate"] - 3e-3) * 100 - settings["train.batch_size"] / 1000


def done(of, count, stop=None):
    """Does trials until there are `count`, of which `stop` at most in this start; returns what each was given."""
    for begun in of.begun():
        settings = of.settings(of.again(begun))
        of.end(begun.number, {"value": value_of(settings), "seeds": []})
    for started, trial in enumerate(of.asked(count), start=1):
        settings = of.settings(trial)
        if started == stop:
            return None  # the process dies here
        of.end(trial.number, {"value": value_of(settings), "seeds": []})
    return [one.params for one in of.all()]


@pytest.mark.slow
def test_the_first_trial_is_the_configurations_own_and_a_search_gives_the_same_trials_again(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    first = done(trials(tmp_path / "a"), 16)
    assert first[0] == {"train.learning_rate": 1e-3, "train.batch_size": 64} and len(first) == 16
    assert len({tuple(one.values()) for one in first}) == 16  # the sampler has drawn none twice
    assert done(trials(tmp_path / "b"), 16) == first
    best = trials(tmp_path / "a").best()
    assert best.value == max(map(value_of, first)) and value_of(best.params) == best.value


@pytest.mark.slow
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    at_once = done(trials(tmp_path / "a"), 15)
    for count, stop in ((15, 4), (12, 1), (15, 9), (15, None)):
        in_parts = done(trials(tmp_path / "b"), count, stop)
    assert in_parts == at_once
    assert done(trials(tmp_path / "b"), 10) == at_once  # fewer were asked for: nothing is done


def test_a_trial_that_was_drawn_in_part_is_drawn_to_its_end(tmp_path):
    of = trials(tmp_path)
    done(of, 3)
    whole = trials(tmp_path)
    trial = next(whole.asked(4))
    RATE.suggest(trial)  # and the process dies
    again = trials(tmp_path)
    (begun,) = again.begun()
    settings = again.settings(again.again(begun))
    assert settings["train.learning_rate"] == trial.params["train.learning_rate"] and settings["train.batch_size"] in BATCH.choices


def test_two_machines_draw_no_more_than_was_asked_for(tmp_path, monkeypatch):
    one, other = trials(tmp_path), trials(tmp_path)
    done(one, 3)
    seen = one.all()
    monkeypatch.setattr(other, "all", lambda: seen[:-1] if len(calls.append(1) or calls) == 1 else database.Trials.all(other))
    calls = []
    assert list(other.asked(3)) == []  # it saw two, drew a fourth, and left it
    assert len(one.all()) == 3 and len(one.study.trials) == 4
    assert len(done(one, 6)) == 6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fields": (RATE,)}, "other fields (train.learning_rate: 0.0001 to 0.01, log; train.batch_size: 32, 64, 128; now train.learning_rate: "),
        ({"fields": (RATE._replace(high=1.0), BATCH)}, "was begun with other fields"),
        ({"seeds": 2}, "was begun with other --seeds (1; now 2)"),
        ({"pruner": "none"}, "was begun with another --pruner (median; now none)"),
        ({"digests": {"features": "b"}}, "was begun with other data; name another --output, --storage or --study"),
        ({"config": CONFIG | {"framework": "cegzsl"}}, "was begun with config.framework='wgan', now it is 'cegzsl'"),
        ({"config": CONFIG | {"train": TRAIN | {"epochs": 40}}}, "was begun with config.train.epochs=20, now it is 40"),
        ({"config": CONFIG | {"train": TRAIN | {"outer_steps": 9}}}, "was begun with config.train.outer_steps=0, now it is 9"),
    ],
)  # fmt: skip
def test_another_search_in_the_same_database_is_refused(tmp_path, changed, message):
    trials(tmp_path)
    with pytest.raises(UserError) as refused:
        trials(tmp_path, **changed)
    assert message in str(refused.value) and "\n" not in str(refused.value)
    trials(tmp_path, config=CONFIG | {"data": {"root": "there"}})  # another machine has its data elsewhere
    trials(tmp_path, name="other: digits", **changed)  # called otherwise it is another study


def test_a_trial_that_broke_down_is_kept_away_from(tmp_path):
    of = trials(tmp_path)
    trial = next(of.asked(1))
    of.settings(trial)
    of.end(trial.number, {"value": None, "seeds": [], "failure": "loss is nan"})
    (found,) = of.all()
    assert found.state == optuna.trial.TrialState.PRUNED and found.user_attrs["failure"] == "loss is nan" and of.best() is None


def test_databases_that_are_none_are_refused_without_their_passwords(tmp_path):
    for url in ("nodb://user:secret@host/name", f"sqlite:///{tmp_path / 'no' / 'where' / 'study.db'}", "postgresql+nodriver://user:secret@host/x"):
        with pytest.raises(UserError, match=r"^--storage=.*: cannot be used \(.*\); give another database$") as refused:
            database.storage_of(url)
        assert "secret" not in str(refused.value) and "\n" not in str(refused.value)
    (tmp_path / "text.db").write_text("no database at all, but a text that is somebody's")
    with pytest.raises(UserError, match="cannot be used"):
        database.storage_of(f"sqlite:///{tmp_path / 'text.db'}")
    assert database.shown("postgresql://me:secret@host/x") == "postgresql://me:***@host/x"


def test_the_file_is_one_of_sqlites(tmp_path):
    of = trials(tmp_path)
    done(of, 2)
    database.storage_of.cache_clear()
    with sqlite3.connect(tmp_path / "study.db") as file:
        assert file.execute("select count(*) from trials").fetchone() == (2,)


def reported(of, values, value=None):
    """A trial that reports these values step by step, until it is stopped; how many it came to."""
    trial = of.study.ask()
    of.settings(trial)
    for step, one in enumerate(values, start=1):
        trial.report(one, step)
        if trial.should_prune():
            of.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return step
    of.study.tell(trial, value if value is not None else values[-1])
    return len(values)


def test_a_trial_is_compared_with_others_at_the_same_step_alone(tmp_path):
    """Two epochs of an easy fold, then two of a hard one, over which values are means: they fall, for all alike."""
    of = trials(tmp_path)
    for shift in (0.0, 0.01, 0.02, 0.03, 0.04):
        assert reported(of, [0.7 + shift, 0.8 + shift, 0.5 + shift, 0.6 + shift]) == 4
    # As good as the others on the first fold, and worse on the second: what it had on the first does not save it.
    assert reported(of, [0.75, 0.85, 0.4, 0.41]) == 3
    # A trial that reports where none is done has nobody to be compared with.
    assert reported(of, [0.75, 0.85, 0.53, 0.63, 0.0]) == 5
    assert reported(trials(tmp_path, name="few"), [0.9, 0.0]) == 2


def test_nothing_is_stopped_early_before_five_trials_are_done(tmp_path):
    of = trials(tmp_path)
    for _ in range(4):
        assert reported(of, [0.9, 0.9]) == 2
    assert reported(of, [0.1, 0.1]) == 2 and reported(of, [0.1, 0.1]) == 1
    assert reported(trials(tmp_path, pruner="none", name="never"), [0.1, 0.1]) == 2
