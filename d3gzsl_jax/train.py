"""Training: from a configuration to a run folder with results, from the start or from where an earlier start stopped."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.course import to_the_end
from d3gzsl_jax.data import batches
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.load import load
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.parallel import sharding_of
from d3gzsl_jax.precision import scope
from d3gzsl_jax.run import Run
from d3gzsl_jax.runs import log, resume
from d3gzsl_jax.runs.absent import NoCheckpoints, NoFolder
from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.environment import environment, revision
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.results import method, summarize
from d3gzsl_jax.runs.storage import bucket
from d3gzsl_jax.runs.storage.probe import require_writable
from d3gzsl_jax.shared import Shared
from d3gzsl_jax.studies.validation import Plan, report_validation, validate_on_folds
from d3gzsl_jax.system import processes
from d3gzsl_jax.system.signals import Stop
from d3gzsl_jax.training import build as model_module
from d3gzsl_jax.training import memory
from d3gzsl_jax.training.sharding import Sharding


def train(
    config: ConfigDict, workdir: str = "", display: Display | None = None, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Trains and evaluates as `config` says and writes the run folder.

    A folder that holds an interrupted run of the same configuration and data is gone on with, to the same bits as if it had never
    stopped; a finished one is left as it is, or trained on if config.train.epochs has grown.

    In a run of many processes (jax.distributed) all of them call this; the first writes the folder and prints, and the folder is
    looked at there only.

    Args:
        config: see configs/default.py.
        workdir: the run folder; '' for a new one under runs/.
        display: where progress goes.
        overrides: which fields of `config` were set by hand, for the record.

    Returns:
        What results.json holds. Its 'interrupted' is true if ctrl-C ended training early.

    Raises:
        UserError: bad configuration, data or folder. DivergenceError: training broke down. Terminated: SIGTERM came.
    """
    check.check(config)
    processes.agreed(lambda: bucket.check(workdir))
    return train_on(processes.agreed(lambda: load(config.dataset, config.data)), config, workdir, display, overrides)


def train_on(
    data: GZSLData, config: ConfigDict, workdir: str = "", display: Display | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`train` on data that is already at hand, validated; config.data says nothing but the pipeline."""
    display = display or Display(quiet=not processes.is_first())
    with contextlib.ExitStack() as stack:
        where = processes.agreed(lambda: stack.enter_context(bucket.local(workdir, display)) if processes.is_first() else workdir)
        (folder, results), = train_runs(data, [Start(config, where)], display, overrides)
        if results["selection"] != resume.FOLDS_ONLY:
            summarize(results, folder, display)
    return results


class Start(NamedTuple):
    """How a run is started: its configuration, its folder, and what begins every line on it, '' where it is alone."""

    config: ConfigDict
    workdir: str = ""
    title: str = ""


class _Opened(NamedTuple):
    """A run folder, and the results of a run that is finished already."""

    start: Start
    display: Display
    folder: RunFolder
    checkpoints: Checkpoints
    results: dict[str, Any] | None


def train_runs(
    data: GZSLData, starts: Sequence[Start], display: Display, overrides: Mapping[str, Any] | None = None, is_fold: bool = False
) -> list[tuple[Path, dict[str, Any]]]:
    """Trains, or goes on with, one run; or several that differ in their seed alone, as one program.

    Args:
        data: of all of them, validated.
        starts: one a run; several each name a folder.
        display: where progress goes.
        overrides: which fields of the configurations were set by hand, for the record.
        is_fold: whether this is a fold of a validation, whose figures are for choosing only.

    Returns:
        By run its folder and what its results.json holds.
    """
    config = starts[0].config
    for start in starts:
        check.check(start.config)
        check.check_known(start.config, bool(len(data.test_seen)))
        if start.config.seeds:
            raise UserError(f"config.seeds={start.config.seeds!r}: several seeds are trained by studies.seeds.train_seeds")
    sharding = sharding_of(config)
    if config.log.tensorboard:
        log.require_tensorboard()
    model = model_module.build(config, data)
    if not is_fold:  # of a whole that was looked at
        processes.agreed(lambda: memory.check(config, data, len(starts), sharding.devices))
    of_teacher = len(data.trainval) // config.teacher.batch_size if check.has_distillation(config) else 0
    check.check_length(config, model.optimization.steps_per_epoch, of_teacher)
    digest = resume.digest(data)
    with contextlib.ExitStack() as held:
        return _train_opened(data, starts, display, overrides, is_fold, sharding, model, digest, held)


def _train_opened(
    data: GZSLData, starts: Sequence[Start], display: Display, overrides: Mapping[str, Any] | None, is_fold: bool,
    sharding: Sharding, model: model_module.Model, digest: str, held: contextlib.ExitStack,
) -> list[tuple[Path, dict[str, Any]]]:
    """`train_runs`, with the run folders `held`."""
    per_epoch = model.optimization.steps_per_epoch
    opened = [_open(start, data, digest, display, per_epoch, is_fold, held) for start in starts]
    todo = [of for of in opened if of.results is None]
    plans: list[Plan | None] = [None] * len(todo)
    config = starts[0].config
    if todo and config.eval.selection == "validation":
        titles = [of.start.title for of in todo]

        def train_fold(fold: GZSLData, configs: list[ConfigDict], folders: list[str]) -> list[dict[str, Any]]:
            of_fold = [Start(*each) for each in zip(configs, folders, titles, strict=True)]
            return [results for _, results in train_runs(fold, of_fold, display, is_fold=True)]

        plans = validate_on_folds(data, [of.start.config for of in todo], [of.folder for of in todo], titles, display, train_fold)
    if todo and not config.eval.retrain:
        results = [
            report_validation(data, digest, of.start.config.to_dict(), plan, of.folder, of.display)
            for of, plan in zip(todo, plans, strict=True)
        ]
    elif todo:
        results = _train_unfinished(data, todo, plans, model, sharding, digest, display, overrides, is_fold)
    found = iter(results if todo else ())
    return [(of.folder.path, of.results if of.results is not None else next(found)) for of in opened]


def _open(
    start: Start, data: GZSLData, digest: str, display: Display, per_epoch: int, is_fold: bool, held: contextlib.ExitStack
) -> _Opened:
    """Opens the run folder and adds it to what is `held`; refused where it holds another run, or no checkpoint can be written."""
    config, display = start.config, display.titled(start.title)
    if config.train.resume == "must" and not start.workdir:
        raise UserError("config.train.resume=must: name the folder of the run to go on with, --workdir=RUN")
    resolved = config.to_dict()
    _require_alike(resolved, digest)

    def opened() -> tuple[RunFolder, Checkpoints, dict[str, Any] | None]:
        if not processes.is_first():
            return NoFolder(), NoCheckpoints(), None
        folder, of = RunFolder(start.workdir, data.name), config.checkpoint
        held.enter_context(folder.held())
        if folder.holds_seeds():
            raise UserError(f"--workdir={folder.path}: holds the runs of several seeds; name one of its folders, or another one")
        checkpoints = Checkpoints(folder.path / "checkpoints", of.keep, of.best, of.every_minutes, display.say)
        resume.check(folder, resolved, digest, bool(checkpoints.steps))
        resume.check_length(folder, max(checkpoints.steps, default=0), config.train.epochs * per_epoch, per_epoch)
        if (results := resume.finished(folder, resolved)) is not None:
            return folder, checkpoints, results
        if not is_fold:  # it is in the folder of its run
            require_writable(checkpoints.folder)
        return folder, checkpoints, None

    folder, checkpoints, results = processes.agreed(opened)
    results = processes.told_by_first(results)
    if results is not None:
        display.say(f"{folder.path}: finished already, {results['epochs']} epochs; raise --config.train.epochs to train on")
    return _Opened(start, display, folder, checkpoints, results)


def _train_unfinished(
    data: GZSLData, opened: Sequence[_Opened], plans: Sequence[Plan | None], model: model_module.Model, sharding: Sharding,
    digest: str, display: Display, overrides: Mapping[str, Any] | None, is_fold: bool,
) -> list[dict[str, Any]]:
    """Trains on all of trainval."""
    per_epoch, shared, stop, runs = model.optimization.steps_per_epoch, None, Stop(), []
    try:
        for of, plan in zip(opened, plans, strict=True):
            config, own = of.start.config, model
            if plan:
                config = plan.settle(config)
                own = dataclasses.replace(model, final_classifier=model_module.build(config, data).final_classifier)
                reached, epochs = max(of.checkpoints.steps, default=0), config.train.epochs
                processes.agreed(lambda of=of, reached=reached, epochs=epochs: resume.check_length(
                    of.folder, reached, epochs * per_epoch, per_epoch
                ))  # fmt: skip
            shared = shared or Shared(config, data, model, sharding, on_device=len(opened) > 1)
            run = Run(config, data, own, of.folder, of.checkpoints, of.display, sharding, plan, is_fold, shared, of.start.title)
            run.stop = stop
            runs.append(run)
            processes.agreed(lambda run=run, of=of: _record_start(run, of.start.config.to_dict(), digest, overrides, len(opened)))
        folders = ", ".join(str(run.folder.path) for run in runs)
        display.say(f"{method(runs[0].config.to_dict())} on {described(data)}; {_where(sharding)}; in {folders}")
        way = runs[0].config.parallel.seeds_as
        with scope(runs[0].config.precision), stop.listening(display.say):
            return to_the_end(runs, way)
    finally:
        display.stop()
        for run in runs:
            run.close()


def described(data: GZSLData) -> str:
    """A benchmark in words."""
    return (
        f"{data.name}: {len(data.trainval)} training rows of {data.feature_size} features, {len(data.seen_classes)} seen and "
        f"{len(data.unseen_classes)} unseen classes, {data.semantic_size} semantic dimensions"
    )


def _where(sharding: Sharding) -> str:
    """The devices in words."""
    found = f"{jax.devices()[0].device_kind}" + (f" x {sharding.devices}" if sharding.devices > 1 else "")
    return found + (f" of {jax.process_count()} processes" if jax.process_count() > 1 else "")


def _require_alike(config: Mapping[str, Any], digest: str) -> None:
    """Refuses processes that would not train the same: on other data, or as another configuration says."""
    if processes.alone():
        return
    processes.require_equal(digest, "data")
    places = ("data.root", "data.manual_dir")  # each machine has its own
    processes.require_equal(json.dumps([entry for entry in sorted(flat(config)) if entry[0] not in places]), "a configuration")
    processes.require_equal(batches.resolve_mode(config["data"]["pipeline"]), "an input pipeline (config.data.pipeline=auto)")


def _record_start(run: Run, config: Mapping[str, Any], digest: str, overrides: Mapping[str, Any] | None, runs: int) -> None:
    """Writes what is known before training, where there is room for the checkpoints of so many `runs` like it."""
    folder, steps, of = run.folder, run.checkpoints.steps, run.config.checkpoint
    folder.require_space(runs * run.bytes_of_checkpoint * (of.keep + 1 + bool(of.best)))
    if not steps and resume.why_another(folder, config, digest):
        folder.remove("teacher")  # of a start that got no further, with other settings
    folder.write("config.json", config)
    folder.write("overrides.json", dict(overrides or {}))
    reached = max(steps, default=0)
    here = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **environment(), "git": revision(), "from_step": reached}
    here["devices"] = run.sharding.devices
    earlier = ((folder.read("environment.json") or {}).get("starts") or []) if reached else []
    folder.write("environment.json", {"data": {"name": run.data.name, "sha256": digest}, "starts": [*earlier, here]})
    folder.need("config.json", "overrides.json", "environment.json")
    folder.send()
    for field, what in (("versions", "other versions of the libraries"), ("devices", "another number of devices")):
        if earlier and earlier[-1].get(field, here[field]) != here[field]:
            run.display.say(f"warning: {what} than at the start before (environment.json): last digits may differ")
