"""Weights of the PyTorch implementations taken over into this package's models, and back, bit for bit: `d3gzsl convert`.

Networks and layers are named as in tests/golden/README.md; `d3gzsl convert to-jax --help` says which forms of file are read.
"""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.config import saved_config
from d3gzsl_jax.data.load import load
from d3gzsl_jax.data.location import root_named
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.final_classifier import ZSL
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.representations import ENCODER
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.frameworks.torch_layout import Layout, networks
from d3gzsl_jax.runs import feature_settings, sizes, torch_files, torch_layout
from d3gzsl_jax.runs.checkpoints import Checkpoints, save_once
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.finish import model_of
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.model import TrainedModel, load_model
from d3gzsl_jax.runs.reopen import model_at
from d3gzsl_jax.runs.resume import digest
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.runs.settings import RunSettings
from d3gzsl_jax.runs.setup import Setup
from d3gzsl_jax.system import atomic, paths
from d3gzsl_jax.training import build as model_module
from d3gzsl_jax.training.sharding import Sharding
from d3gzsl_jax.training.states import initial_state

_OPTIONAL = {torch_layout.FINAL: tuple(torch_layout.CLASSIFIERS), torch_layout.FINAL_ZSL: (torch_layout.FINAL_ZSL,)}
"""Groups that a file may leave out: wanted where it has an array of one of these."""
_UNUSED = (
    "student_head/fc3.", "refiner/discriminator.", "refiner/classifier.", "representation/con_emb_layers.",
    "generator/con_emb_layers.",  # of ZeroDiff's first stage; that of the second has a place
)  # fmt: skip
"""Layers that the published code has and neither trains nor reads: how their keys begin."""


_NO_ENCODER = (
    "PyTorch's layout has no place for representations that the teacher makes; weights of runs with "
    "--config.data.representation_file can be converted"
)


def convert(path: str, arrays: dict[str, np.ndarray], like: Params, layout: Layout) -> Params:
    """Parameter trees of arrays in PyTorch's layout.

    Args:
        path: of the arrays, for messages.
        arrays: by the names of d3gzsl_jax/runs/torch_files.py.
        like: trees, or their shapes, by group of the layout; the final classifiers' are optional in `arrays`.
        layout: of all groups of the model.

    Returns:
        Trees like `like`, those of final classifiers left out that the file has none of.

    Raises:
        UserError: an array is missing, has another shape, or has no place; file and key are named.
    """
    keys = {group: {leaf.key for leaf in layout[group]} for group in like}
    places = set().union(*keys.values())
    given = {key for key in arrays if key in places or not key.startswith(_UNUSED)}
    has = {group for group, wished in keys.items() if wished & given}
    wanted = [group for group in like if group not in _OPTIONAL or has & set(_OPTIONAL[group])]
    for group in wanted:
        for key in sorted(keys[group] - given):
            raise UserError(f"{path}: {key} is missing; the configuration asks for it ({group})")
    for key in sorted(given - places):
        raise UserError(f"{path}: {key} has no place in this model; another configuration, or leave it out")
    sized = "the configuration and data make"
    return {group: torch_layout.load(layout[group], arrays, "", like[group], path, sized) for group in wanted}


def dump(model: TrainedModel) -> dict[str, np.ndarray]:
    """A model's parameters in PyTorch's layout, by the names of d3gzsl_jax/runs/torch_files.py.

    Raises:
        UserError: its base method has no counterpart there.
    """
    layout = _layout(model.config)
    if ENCODER in model.params:
        raise UserError(f"config.framework={model.config.framework}: {_NO_ENCODER}")
    arrays: dict[str, np.ndarray] = {}
    for group, tree in _groups(model.params, model.teacher, model.classifier).items():
        arrays |= torch_layout.dump(layout[group], tree)
    return arrays


def _layout(config: ConfigDict) -> Layout:
    """Of all groups of a model with this configuration.

    Raises:
        UserError: its base method has no counterpart there.
    """
    if not FRAMEWORKS[config.framework].torch_layout():
        others = ", ".join(name for name, method in FRAMEWORKS.items() if method.torch_layout())
        raise UserError(f"config.framework={config.framework}: weights of {others} can be converted, not of this one")
    return torch_layout.layout(FRAMEWORKS[config.framework])


def _groups(params: Params, teacher: Params, classifier: Params | None) -> Params:
    """Trees by group of the layout."""
    found = dict(params) | {f"teacher.{part}": tree for part, tree in teacher.items()}
    if classifier:
        parts = dict(classifier)
        found |= {torch_layout.FINAL_ZSL: parts.pop(ZSL)} if ZSL in parts else {}
        found[torch_layout.FINAL] = parts
    return found


def _parts(found: Params) -> tuple[Params, Params, Params | None]:
    """The inverse of `_groups`."""
    found = dict(found)
    classifier, own = found.pop(torch_layout.FINAL, None), found.pop(torch_layout.FINAL_ZSL, None)
    classifier = classifier | {ZSL: own} if classifier and own else classifier
    teacher = {group.removeprefix("teacher."): found.pop(group) for group in list(found) if group.startswith("teacher.")}
    return found, teacher, classifier


def like_model(path: str, arrays: dict[str, np.ndarray], model: TrainedModel) -> TrainedModel:
    """The model with other weights, the `arrays` read from `path`, in place of its own.

    Of the old weights nothing is left: no baseline, none of what validation chose and measured, no outer step of training.

    Raises:
        UserError: they do not fit, or leave nothing that predicts.
    """
    layout, groups = _layout(model.config), _groups(model.params, model.teacher, model.classifier)
    params, teacher, classifier = _parts(convert(path, arrays, groups, layout))
    found = dataclasses.replace(
        model, params=params, teacher=teacher, classifier=classifier, step=0, baselines={}, gammas={}, folds={}, advice=()
    )
    if not found.predictors:
        raise UserError(f"{path}: fc.weight is missing: without a final classifier nothing predicts in such a model")
    return found if found.prediction in found.predictors else dataclasses.replace(found, prediction=found.predictors[0])


def write_run(
    path: str, arrays: dict[str, np.ndarray], config: ConfigDict, folder: Path, display: Display,
    overrides: Mapping[str, Any] | None = None,
) -> TrainedModel:
    """Makes `folder` a run that has the weights `arrays`, read from `path`, and no outer step behind it; returns its model.

    Raises:
        UserError: configuration, data or weights do not fit.
    """
    layout, data = _layout(config), load(config.dataset, config.data)
    config = sizes.sized(feature_settings.resolved(config, data), data)
    model = model_module.build(config, data)
    feature_settings.check_suited(config, data, model.objective.framework)
    objective, key = model.objective, jax.random.key(0)
    if objective.framework.takes_representations and data.representations is None:
        raise UserError(f"config.framework={config.framework}: {_NO_ENCODER}")
    frozen = model_module.first_stage_shapes(model.first_stage, objective, represented=True)
    like = dict(jax.eval_shape(objective.init, key)) | frozen
    if objective.distillation.active:
        shapes = jax.eval_shape(lambda: model.teacher.init(key, data.feature_size))
        like |= {f"teacher.{part}": tree for part, tree in shapes.items()}
    width = data.feature_size + data.representation_size
    if (final := model.final_classifier) is not None:
        fresh = {torch_layout.FINAL: jax.eval_shape(lambda: final.init(key, like, width))}
        if final.zsl == "own":
            unseen = len(data.unseen_classes)
            fresh[torch_layout.FINAL_ZSL] = jax.eval_shape(lambda: final.init_zsl(key, like, width, unseen))
        like |= fresh
    params, teacher, classifier = _parts(convert(path, arrays, like, layout))
    run_folder = RunFolder(str(folder), data.name)
    of = config.checkpoint
    checkpoints = Checkpoints(run_folder.path / "checkpoints", of.keep, of.best, of.every_minutes, display.say)
    setup = Setup(config, data, model, Sharding())
    run = Run(RunSettings.of(config), setup, run_folder, checkpoints, display, model.final_classifier)
    try:
        run_folder.write("config.json", saved_config.content(config.to_dict()))
        run_folder.write("overrides.json", dict(overrides or {}))
        run_folder.write("environment.json", {"data": {"name": data.name, "sha256": digest(data)}, "starts": []})
        if teacher:
            report = run.evaluator.teacher(model.teacher, teacher, config.teacher.threshold)
            save_once(run_folder.path / "teacher", teacher, report)
        state = initial_state(objective, model.optimization, run.key, run.frozen()).replace(params=params)
        empty = setup.loop.empty_tally(run.abstract_state, run.constants(teacher), setup.example_inputs())
        if not run.checkpoint(state, empty, 0, wait=True):
            raise UserError(f"{folder}: its checkpoint cannot be written; free space, or name another folder")
        found = model_of(run, state, teacher, classifier)
        if classifier is None and model.final_classifier is not None:
            display.say("fc is not in the file: the final classifier is fitted anew")
            found = found.fit_classifier(data)
        found.write(run_folder.path / "model")
    finally:
        run.close()
    return found


def to_jax(arguments: argparse.Namespace, display: Display) -> None:
    """The command `to-jax`; its paths are checked, and `config` is read."""
    target = arguments.output
    if arguments.like:
        like = load_model(arguments.like)
        arrays = torch_files.read(arguments.torch, networks(_layout(like.config)))
        model = like_model(arguments.torch, arrays, like)
        model.write(target)
    else:
        config: ConfigDict = arguments.config
        arrays = torch_files.read(arguments.torch, networks(_layout(config)))
        with root_named("--data-root"), paths.made_folder(target.parent, "--output"), atomic.replacing_folder(target) as part:
            model = write_run(arguments.torch, arrays, config, part, display, arguments.overrides)
    places = {leaf.key for leaves in _layout(model.config).values() for leaf in leaves}
    dropped = ", ".join(of.rstrip(".") for of in _UNUSED if any(key.startswith(of) and key not in places for key in arrays))
    said = f"; {dropped}, which nothing uses, was dropped" if dropped else ""
    display.say(f"wrote {target}: {model.config.framework}, predicts by {' and '.join(model.predictors)}{said}")


def to_torch(arguments: argparse.Namespace, display: Display) -> None:
    """The command `to-torch`; its paths are checked."""
    of, target = arguments, arguments.output
    model = model_at(of.workdir, of.checkpoint, display, of.data_root) if of.checkpoint else load_model(of.workdir)
    arrays = dump(model)
    torch_files.write(target, arrays)
    display.say(f"wrote {target}: {len(arrays)} arrays of {', '.join(dict.fromkeys(key.split('/')[0] for key in arrays))}")
