"""H against the time of training: how far each framework is after so many CPU-minutes, a panel a benchmark, as one SVG.

    python tools/figures/training_time.py --output=docs/training_time.svg FLO=RUNS CUB100=RUNS

RUNS is a folder with a run (or runs of several seeds) of each framework without D3, chosen on validation: RUN/validation/fold-0, or
RUN/seed-K/validation/fold-0. H is of the final classifier on that *fold*, the mean over seeds: nothing here is read off test rows.
Time is outer steps times the CPU seconds that one takes on this machine, measured for each run's own configuration and data (of all
threads, so that other programs disturb it little), without evaluation and teacher; of a framework with a first stage both stages
count. A JSON of the same figures is written beside the SVG.
"""

import dataclasses
import math
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.config import saved_config
from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.folds import folds
from d3gzsl_jax.data.load import load
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.structures import Batch
from d3gzsl_jax.keys import root_key
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.runs.report.figures import finish, legend_above, panels_of
from d3gzsl_jax.runs.setup import Setup
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.training.build import build, first_stage_shapes
from d3gzsl_jax.training.loop import Constants
from d3gzsl_jax.training.sharding import Sharding
from d3gzsl_jax.training.states import initial_state
from tools.figures.command import run

STEPS = 20  # that are timed
_COLOURS = ("#332288", "#88CCEE", "#117733", "#999933", "#DDCC77", "#CC6677", "#AA4499", "#882255", "#000000")
Curve = list[tuple[float, float]]
"""(CPU minutes, H in percent)."""


def seconds_per_step(config: ConfigDict, data: GZSLData) -> float:
    """CPU seconds of an outer step of training without D3, the mean over the passes of an epoch."""
    config = config.copy_and_resolve_references()
    config.data.pipeline, key = "device", root_key(0)
    model = build(config, data)
    setup = Setup(config, data, model, Sharding())
    objective, framework = model.objective, model.objective.framework
    shapes = first_stage_shapes(model.first_stage, objective, data.representations is not None)
    frozen = jax.tree.map(lambda leaf: 0.02 * jax.random.normal(key, leaf.shape, leaf.dtype), shapes)
    state = initial_state(objective, model.optimization, key, frozen)
    features, labels = setup.rows
    rows = Batch(features=features, labels=labels, teacher=None)
    constants = Constants(root=key, teacher={}, classes=model.classes, rows=rows)
    tally, spent = setup.loop.empty_tally(state, constants, None), []
    for number in (0, *range(framework.passes)):  # the first call compiles
        state = state.replace(step=jnp.int32(number * model.optimization.steps_per_epoch // framework.passes))
        began = time.process_time()
        state, _ = jax.block_until_ready(setup.loop.run(state, tally, constants, None, 0, STEPS))
        spent.append((time.process_time() - began) / STEPS)
    return float(np.mean(spent[1:]))


def lines(folder: Path) -> list[dict[str, Any]]:
    """The evaluations in a run folder's metrics.jsonl.

    Raises:
        UserError: there is none of a final classifier.
    """
    found = json_files.read_lines(folder / "metrics.jsonl")
    of = [line for line in found if line.get("kind") == "epoch" and "classifier" in (line.get("predictions") or {})]
    if not of:
        raise UserError(f"{folder}: has no evaluation of a final classifier; train with config.eval.selection=validation")
    return of


def of_first_stage(config: ConfigDict, data: GZSLData) -> tuple[int, float]:
    """Outer steps of the first stage of a run, and CPU seconds of one; (0, 0.0) where it has none."""
    framework = build(config, data).objective.framework
    if not framework.first_stage:
        return 0, 0.0
    own = config.copy_and_resolve_references()
    own.framework, own.classifier.zsl = framework.first_stage, "restricted"
    array = np.random.default_rng(0).uniform(size=(len(data.features), framework.sizes.representation)).astype(np.float32)
    epochs = config[config.framework].representation_epochs or config.train.epochs
    steps = epochs * math.ceil(len(data.trainval) / config.train.batch_size)
    return steps, seconds_per_step(own, dataclasses.replace(data, features=array, representations=None))


def curve(folder: Path) -> tuple[str, Curve]:
    """The framework of a run, or of runs of several seeds, and its curve."""
    seeds = sorted(folder.glob("seed-*")) or [folder]
    if (found := json_files.read(seeds[0] / "config.json")) is None:
        raise UserError(f"{folder}: holds no run; name a folder of runs, each chosen on validation")
    config = saved_config.configuration(saved_config.nested(found, seeds[0]), seeds[0])
    of_seeds = [lines(seed / "validation" / "fold-0") for seed in seeds]
    whole = load(config.dataset, config.data)
    data = folds(whole, config.eval.folds, config.eval.fold_seed, config.eval.fold_classes, config.eval.fold_rows)[0]
    first, seconds = of_first_stage(config, data), seconds_per_step(config, data)
    points = []
    for at in zip(*of_seeds, strict=True):
        harmonic = np.mean([line["predictions"]["classifier"]["harmonic"] for line in at])
        points.append(((first[0] * first[1] + at[0]["step"] * seconds) / 60, 100 * float(harmonic)))
    return config.framework, points


def curves(folder: Path) -> dict[str, Curve]:
    """By framework, in the order of the registry, the curve of each run in a folder."""
    found = dict(curve(place) for place in sorted(folder.iterdir()) if place.is_dir())
    return {name: found[name] for name in FRAMEWORKS if name in found}


def draw(of_benchmarks: dict[str, dict[str, Curve]]) -> Any:
    """A panel a benchmark, a line a framework."""
    figure, panels = panels_of(len(of_benchmarks), columns=2, width=8.4, height=3.2)
    colours = dict(zip(FRAMEWORKS, _COLOURS, strict=False))
    for axes, (title, found) in zip(panels, of_benchmarks.items(), strict=True):
        for name, points in found.items():
            minutes, harmonic = np.array(points).T
            label = FRAMEWORKS[name].called
            axes.plot(minutes, harmonic, marker="o", markersize=3, linewidth=1.5, color=colours[name], label=label)
        finish(axes, title=title, x="CPU minutes of training", y="H on the fold, percent", whole_numbers=False)
        axes.set_xlim(left=0)
    legend_above(figure, panels)
    return figure


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(__doc__ or "", curves, draw)))
