"""A run opened again: any of its checkpoints evaluated, or made into a model."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.baselines import fit
from d3gzsl_jax.config import check, saved_config
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.load import load
from d3gzsl_jax.data.location import moved, root_named
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.structures import TrainState
from d3gzsl_jax.precision import scope
from d3gzsl_jax.runs import contents, json_files, resume, teacher
from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.finish import model_of
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.runs.results import method, zsl_rules
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.runs.settings import RunSettings
from d3gzsl_jax.runs.setup import Setup
from d3gzsl_jax.runs.storage import lock
from d3gzsl_jax.runs.teacher import NO_TEACHER, FrozenTeacher
from d3gzsl_jax.runs.unknown_figures import explained, rows_of_folds
from d3gzsl_jax.runs.validation_plan import FILE as VALIDATION
from d3gzsl_jax.runs.validation_plan import read_plan
from d3gzsl_jax.system import compile_cache
from d3gzsl_jax.text import one_line
from d3gzsl_jax.training import build
from d3gzsl_jax.training.sharding import Sharding


def run_config(workdir: str | Path, data_root: str = "") -> ConfigDict:
    """The configuration of the run in a folder; `data_root` in place of where its data was.

    Raises:
        UserError: the folder holds no run.
    """
    folder = RunFolder.reading(workdir).path
    path = folder / "config.json"
    if (found := json_files.read(path)) is None:
        raise UserError(f"--workdir={workdir}: {contents.no_run(folder)}")
    config = moved(saved_config.read(found, path), data_root)
    try:
        check.check(config)
    except UserError as error:
        raise UserError(f"{path}: {one_line(error)}") from None
    compile_cache.use_unless_decided(bool(config.get("compile_cache", True)))
    return config


def run_data(workdir: str | Path, data_root: str = "") -> tuple[ConfigDict, GZSLData]:
    """Configuration and data of the run in a folder.

    Raises:
        UserError: no run, or its data is not there, or is other data now.
    """
    config = run_config(workdir, data_root)
    data = _data(config)
    if difference := resume.why_another(RunFolder.reading(workdir), config.to_dict(), resume.digest(data)):
        raise UserError(f"--workdir={workdir}: {difference}")
    return config, data


def data_of(config: ConfigDict, data_root: str = "") -> GZSLData:
    """The data that a saved model was trained on, as its own configuration names it.

    Args:
        config: of the model.
        data_root: where the data is now, '' for where it was.

    Raises:
        UserError: it is not there.
    """
    return _data(moved(config, data_root))


def _data(config: ConfigDict) -> GZSLData:
    """All commands that open what is trained say by --data-root where its data is now."""
    with root_named("--data-root"):
        return load(config.dataset, config.data)


def open_checkpoint(
    workdir: str | Path, which: str, display: Display, data_root: str = ""
) -> tuple[Run, FrozenTeacher, TrainState]:
    """The run, its teacher, and its state at a checkpoint; nothing is written.

    Args:
        workdir: the run folder.
        which: 'last', 'best' (see config.checkpoint.best) or an outer step.
        display: where progress goes.
        data_root: where the data is now, '' for where it was.

    Raises:
        UserError: no such run, data or checkpoint.
    """
    config, data = run_data(workdir, data_root)
    folder = RunFolder.reading(workdir)
    best = config.checkpoint.best
    checkpoints = Checkpoints(folder.path / "checkpoints", config.checkpoint.keep, best, 0.0, display.say, look=True)
    steps = checkpoints.steps
    if not steps:
        raise UserError(f"--workdir={workdir}: holds no checkpoint")
    if which == "best":
        step = checkpoints.best_step()
    else:
        step = steps[-1] if which == "last" else int(which) if which.isdecimal() else -1
    if step not in steps:
        raise UserError(f"--checkpoint={which}: expected last, best or one of the outer steps {', '.join(map(str, steps))}")
    plan = read_plan(folder) if config.eval.selection == "validation" else None
    settled = plan.settle(config) if plan else config
    model, settings = build.build(settled, data), RunSettings.of(settled, asked=plan.asked if plan else None)
    setup = Setup(settled, data, model, Sharding())
    run = Run(settings, setup, folder, checkpoints, display, model.final_classifier, plan)
    frozen = teacher.read(run) if model.objective.distillation.active else NO_TEACHER
    empty = setup.loop.empty_tally(run.abstract_state, run.constants(frozen.params), setup.example_inputs())
    try:
        training, _ = checkpoints.restore(step, {"state": run.abstract_state, "tally": empty})
    except UserError as error:  # nothing is written here, and another step's figures are not those that were asked for
        others = ", ".join(str(other) for other in steps if other != step) or "none"
        raise UserError(
            f"{error}; others there: {others}; the command that trained the run, with more epochs, goes on from the one before"
        ) from None
    return run, frozen, training["state"]


def evaluate(workdir: str | Path, which: str, display: Display, data_root: str = "") -> dict[str, Any]:
    """Evaluates a checkpoint on the test rows, its final classifier fitted anew; the figures are those of the run, to the bit.

    Writes evaluation-<step>.json in the run folder, unless that cannot be written, and returns what it holds.

    Raises:
        UserError: no such run, data or checkpoint; or another process writes the folder.
    """
    run_config(workdir, data_root)
    folder = RunFolder.reading(workdir)
    with contextlib.ExitStack() as held:
        refusal = _try_to_hold(folder, held)
        return _evaluate(workdir, which, display, data_root, folder, refusal)


def _try_to_hold(folder: RunFolder, held: contextlib.ExitStack) -> str:
    """Adds the folder to what is `held`; returns why it cannot be written, '' where it can.

    Raises:
        lock.Held: another process writes it.
    """
    try:
        contents.require_ours(folder.path)
        held.enter_context(folder.held())
    except lock.Held:
        raise
    except UserError as error:
        return str(error)
    return ""


def _evaluate(
    workdir: str | Path, which: str, display: Display, data_root: str, folder: RunFolder, refusal: str
) -> dict[str, Any]:
    run, _, state = open_checkpoint(workdir, which, display, data_root)
    step = int(state.step)
    predictors, epoch = run.journal.predictors, step // run.per_epoch
    with scope(run.settings.precision):
        predictors.evaluate(state, step, epoch, False, run.real_rows)
        predictors.finish(state, step, epoch, run.real_rows)
    found = predictors.results(run.data.class_names, run.journal.choices, run.settings.selection)
    content = {
        "dataset": run.data.name, "checkpoint": step, "epochs": step / run.per_epoch, "predictions": found,
        "zsl_rule": zsl_rules(run.settings.recorded, found),
    }  # fmt: skip
    try:
        said = refusal and f"warning: these figures are not kept: {refusal}"
        said = said or f"wrote {folder.write(f'evaluation-{step}.json', content)}"
    except UserError as error:
        said = f"warning: these figures are not kept: {error}"
    rows: list[tuple[str, str, Any]] = []
    for name, part in found.items():
        rows += [(name, f"{content['epochs']:g} (step {step})", part["metrics"]), *rows_of_folds(part)]
    display.results(f"{method(run.settings.recorded)} on {run.data.name}, seed {run.settings.seed}, percent", rows)
    for sentence in explained(found.get(run.settings.prediction, {}) | {"config": run.settings.recorded}):
        display.say(sentence)
    if which == "best":
        display.say("This checkpoint was picked on the test set (config.checkpoint.best): its figures are no result.")
    display.say(said)
    return content


def model_at(
    workdir: str | Path, which: str, display: Display, data_root: str = "", classifier: bool = True, baseline: str = ""
) -> TrainedModel:
    """The model of a checkpoint.

    Args:
        workdir, which, display, data_root: see `open_checkpoint`.
        classifier: whether with a final classifier, fitted anew, where the run has one.
        baseline: a name to have that one, fitted anew, where the folds of the run chose its hyperparameters.

    Raises:
        UserError: no such run, data or checkpoint.
    """
    run, frozen, state = open_checkpoint(workdir, which, display, data_root)
    found = model_of(run, state, frozen.params, None)
    if chosen := ((run.folder.read(VALIDATION) or {}).get("baselines") or {}).get(baseline):
        with display.doing(f"fitting the baseline {baseline}"):
            fitted = fit.fitted(baseline, chosen, run.data, run.settings.seed, found.config.data.scaling)
        found = dataclasses.replace(found, baselines={baseline: fitted})
    return found.fit_classifier(run.data) if classifier and run.final_classifier else found
