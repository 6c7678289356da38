import json
from pathlib import Path

import pytest
from ml_collections import ConfigDict

from d3gzsl_jax.config import saved_config
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies import jobs as run_jobs
from d3gzsl_jax.studies.ablation import grid, study
from d3gzsl_jax.studies.validation import fold_config
from tests.conftest import ROOT

DIGITS = str(ROOT / "configs" / "digits.py")
VALIDATED = {"eval.selection": "validation"}
FOLDS_ONLY = VALIDATED | {"eval.retrain": False}


def jobs(output, fixed, baselines=("eszsl",)):
    """The run and the baselines of one cell."""
    return study.jobs_of(grid.cells_of([DIGITS], "", [], fixed, baselines, False), 1, output, True)


def leave(job, selection, **changed):
    """Results in its folder, as a run would leave them."""
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(saved_config.content(job.config)))
    metrics = dict.fromkeys(("unseen", "seen", "harmonic", "zsl"), 0.5)
    results = {
        "dataset": "digits", "framework": "wgan", "seed": job.seed, "epochs": None, "prediction": "student", "metrics": metrics,
        "predictions": {"student": {"metrics": metrics}}, "selection": selection, "interrupted": False, "config": job.config,
        "digests": job.digests, saved_config.KEY: saved_config.FORMAT,
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results | changed))


def test_results_of_other_data_are_refused(tmp_path):
    for job in jobs(tmp_path, {}):
        assert job.results() is None
        leave(job, "last")
        assert job.results()["selection"] == "last"
        leave(job, "last", digests=job.digests | {"features": "other"})
        with pytest.raises(UserError, match=r"(digits|baseline-eszsl)/seed-0: holds a run on other data .* name another --output"):
            job.results()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"predictions": 5}, "predictions is 5"), ({"predictions": {"student": {}}}, "lacks 'predictions.student.metrics'"),
        ({"seed": "0"}, "seed is '0'"), ({"selection": "best"}, "selection is 'best'"), ({"digests": [1]}, r"digests is \[1\]"),
        ({"format": 99}, "has format 99, and this version"), ({"format": None}, "has no format number"),
    ],
)  # fmt: skip
def test_results_of_another_shape_are_refused(tmp_path, changed, message):
    for job in jobs(tmp_path, {}):
        leave(job, **{"selection": "last"} | changed)
        with pytest.raises(UserError, match=f"results.json: {message}.*name another --output|results.json: {message}.*remove it|results.json: {message}.*another folder"):
            job.results()


def test_every_job_knows_whether_programs_are_kept(tmp_path, monkeypatch):
    chosen = []
    monkeypatch.setattr(run_jobs, "configure", lambda keep_compiled: chosen.append(keep_compiled))
    monkeypatch.setattr(run_jobs, "train", lambda *_, **__: {"interrupted": False})
    monkeypatch.setattr(run_jobs, "_baseline", lambda job: None)
    for wished in (True, False):
        for job in jobs(tmp_path, {"compile_cache": wished}):
            run_jobs.work(job)
    assert chosen == [True, True, False, False]


def test_a_cache_that_cannot_be_used_is_found_before_processes_start(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(run_jobs.compile_cache, "is_usable", lambda: bool(asked.append("asked")))
    kept, without = jobs(tmp_path, {}), jobs(tmp_path, {"compile_cache": False})
    assert run_jobs.with_usable_cache(without) == without and run_jobs.with_usable_cache([]) == [] and not asked
    assert run_jobs.with_usable_cache(kept) == [job._replace(keep_compiled=False) for job in kept] and asked == ["asked"]
    monkeypatch.setattr(run_jobs.compile_cache, "is_usable", lambda: True)
    assert run_jobs.with_usable_cache(kept) == kept and kept[0].keep_compiled


def test_folds_alone_do_not_end_what_is_to_be_tested(tmp_path):
    for job in jobs(tmp_path, FOLDS_ONLY):
        leave(job, "folds only")
        assert job.results()["selection"] == "folds only"
    tested = jobs(tmp_path, VALIDATED)
    for job in tested:
        assert job.results() is None
        leave(job, "validation")
        assert job.results()["selection"] == "validation"


def test_what_looked_at_the_test_rows_does_not_pass_for_folds_alone(tmp_path):
    for tested, job in zip(jobs(tmp_path, VALIDATED), jobs(tmp_path, FOLDS_ONLY), strict=True):
        leave(tested, "validation")
        with pytest.raises(UserError, match=r"looked at the test rows, and config\.eval\.retrain=False asks for none"):
            job.results()


def test_a_baseline_depends_on_data_and_folds_alone(tmp_path):
    _, before = jobs(tmp_path, VALIDATED)
    leave(before, "validation")
    _, same = jobs(tmp_path, {"eval.batch_size": 100, "train.epochs": 3})
    assert same.results() is not None
    _, other = jobs(tmp_path, VALIDATED | {"eval.fold_seed": 3})
    with pytest.raises(UserError, match=r"holds a run with config\.eval\.fold_seed=0, now it is 3; name another --output"):
        other.results()
    _, stressed = jobs(tmp_path, {"data.stress.imbalance": 10})
    with pytest.raises(UserError, match=r"config\.data\.stress\.imbalance=1\.0, now it is 10\.0"):
        stressed.results()
    _, calibrated = jobs(tmp_path, VALIDATED | {"eval.calibration": "folds"})
    with pytest.raises(UserError, match=r"config\.eval\.calibration='none', now it is 'folds'"):
        calibrated.results()


def test_a_baseline_has_as_many_folds_as_suit_the_data(tmp_path):
    """Seven seen classes have four."""
    _, baseline = jobs(tmp_path, VALIDATED | {"eval.folds": 0})
    run_jobs.work(baseline)
    found = baseline.results()
    assert found is not None and found["config"]["eval"]["folds"] == 4


def test_a_run_of_another_budget_of_steps_is_not_tabled_as_this_one(tmp_path):
    budget = {"train.outer_steps": 200, "train.epochs": 4}
    run, _ = jobs(tmp_path, budget)
    leave(run, "last")
    assert run.results() is not None
    for other in ({"train.outer_steps": 400}, {"train.outer_steps": 0}, {"train.epochs": 8}):
        changed, baseline = jobs(tmp_path, budget | other)
        with pytest.raises(UserError, match=r"digits/seed-0: holds a run with config\.train\.outer_steps=200 in 4 epochs.*name another --output$"):
            changed.results()
        assert baseline.results() is None  # it has no length
    longer, _ = jobs(tmp_path, {"train.outer_steps": 400, "train.epochs": 8})
    assert longer.results() is None, "it is trained on"


def test_settings_that_changed_since_a_start_that_ended_within_its_folds_are_told_before_anything_is_done(tmp_path):
    run, _ = jobs(tmp_path, VALIDATED)
    fold = Path(run.folder) / "validation" / "fold-0"
    (fold / "checkpoints" / "16").mkdir(parents=True)
    config = fold_config(ConfigDict(run.config)).to_dict()
    (fold / "config.json").write_text(json.dumps(saved_config.content(config)))
    assert run.results() is None
    same, _ = jobs(tmp_path, VALIDATED | {"eval.retrain": False, "log.tensorboard": True})
    assert same.results() is None
    for field, value, told in (("train.batch_size", 32, "64, now it is 32"), ("eval.fold_seed", 1, "0, now it is 1")):
        other, _ = jobs(tmp_path, VALIDATED | {field: value})
        with pytest.raises(UserError, match=rf"holds a run with config\.{field}={told}; name another --output"):
            other.results()
    steps, _ = jobs(tmp_path, VALIDATED | {"train.outer_steps": 100})
    with pytest.raises(UserError, match=r"holds a run with config\.train\.outer_steps=0 in 20 epochs, now it is 100 in 20"):
        steps.results()


def test_a_pruned_run_keeps_no_checkpoint_of_anything_it_trained(tmp_path):
    whole = [tmp_path, tmp_path / "first_stage"]
    folds = [tmp_path / "validation" / f"fold-{index}" for index in range(2)]
    for folder in (*whole, *folds, *(fold / "first_stage" for fold in folds)):
        (folder / "checkpoints" / "3").mkdir(parents=True)
        (folder / "checkpoints" / "3" / "state").write_text("large")
        (folder / "results.json").write_text("{}")
    run_jobs.prune(tmp_path)
    assert not list(tmp_path.glob("**/checkpoints")) and len(list(tmp_path.glob("**/results.json"))) == 6
