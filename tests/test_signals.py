"""Ctrl-C and SIGTERM that come while a run is concluded, when no outer step is left to look at them."""

import json
import signal

import pytest
from rich.console import Console

from configs import digits
from d3gzsl_jax.errors import Terminated
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.journal import Journal
from d3gzsl_jax.studies import jobs
from d3gzsl_jax.studies.jobs import Job
from d3gzsl_jax.studies.seeds import train_seeds
from d3gzsl_jax.studies.start import train_on
from d3gzsl_jax.system.signals import Signals

pytestmark = pytest.mark.slow
STOPS = {signal.SIGTERM: Terminated, signal.SIGINT: KeyboardInterrupt}


def config_of(variant="base", **fields):
    config = digits.get_config(variant)
    config.train.epochs, config.teacher.epochs, config.eval.every_epochs, config.classifier.epochs = 1, 1, 1, 1
    config.distillation.n_syn, config.classifier.n_syn, config.log.report = 5, 5, False
    config.update_from_flattened_dict({name.replace("__", "."): value for name, value in fields.items()})
    return config


ZERODIFF = {
    "framework": "zerodiff", "data__normalize_semantics": True, "networks__noise": 8, "networks__generator_hidden": 16,
    "networks__critic_hidden": 16, "networks__embedding": 24,
}  # fmt: skip


@pytest.fixture
def sent(monkeypatch):
    """sent(number) -> within the first conclusion that follows, this signal comes, once; the folders concluded are listed."""
    plain, concluded = Journal.explain, []

    def arm(number):
        def explain(self, *arguments):
            concluded.append(self._folder.path)
            if len(concluded) == 1:
                signal.raise_signal(number)
            return plain(self, *arguments)

        monkeypatch.setattr(Journal, "explain", explain)
        return concluded

    return arm


def run(data, folder, display=None, **fields):
    return train_on(data, config_of(**fields), str(folder), display or Display(Console(quiet=True)))


def test_a_run_that_is_told_to_leave_at_its_end_is_finished_and_leaves(data, tmp_path, sent):
    sent(signal.SIGTERM)
    with pytest.raises(Terminated, match=r"^SIGTERM: finished .*run; the same command goes on$"):
        run(data, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "results.json").read_text())["concluded"] and (tmp_path / "run" / "model").is_dir()


def test_a_run_that_ctrl_c_comes_to_at_its_end_is_finished(data, tmp_path, sent):
    sent(signal.SIGINT)
    assert run(data, tmp_path / "run")["concluded"]


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize(
    ("fields", "first"),
    [({"eval__selection": "validation", "eval__folds": 2}, "validation/fold-0"), (ZERODIFF, "first_stage")], ids=["fold", "first stage"],
)  # fmt: skip
def test_what_would_follow_is_not_begun(data, tmp_path, sent, number, fields, first):
    concluded = sent(number)
    with pytest.raises(STOPS[number], match=r"the same command goes on$"):
        run(data, tmp_path / "run", **fields)
    assert concluded == [tmp_path / "run" / first]
    assert json.loads((concluded[0] / "results.json").read_text())["concluded"]
    assert not (tmp_path / "run" / "validation" / "fold-1").exists() and not (tmp_path / "run" / "checkpoints").exists()
    assert run(data, tmp_path / "run", **fields)["concluded"]


@pytest.mark.parametrize("number", STOPS)
def test_the_seeds_of_the_next_program_are_not_begun(data, tmp_path, sent, number):
    concluded = sent(number)
    with pytest.raises(STOPS[number], match=r"the same command goes on$"):
        train_seeds(config_of(seeds=(3, 0), parallel__seeds=1), str(tmp_path / "runs"), Display(Console(quiet=True)), data=data)
    assert concluded == [tmp_path / "runs" / "seed-3"] and not (tmp_path / "runs" / "seed-0").exists()


def test_the_next_job_of_a_study_is_not_begun(tmp_path, sent):
    sent(signal.SIGINT)
    job = Job("cell", 0, str(tmp_path / "run"), config_of().to_dict(), "", {}, False)
    with pytest.raises(KeyboardInterrupt):
        jobs.work(job)
    assert json.loads((tmp_path / "run" / "results.json").read_text())["concluded"]


def test_one_that_listens_within_another_hears_for_both():
    signals, said = Signals(), []
    with signals.listening(said.append):
        with signals.listening(said.append):
            signal.raise_signal(signal.SIGINT)
        assert signals.interrupted and len(said) == 1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
