"""Run folders in an object store, against fsspec's store in memory."""

import json
import os
import socket
import sys
from pathlib import Path

import fsspec
import pytest

from configs import digits
from d3gzsl_jax import api as d3
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.reopen import evaluate
from d3gzsl_jax.runs.storage import bucket, bucket_lock, lock
from d3gzsl_jax.studies.start import train

URL = "gs://bucket/runs/one"


class Store:
    """fsspec's file system in memory as an object store: no renames, no folders without objects; `fail` refuses to write a name."""

    def __init__(self):
        self.files, self.fail, self.written = fsspec.filesystem("memory", skip_instance_cache=True), None, []
        self.files.store = {}

    def __getattr__(self, name):
        return getattr(self.files, name)

    def put_file(self, local, target):
        if self.fail and self.fail in target:
            raise OSError("503 Slow Down")
        self.written.append(target)
        self.files.put_file(local, target)

    def names(self):
        return sorted(name.removeprefix("/bucket/runs/one/") for name in self.files.find("bucket"))


@pytest.fixture
def store(monkeypatch):
    found = Store()
    monkeypatch.setattr(bucket, "file_system", lambda scheme, url: found)
    return found


def config(epochs=2):
    found = digits.get_config("d3")
    found.train.epochs, found.teacher.epochs, found.classifier.epochs, found.log.report = epochs, 1, 1, False
    found.eval.every_epochs, found.data.pipeline = 1, "device"
    return found


@pytest.mark.slow
def test_a_run_in_a_bucket_is_that_of_a_local_folder(store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    there = train(config(), URL, Display())
    assert f"wrote {URL}/results.json" in capsys.readouterr().out and not list(tmp_path.iterdir())
    here = train(config(), str(tmp_path / "run"), Display(quiet=True))
    assert there["predictions"] == here["predictions"]
    names = store.names()
    assert {"config.json", "metrics.jsonl", "results.json"} <= set(names) and not any(mark in name for name in names for mark in ("run.lock", ".part", "tmp"))
    # Longer, from the checkpoint, on another machine; then read by all that read.
    longer = train(config(3), URL, Display(quiet=True))
    assert longer["predictions"] == train(config(3), str(tmp_path / "run"), Display(quiet=True))["predictions"]
    steps = {name.split("/")[1] for name in store.names() if name.startswith("checkpoints/")}
    assert steps == {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    with bucket.local(URL, Display(quiet=True)) as copy:
        evaluate(copy, "last", Display(quiet=True))
    assert f"evaluation-{longer['steps']}.json" in store.names()
    before = store.names(), list(store.written)
    assert d3.load_model(URL).step == longer["steps"]
    assert (store.names(), store.written) == before


def test_what_is_whole_comes_with_its_last_file(store):
    with bucket.local(URL) as copy:
        folder = os.path.join(copy, "checkpoints", "7")
        os.makedirs(folder)
        for name in ("_CHECKPOINT_METADATA", "data"):
            open(os.path.join(folder, name), "w").close()
        open(os.path.join(copy, "config.json"), "w").close()
        open(os.path.join(copy, "results.json"), "w").close()
    assert [name.split("/one/")[1] for name in store.written] == [
        "checkpoints/7/data", "checkpoints/7/_CHECKPOINT_METADATA", "config.json", "results.json",
    ]  # fmt: skip
    store.rm_file("bucket/runs/one/checkpoints/7/_CHECKPOINT_METADATA")
    with bucket.local(URL) as copy:
        assert sorted(os.listdir(copy)) == ["config.json", "results.json"]


def test_a_second_start_is_refused_and_a_dead_one_is_taken_over(store, monkeypatch):
    path = f"bucket/runs/one/{lock.NAME}"
    with bucket.local(URL):
        assert json.loads(store.cat_file(path))["process"] == os.getpid()
        with pytest.raises(lock.Held, match=f"^--workdir={URL}: is being written by process {os.getpid()} on {socket.gethostname()} since 20"), bucket.local(URL):
            pass
        with pytest.raises(UserError, match="holds no run and no saved model"), bucket.local(URL, write=False):
            pass  # readers need no lock
    assert not store.exists(path)
    now = {"process": 2**22 + 1, "host": socket.gethostname(), "since": "", "token": "x", "beat": 1e12, "started": 1.0}
    monkeypatch.setattr(bucket_lock.time, "sleep", lambda seconds: None)
    for dead in (now, now | {"host": "elsewhere", "beat": 1.0}, {}, [], 3):
        store.pipe_file(path, json.dumps(dead).encode())
        with bucket.local(URL):
            pass
    store.pipe_file(path, json.dumps(now | {"host": "elsewhere"}).encode())
    with pytest.raises(lock.Held, match="on elsewhere"), bucket.local(URL):
        pass


def test_who_lost_the_lock_sends_nothing_more(store):
    with pytest.raises(UserError, match="removed or taken over") as error, bucket.local(URL) as copy:  # noqa: PT012
        open(os.path.join(copy, "config.json"), "w").close()
        store.rm_file(f"bucket/runs/one/{lock.NAME}")
        bucket.send(Path(copy))
    assert store.names() == [] and "\n" not in str(error.value)


def test_what_cannot_be_sent_is_kept_here(store):
    store.fail = "results.json"
    with pytest.raises(UserError, match=r"cannot be written .*503 Slow Down.*kept in (.*)") as error, bucket.local(URL) as copy:
        Path(copy, "results.json").write_text("{}")
    kept = str(error.value).rsplit(" ", 1)[1]
    assert os.listdir(kept) == ["results.json"]


def test_other_things_in_the_bucket_stay(store):
    store.pipe_file("bucket/runs/one/thesis.txt", b"words")
    with pytest.raises(UserError, match=r"holds no run, but other things, such as 'thesis.txt'"):
        train(config(), URL, Display(quiet=True))
    store.pipe_file("bucket/runs/one/config.json", b'{"my": "app"}')
    with pytest.raises(UserError, match=f"^--workdir={URL}: its config.json is of no run"):
        train(config(), URL, Display(quiet=True))
    assert store.names() == ["config.json", "thesis.txt"] and store.cat_file("bucket/runs/one/config.json") == b'{"my": "app"}'


@pytest.mark.parametrize(("url", "words"), [
    ("gs://bucket/run", "gs:// needs the package gcsfs: pip install gcsfs"), ("s3:/bucket/run", "s3://bucket/run: s3:// needs the package s3fs"),
    ("gs://bucket", "names no folder in a bucket"), ("s3://", "names no folder in a bucket"),
])  # fmt: skip
def test_a_store_that_cannot_be_reached_is_refused_before_data_is_read(url, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("gcsfs", "s3fs"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("d3gzsl_jax.studies.start.load", lambda *_: pytest.fail("data was read"))
    with pytest.raises(UserError, match=words) as error:
        train(config(), url, Display(quiet=True))
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_credentials_that_are_not_there_are_one_line(store, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("Anonymous caller does not have storage.objects.list access\nmore")

    store.find = refuse
    with pytest.raises(UserError, match=r"cannot be reached .*Anonymous caller") as error:
        train(config(), URL, Display(quiet=True))
    assert "\n" not in str(error.value)
