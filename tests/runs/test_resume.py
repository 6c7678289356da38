"""Which run folders can be gone on with."""

import dataclasses

import numpy as np
import pytest

from configs import default
from d3gzsl_jax.config import saved_config, schema
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import resume
from d3gzsl_jax.runs.folder import RunFolder


def folder_of(tmp_path, config, data_digest="d", results=None):
    folder = RunFolder(str(tmp_path), "x")
    folder.write("config.json", saved_config.content(config))
    folder.write("environment.json", {"data": {"sha256": data_digest}})
    if results is not None:
        folder.write("results.json", saved_config.content(results))
    return folder


def changed(**fields):
    config = default.get_config()
    config.update_from_flattened_dict({name.replace("__", "."): value for name, value in fields.items()})
    return config.to_dict()


def test_a_config_that_disagrees_is_refused_by_the_field(tmp_path):
    folder = folder_of(tmp_path, changed())
    check = lambda config, found=True: resume.check(folder, config, "d", found)  # noqa: E731
    check(changed())
    check(changed(seed=1), found=False)  # nothing there to go on with
    with pytest.raises(UserError, match=r"holds a run with config.seed=0, now it is 1; name another folder, or give --config.seed=0"):
        check(changed(seed=1))
    with pytest.raises(UserError, match=r"config.distillation.weight_od=0.0001, now it is 0.5"):
        check(changed(distillation__weight_od=0.5))
    # What changes no bit, or is compared by content, is free.
    check(changed(train__epochs=7, train__steps_per_call=2, checkpoint__keep=5, guards__diversity=0.0, data__root="moved", log__report=False))


def test_sizes_that_follow_from_other_data_are_not_blamed(tmp_path):
    folder = folder_of(tmp_path, changed())
    with pytest.raises(UserError, match="holds a run on other data"):
        resume.check(folder, changed(train__batch_size=58), "another", True)
    with pytest.raises(UserError, match=r"config\.data\.semantics="):
        resume.check(folder, changed(data__semantics="sent"), "another", True)


def test_every_field_may_change_or_may_not():
    """A change that another start may make is one that the schema says so of, or of a framework that is not the run's."""
    config = changed()
    for field in schema.FIELDS:
        value = "x" if isinstance(field.default, str) else (5,) if field.default == () else not field.default if isinstance(field.default, bool) else field.default + 1
        other = changed(**{field.name.replace(".", "__"): value})
        free = field.may_change or (field.group in schema.framework_names() and field.group != "wgan")
        assert resume.disagreement(config, other) == (None if free else (field.name, field.default, value))
    assert {field.group for field in schema.FIELDS if field.may_change} >= {"checkpoint", "parallel", "guards", "log", "data", "train"}
    cegzsl = changed(framework="cegzsl")
    assert resume.disagreement(cegzsl, changed(framework="cegzsl", cegzsl__projection=3)) == ("cegzsl.projection", 512, 3)
    first = "zerodiff_representation.weight_x0", 1.0, 3.0
    zerodiff, other = (changed(framework="zerodiff", zerodiff_representation__weight_x0=value) for value in first[1:])
    assert resume.disagreement(zerodiff, other) == first  # what it trains first reads it
    assert resume.disagreement(cegzsl, {**cegzsl, "later": {"weight": 1.0}}) == ("later.weight", None, 1.0)


def test_resume_never_and_must(tmp_path):
    folder = folder_of(tmp_path, changed())
    with pytest.raises(UserError, match=r"holds an earlier run, and config.train.resume=never"):
        resume.check(folder, changed(train__resume="never"), "d", True)
    with pytest.raises(UserError, match=r"holds no checkpoint, and config.train.resume=must"):
        resume.check(folder, changed(train__resume="must"), "d", False)
    resume.check(folder, changed(train__resume="must"), "d", True)
    resume.check(folder, changed(train__resume="never"), "d", False)
    (tmp_path / "validation" / "fold-0").mkdir(parents=True)  # a run that has not come further than its folds
    resume.check(folder, changed(train__resume="must"), "d", False)
    with pytest.raises(UserError, match=r"holds an earlier run, and config.train.resume=never"):
        resume.check(folder, changed(train__resume="never"), "d", False)


def test_must_accepts_a_finished_run_whose_checkpoints_are_gone(tmp_path):
    done = {"epochs": 5, "interrupted": False, "selection": "last", "config": {"train": {"epochs": 5}}}
    folder = folder_of(tmp_path, changed(train__epochs=5), results=done)
    resume.check(folder, changed(train__epochs=5, train__resume="must"), "d", False)
    with pytest.raises(UserError, match=r"holds no checkpoint, and config.train.resume=must"):
        resume.check(folder, changed(train__epochs=6, train__resume="must"), "d", False)


def test_other_data_and_fewer_epochs(tmp_path):
    folder = folder_of(tmp_path, changed())
    with pytest.raises(UserError, match="a run on other data"):
        resume.check(folder, changed(), "other", True)
    resume.check_epochs(folder, 64, 64, 16)
    with pytest.raises(UserError, match=r"has done 4 epochs, and config.train.epochs=3; give as many or more"):
        resume.check_epochs(folder, 64, 48, 16)


def test_results_without_a_checkpoint(tmp_path):
    folder = folder_of(tmp_path, changed(train__epochs=5), results={"epochs": 5, "interrupted": False, "selection": "last", "config": {"train": {"epochs": 5}}})
    resume.check(folder, changed(train__epochs=5), "d", False)
    with pytest.raises(UserError, match="without a checkpoint to go on from"):
        resume.check(folder, changed(train__epochs=6), "d", False)
    # What a start left that was killed at its end is made anew.
    unfinished = {"epochs": 5, "interrupted": False, "concluded": False, "selection": "last", "config": {"train": {"epochs": 5}}}
    folder.write("results.json", saved_config.content(unfinished))
    resume.check(folder, changed(train__epochs=5), "d", False)
    assert not resume.is_finished(unfinished, changed(train__epochs=5))
    folder.write("results.json", saved_config.content({}))
    with pytest.raises(UserError, match="of no run of this program"):
        resume.check(folder, changed(), "d", False)


def test_the_digest_is_of_the_content():
    data = read_digits()
    assert resume.digest(data) == resume.digest(dataclasses.replace(data, features=np.asfortranarray(data.features), name="other"))
    features = data.features.copy()
    features[3, 4] += 1
    for change in ({"features": features}, {"labels": data.labels[::-1]}, {"trainval": data.trainval[:-1]}):
        assert resume.digest(data) != resume.digest(dataclasses.replace(data, **change))


def test_lines_of_a_killed_process(tmp_path):
    folder = RunFolder(str(tmp_path), "x")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert folder.lines("metrics.jsonl") == [{"step": 1}, {"step": 2}]
    folder.keep_lines("metrics.jsonl", lambda line: line["step"] < 2)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'


def test_no_space(tmp_path, monkeypatch):
    folder = RunFolder(str(tmp_path), "x")
    folder.require_space(1)
    with pytest.raises(UserError, match=r"MiB are free there and the run's checkpoints need [\d.]+ MiB"):
        folder.require_space(10**18)
    monkeypatch.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UserError, match=r"x.json: cannot be written \(No space left on device\)"):
        folder.write("x.json", {})
