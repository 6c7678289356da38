"""What a base method has trained before it and frozen (the first stage of ZeroDiff): on what, how, and what of it the run takes."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.config.budget import set_epochs
from d3gzsl_jax.config.method_fields import WITHOUT_D3
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import Scaling
from d3gzsl_jax.distillation.teacher import Teacher
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.representations import ENCODER
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.runs import model_files, resume
from d3gzsl_jax.runs.contents import FIRST_STAGE
from d3gzsl_jax.runs.opening import OpenRun, Start
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.system import paths, processes
from d3gzsl_jax.training.build import Model, first_stage_shapes
from d3gzsl_jax.training.states import same_shapes

BY_TEACHER = "embedding of the frozen teacher"
"""What results call the representations of data that has none."""
_ROWS = 4096  # embedded at a time


def folder(run: Run) -> Path:
    """Where the first stage of a run is trained."""
    return run.folder.path / FIRST_STAGE


def asked(run: Run) -> Start:
    """The first stage of a run, as a run that is asked for; what it says has the title of the run before it."""
    return Start(config_of(run), str(folder(run)), "first stage: ", is_within=True)


def config_of(run: Run) -> ConfigDict:
    """The configuration of the first stage: that of the run, without D3, for epochs of its own."""
    settings = run.settings
    config = settings.config.copy_and_resolve_references()
    stage, later = run.model.objective.framework.first_stage, config[config.framework]
    # What validation chose for the run, a number of epochs among it, says nothing of its first stage.
    set_epochs(config, later.representation_epochs or settings.recorded["train"]["epochs"])
    config.framework, config.data.representation_file, config.train.resume = stage, "", "auto"
    if run.encodes:  # of the teacher's embedding, which lies in no range of its own
        config.data.scaling = "minmax"
    config.update_from_flattened_dict(WITHOUT_D3)
    config.eval.selection, config.eval.retrain, config.eval.baselines = "last", True, ""
    config.eval.calibration, config.eval.model_predicts = "none", "result"  # which folds decide, and it has none
    config.classifier.fit, config.classifier.zsl = "last", "restricted"
    config.checkpoint.best, config.log.report = "", False
    return config


def encoder(run: Run, embedding: Params) -> Params:
    """The frozen group that makes representations of features, by the teacher's embedding; {} where they come with the data."""
    if not run.encodes:
        return {}
    found = _embedded(run, embedding, run.arrays.train_features)
    scaling = Scaling.fit(found)
    vector = lambda values: jnp.asarray(values / scaling.top, jnp.float32)  # noqa: E731
    return {ENCODER: {"embedding": embedding, "scale": vector(scaling.scale), "offset": vector(scaling.offset)}}


def data_of(run: Run, embedding: Params) -> GZSLData:
    """The benchmark with representations in the place of features; without test rows where validation chose for the run, which
    looks at them once, at its own end."""
    data = run.data
    provenance = dict(data.provenance) | {"feature_file": data.provenance.get("representations", BY_TEACHER)}
    provenance.pop("representations", None)
    rows = data.representations
    keys = dict(data.keys) | {"features": data.key("representations")}
    if rows is None:
        rows = _embedded(run, embedding, run.arrays.scaling.apply(data.features))
    found = dataclasses.replace(
        data, name=f"{data.name}, representations", features=rows, representations=None, provenance=provenance, keys=keys
    )
    if run.plan is None:
        return found
    none = np.zeros(0, np.int64)
    return dataclasses.replace(found, test_seen=none, test_unseen=none, declared_unseen=data.unseen_classes.astype(np.int64))


def _embedded(run: Run, embedding: Params, features: np.ndarray) -> np.ndarray:
    parts = [_embed(run.model.teacher, {"embedding": embedding}, features[i : i + _ROWS]) for i in range(0, len(features), _ROWS)]
    return np.concatenate([np.asarray(part) for part in parts])


_embed = jax.jit(Teacher.embed, static_argnums=0)


def trained(run: Run) -> Params:
    """What the run freezes of its first stage, which is trained: the same in all processes."""
    groups = run.model.objective.framework.first_stage_groups

    def read() -> Params | None:
        if not processes.is_first():
            return None
        params = model_files.read(folder(run))["params"]
        return {own: params[group] for own, group in groups.items()}

    shapes = first_stage_shapes(run.model.first_stage, run.model.objective, True)
    return processes.arrays_of_first(processes.agreed(read), shapes)


def require_earlier(opened: OpenRun, data: GZSLData, model: Model) -> None:
    """Refuses an earlier run that the configuration names and that nothing can be taken from, before anything is trained. A run
    with a checkpoint holds what it took, and needs the earlier run no more.

    Args:
        opened, data, model: of a whole run, with a first stage or without.

    Raises:
        UserError: see `of_earlier_run`.
    """
    config, goes_on = opened.start.config, opened.results is not None or bool(opened.checkpoints.steps)
    if model.first_stage is None or goes_on or not _given(config) or not processes.is_first():
        return
    if config.eval.retrain:
        _taken(config, data, model)
    elif not (place := _place_in(config)).is_dir():  # its folds take from folds, which need no model beside them
        raise UserError(f"{_option(config)}: {place} is no folder; name a {config.framework} run, or leave it out")


def of_earlier_run(run: Run) -> Params:
    """What is frozen of the first stage of an earlier run, and of its encoder, where config names one; {} where it does not.

    Of several seeds each takes its own. A fold takes that of the same fold, or none: what a whole run was trained on holds the
    classes that the fold holds out.

    Raises:
        UserError: there is no such run, or it is of other data, or of other networks.
    """
    config, fold = run.settings.config, run.folder.path.name if run.is_fold else ""
    if not _given(config):
        return {}
    found = processes.agreed(lambda: _taken(config, run.data, run.model, fold) if processes.is_first() else None)
    if not processes.told_by_first(bool(found)):
        run.display.say(f"{_option(config)}: holds no {fold} of the same data; its first stage is trained here")
        return {}
    return processes.arrays_of_first(found, _shapes(run.data, run.model))


def _taken(config: ConfigDict, data: GZSLData, model: Model, fold: str = "") -> Params:
    """What `of_earlier_run` says, read; {} of a fold that is not there, or is of other data."""
    option, place = _option(config), _place_in(config, fold)
    if fold and not place.is_dir():
        return {}
    fields = model_files.read(place)
    if fields["config"].framework != config.framework:
        raise UserError(f"{option}: holds a {fields['config'].framework} model; name a {config.framework} run")
    if fields["data_digest"] != resume.digest(data):
        if fold:
            return {}
        raise UserError(f"{option}: was trained on other data; leave it out, and the first stage is trained anew")
    shapes = _shapes(data, model)
    found = {group: fields["params"].get(group, {}) for group in shapes}
    if not same_shapes(found, shapes):
        raise UserError(f"{option}: its first stage has networks of other sizes; leave it out, or give the sizes it has")
    return found


def _shapes(data: GZSLData, model: Model) -> Params:
    return first_stage_shapes(model.first_stage, model.objective, data.representations is not None)


def _given(config: ConfigDict) -> str:
    return str(config[config.framework].representation_run)


def _option(config: ConfigDict) -> str:
    return f"config.{config.framework}.representation_run={_given(config)}"


def _place_in(config: ConfigDict, fold: str = "") -> Path:
    """The folder of an earlier run, or runs of several seeds, that this run takes from: its own seed's, and its own fold's."""
    earlier = paths.clean(_given(config), f"--config.{config.framework}.representation_run")
    of_seed = earlier / f"seed-{config.seed}"
    place = of_seed if of_seed.is_dir() else earlier
    return place / "validation" / fold if fold else place


def named(data: GZSLData, takes: bool) -> GZSLData:
    """`data` whose provenance says what representations are made by, for a base method that takes some."""
    if not takes or data.representations is not None:
        return data
    found: dict[str, Any] = dict(data.provenance) | {"representations": BY_TEACHER}
    return dataclasses.replace(data, provenance=found)
