"""Training: from a configuration to a run folder with results, from the start or from where an earlier start stopped."""

import json
import time
from collections.abc import Mapping
from typing import Any

import jax
from ml_collections import ConfigDict

from d3gzsl_jax import model as model_module
from d3gzsl_jax import settings, together
from d3gzsl_jax.config_file import flat
from d3gzsl_jax.data import pipeline
from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.data.loading import load
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.parallel import sharding_of
from d3gzsl_jax.precision import scope
from d3gzsl_jax.run import Run
from d3gzsl_jax.runs import log, resume
from d3gzsl_jax.runs.absent import NoCheckpoints, NoFolder
from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.runs.console import Display
from d3gzsl_jax.runs.environment import environment, revision
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.results import method, summarize
from d3gzsl_jax.validation import report_validation, validate_on_folds


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
    settings.check(config)
    return train_on(together.agreed(lambda: load(config.dataset, config.data)), config, workdir, display, overrides)


def train_on(
    data: GZSLData, config: ConfigDict, workdir: str = "", display: Display | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`train` on data that is already at hand, validated; config.data says nothing but the pipeline."""
    return _train_on(data, config, workdir, display, overrides)


def _train_fold(data: GZSLData, config: ConfigDict, workdir: str, display: Display) -> dict[str, Any]:
    """Trains on a fold of a validation, whose figures are for choosing only."""
    return _train_on(data, config, workdir, display, None, is_fold=True)


def _train_on(
    data: GZSLData, config: ConfigDict, workdir: str, display: Display | None, overrides: Mapping[str, Any] | None,
    is_fold: bool = False,
) -> dict[str, Any]:
    settings.check(config)
    sharding = sharding_of(config)
    if config.log.tensorboard:
        log.require_tensorboard()
    display = display or Display(quiet=not together.is_first())
    if config.train.resume == "must" and not workdir:
        raise UserError("config.train.resume=must: name the folder of the run to go on with, --workdir=RUN")
    model = model_module.build(config, data)
    digest, resolved = resume.digest(data), config.to_dict()
    _require_alike(resolved, digest)
    wanted, per_epoch = config.train.epochs * model.optimization.steps_per_epoch, model.optimization.steps_per_epoch

    def opened() -> tuple[RunFolder, Checkpoints, dict[str, Any] | None]:
        """Folder and checkpoints, and the results of a run that is finished already."""
        if not together.is_first():
            return NoFolder(), NoCheckpoints(), None
        folder, of = RunFolder(workdir, data.name), config.checkpoint
        checkpoints = Checkpoints(folder.path / "checkpoints", of.keep, of.best, of.every_minutes, display.say)
        resume.check(folder, resolved, digest, bool(checkpoints.steps))
        resume.check_length(folder, max(checkpoints.steps, default=0), wanted, per_epoch)
        results = folder.read("results.json")
        return folder, checkpoints, results if results is not None and resume.is_finished(results, resolved) else None

    folder, checkpoints, results = together.agreed(opened)
    results = together.told_by_first(results)
    if results is not None:
        display.say(f"{folder.path}: finished already, {results['epochs']} epochs; raise --config.train.epochs to train on")
        if not is_fold:
            summarize(results, folder.path, display)
        return results
    plan = None
    if config.eval.selection == "validation":
        plan = validate_on_folds(data, config, folder, display, _train_fold)
        config = plan.settle(config)
        model = model_module.build(config, data)
        reached = max(checkpoints.steps, default=0)
        together.agreed(lambda: resume.check_length(folder, reached, config.train.epochs * per_epoch, per_epoch))
        if not config.eval.retrain:
            return report_validation(data, digest, resolved, plan, folder, display)
    run = Run(config, data, model, folder, checkpoints, display, sharding, plan, is_fold)
    together.agreed(lambda: _record_start(run, resolved, digest, overrides))
    where = f"{jax.devices()[0].device_kind}" + (f" x {sharding.devices}" if sharding.devices > 1 else "")
    where += f" of {jax.process_count()} processes" if jax.process_count() > 1 else ""
    display.say(
        f"{method(resolved)} on {data.name}: {len(data.trainval)} training rows of {data.feature_size} features, "
        f"{len(data.seen_classes)} seen and {len(data.unseen_classes)} unseen classes, {data.semantic_size} semantic dimensions; "
        f"{where}; in {folder.path}"
    )
    try:
        with scope(config.precision), run.stop.listening(display.say):
            return run.to_the_end()
    finally:
        display.stop()
        run.close()


def _require_alike(config: Mapping[str, Any], digest: str) -> None:
    """Refuses processes that would not train the same: on other data, or as another configuration says."""
    if together.alone():
        return
    together.require_equal(digest, "data")
    places = ("data.root", "data.manual_dir")  # each machine has its own
    together.require_equal(json.dumps([entry for entry in sorted(flat(config)) if entry[0] not in places]), "a configuration")
    together.require_equal(pipeline.resolve_mode(config["data"]["pipeline"]), "an input pipeline (config.data.pipeline=auto)")


def _record_start(run: Run, config: Mapping[str, Any], digest: str, overrides: Mapping[str, Any] | None) -> None:
    """Writes what is known before training, where there is room for the run's checkpoints."""
    folder, steps, of = run.folder, run.checkpoints.steps, run.config.checkpoint
    folder.require_space(run.bytes_of_checkpoint * (of.keep + 1 + bool(of.best)))
    if not steps and resume.why_another(folder, config, digest):
        folder.remove("teacher")  # of a start that got no further, with other settings
    folder.write("config.json", config)
    folder.write("overrides.json", dict(overrides or {}))
    reached = max(steps, default=0)
    here = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **environment(), "git": revision(), "from_step": reached}
    here["devices"] = run.sharding.devices
    earlier = (folder.read("environment.json") or {}).get("starts", []) if reached else []
    folder.write("environment.json", {"data": {"name": run.data.name, "sha256": digest}, "starts": [*earlier, here]})
    for field, what in (("versions", "other versions of the libraries"), ("devices", "another number of devices")):
        if earlier and earlier[-1].get(field, here[field]) != here[field]:
            run.display.say(f"warning: {what} than at the start before (environment.json): last digits may differ")
