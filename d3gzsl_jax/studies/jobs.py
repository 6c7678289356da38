"""The runs of a study: a configuration with a seed is a job, a run folder of its own, done once."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from d3gzsl_jax.config import saved_config
from d3gzsl_jax.data.load import load
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.runs import contents, json_files
from d3gzsl_jax.runs.display import Console, Display
from d3gzsl_jax.runs.file_schemas import WholeResults
from d3gzsl_jax.runs.folder import RunFolder, plain
from d3gzsl_jax.runs.resume import FOLDS_ONLY, another_length, disagreement, is_finished
from d3gzsl_jax.runs.sizes import fold_count
from d3gzsl_jax.runs.unknown_figures import FOLD_FIELDS
from d3gzsl_jax.studies.seeds import train_together
from d3gzsl_jax.studies.start import train
from d3gzsl_jax.studies.validation import fold_config
from d3gzsl_jax.studies.worker_pool import Failed, attempt
from d3gzsl_jax.system import compile_cache
from d3gzsl_jax.system.signals import Signals
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.text import one_line, shortened

_OF_BASELINE = ("retrain", "calibration")  # of config.eval, besides the fields of the folds


class Job(NamedTuple):
    """One run.

    Attributes:
        cell: what the configuration is called.
        seed: of the run.
        folder: the run folder.
        config: resolved, nested, with the seed; of a baseline what it depends on.
        baseline: name of a baseline, '' for a training run.
        digests: of the content of its data.
        prune: remove its checkpoints once it is finished, see `prune`.
        keep_compiled: what config.compile_cache says.
    """

    cell: str
    seed: int
    folder: str
    config: dict[str, Any]
    baseline: str
    digests: dict[str, str]
    prune: bool
    keep_compiled: bool = True

    def results(self) -> dict[str, Any] | None:
        """Its results, None while it is not finished.

        Raises:
            UserError: the folder holds a run with other settings or on other data, or one that has looked at test rows where this
            must not, or its results are not readable.
        """
        folder = Path(self.folder)
        path, first_fold = folder / "results.json", folder / "validation" / "fold-0"
        found: dict[str, Any] | None = None
        if _is_begun(folder):
            found, kept = json_files.read(path), json_files.read(folder / "config.json")
            before = saved_config.with_added((found or {}).get("config") or {})
            if kept is not None:
                before = saved_config.nested(kept, folder / "config.json")
            self._check_same(before, self.config)
        elif _is_begun(first_fold) and (kept := json_files.read(first_fold / "config.json")) is not None:
            # Stopped before the run itself began: what its folds were trained by tells what it was to be.
            self._check_same(saved_config.nested(kept, first_fold / "config.json"), fold_config(ConfigDict(self.config)).to_dict())
        if not found or not self._is_finished(found):
            return None
        json_files.checked(found, WholeResults, path, "remove its folder, or name another --output")
        if found.get("digests") != self.digests:
            raise UserError(
                f"{folder}: holds a run on other data (what is under config.data.root has changed); put that back, or name another "
                "--output"
            )
        if found["selection"] != FOLDS_ONLY and not self.config["eval"]["retrain"]:
            raise UserError(
                f"{folder}: holds a run that has looked at the test rows, and config.eval.retrain=False asks for none; name "
                "another --output, or leave retrain=False out"
            )
        return found

    def _check_same(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Refuses what a folder holds that was made with settings other than these now; {} for what says nothing of them."""
        if not before:
            return
        elsewhere, now = "name another --output", saved_config.with_added(plain(dict(now)))
        told = None if self.baseline else another_length(before, now, elsewhere)
        if not told and (difference := disagreement(before, now)):
            field, old, new = difference
            told = f"holds a run with config.{one_line(field)}={shortened(old)}, now it is {shortened(new)}; {elsewhere}"
        if told:
            raise UserError(f"{self.folder}: {told}")

    def _is_finished(self, found: dict[str, Any]) -> bool:
        if self.baseline:
            return found.get("selection") != FOLDS_ONLY or not self.config["eval"]["retrain"]
        return is_finished(found, self.config)


def _is_begun(folder: Path) -> bool:
    """Whether a folder holds results, or a checkpoint to go on from."""
    return (folder / "results.json").exists() or any(folder.glob("checkpoints/*"))


def with_usable_cache(jobs: Sequence[Job]) -> list[Job]:
    """The jobs; where the cache folder cannot be used, they keep no compiled programs, and it is said here, not by each process."""
    if not any(job.keep_compiled for job in jobs) or compile_cache.is_usable():
        return list(jobs)
    return [job._replace(keep_compiled=False) for job in jobs]


def of_baseline(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a nested configuration that a baseline depends on."""
    found = {name: config[name] for name in ("dataset", "seed", "data") if name in config}
    of_eval = config.get("eval") or {}
    return found | {"eval": {field: value for field, value in of_eval.items() if field in (*FOLD_FIELDS, *_OF_BASELINE)}}


def work(job: Job, listener: Callable[[int, int], None] | None = None) -> float:
    """Does a job, in whatever process: its folder holds results.json afterwards; returns the seconds it took.

    Args:
        job: the run.
        listener: see `opening.Start`.

    Raises:
        UserError, DivergenceError: see `train`. KeyboardInterrupt: ctrl-C ended it early.
    """
    configure(keep_compiled=job.keep_compiled)
    began = time.monotonic()
    try:
        if job.baseline:
            _baseline(job)
        else:
            signals = Signals()
            train(ConfigDict(job.config), job.folder, Display(Console(quiet=True)), listener=listener, signals=signals)
            _stop_if(signals)
    finally:
        jax.clear_caches()  # else a process gathers the programs of all its jobs, until it gets no more memory for one
    if job.prune:
        prune(Path(job.folder))
    return time.monotonic() - began


def together(jobs: Sequence[Job]) -> list[tuple[Job, ...]]:
    """The jobs in groups that differ in their seed alone, in the order of the first of each; a baseline is a group of its own."""
    groups: dict[tuple[str, int], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.cell, job.seed if job.baseline else -1), []).append(job)
    return [tuple(group) for group in groups.values()]


def work_together(jobs: tuple[Job, ...]) -> list[Any]:
    """`work` for a group of `together`: its seeds as one program. Where one of them breaks down, which ends the program, those that
    have no results are done one by one, so that each ends as it would have without the others.

    Args:
        jobs: the group; their folders are seed-<k> of one folder.

    Returns:
        For each job the seconds of the group, or how it failed, see `worker_pool.Failed`.

    Raises:
        KeyboardInterrupt, Terminated: stopped.
    """
    if len(jobs) == 1:
        return [attempt(work, jobs[0])]
    began = time.monotonic()
    try:
        _train_together(jobs)
    except DivergenceError:
        outcomes = [attempt(work, job) if job.results() is None else 0.0 for job in jobs]
    else:
        outcomes = [0.0] * len(jobs)
    finally:
        jax.clear_caches()
        for job in jobs:
            if job.prune and job.results() is not None:
                prune(Path(job.folder))
    seconds = time.monotonic() - began
    return [outcome if isinstance(outcome, Failed) else seconds for outcome in outcomes]


def _train_together(jobs: Sequence[Job]) -> None:
    first = jobs[0]
    configure(keep_compiled=first.keep_compiled)
    config = ConfigDict(first.config | {"seeds": tuple(job.seed for job in jobs)})
    data = load(config.dataset, config.data)
    signals = Signals()
    train_together(Path(first.folder).parent, config, data, Display(Console(quiet=True)), signals=signals)
    _stop_if(signals)


def _stop_if(signals: Signals) -> None:
    """Ends a study after a job that ctrl-C came in, also one that was finished all the same."""
    if signals.interrupted:
        raise KeyboardInterrupt


def prune(folder: Path) -> None:
    """Removes the checkpoints of a finished run, of its validation folds, and of what any of them trained first (ZeroDiff's first
    stage), whose models stay. It cannot be trained for longer then; what the folds were chosen by is left, so that a run which
    stopped after validation can still go on to the test rows."""
    for own in (folder, *folder.glob("validation/fold-*")):
        for checkpoints in (own / "checkpoints", own / contents.FIRST_STAGE / "checkpoints"):
            shutil.rmtree(checkpoints, ignore_errors=True)


def _baseline(job: Job) -> None:
    from d3gzsl_jax.studies.baselines.harness import run_baseline

    config = ConfigDict(job.config)
    of, data = config.eval, load(config.dataset, config.data)
    RunFolder(job.folder, data.name).write("config.json", saved_config.content(job.config))
    run_baseline(
        job.baseline, data, job.seed, folds=of.folds or fold_count(len(data.seen_classes)), classes=of.fold_classes,
        rows=of.fold_rows, fold_seed=of.fold_seed, retrain=of.retrain, config=job.config, folder=job.folder,
    )  # fmt: skip
