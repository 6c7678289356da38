"""Training: from a configuration to a run folder with results, from the start or from where an earlier start stopped."""

import time
from collections.abc import Mapping
from typing import Any

import jax
from ml_collections import ConfigDict

from d3gzsl_jax import model as model_module
from d3gzsl_jax import settings
from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.data.loading import load
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.run import Run
from d3gzsl_jax.runs import log, resume
from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.runs.console import Display
from d3gzsl_jax.runs.environment import environment, revision
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.results import method, summarize


def train(
    config: ConfigDict, workdir: str = "", display: Display | None = None, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Trains and evaluates as `config` says and writes the run folder.

    A folder that holds an interrupted run of the same configuration and data is gone on with, to the same bits as if it had never
    stopped; a finished one is left as it is, or trained on if config.train.epochs has grown.

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
    return train_on(load(config.dataset, config.data), config, workdir, display, overrides)


def train_on(
    data: GZSLData, config: ConfigDict, workdir: str = "", display: Display | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`train` on data that is already at hand, validated; config.data says nothing but the pipeline."""
    settings.check(config)
    if config.log.tensorboard:
        log.require_tensorboard()
    display = display or Display()
    if config.train.resume == "must" and not workdir:
        raise UserError("config.train.resume=must: name the folder of the run to go on with, --workdir=RUN")
    model = model_module.build(config, data)
    folder, digest, resolved = RunFolder(workdir, data.name), resume.digest(data), config.to_dict()
    checkpoint = config.checkpoint
    checkpoints = Checkpoints(folder.path / "checkpoints", checkpoint.keep, checkpoint.best, checkpoint.every_minutes, display.say)
    resume.check(folder, resolved, digest, bool(checkpoints.steps))
    reached, wanted = max(checkpoints.steps, default=0), config.train.epochs * model.optimization.steps_per_epoch
    resume.check_length(folder, reached, wanted, model.optimization.steps_per_epoch)
    results = folder.read("results.json")
    if results is not None and not results["interrupted"] and results["epochs"] == config.train.epochs:
        display.say(f"{folder.path}: finished already, {results['epochs']} epochs; raise --config.train.epochs to train on")
        summarize(results, folder.path, display)
        return results
    run = Run(config, data, model, folder, checkpoints, display)
    folder.require_space(run.bytes_of_checkpoint * (checkpoint.keep + 1 + bool(checkpoint.best)))
    if not checkpoints.steps and resume.why_another(folder, resolved, digest):
        folder.remove("teacher")  # of a start that got no further, with other settings
    folder.write("config.json", resolved)
    folder.write("overrides.json", dict(overrides or {}))
    here = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **environment(), "git": revision(), "from_step": reached}
    earlier = (folder.read("environment.json") or {}).get("starts", []) if reached else []
    folder.write("environment.json", {"data": {"name": data.name, "sha256": digest}, "starts": [*earlier, here]})
    if earlier and earlier[-1]["versions"] != here["versions"]:
        display.say("warning: other versions of the libraries than at the start before (environment.json): last digits may differ")
    display.say(
        f"{method(resolved)} on {data.name}: {len(data.trainval)} training rows of {data.feature_size} features, "
        f"{len(data.seen_classes)} seen and {len(data.unseen_classes)} unseen classes, {data.semantic_size} semantic dimensions; "
        f"{jax.devices()[0].device_kind}; in {folder.path}"
    )
    try:
        with run.stop.listening(display.say):
            return run.to_the_end()
    finally:
        display.stop()
        run.close()
