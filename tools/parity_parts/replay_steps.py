"""Replays a recording of a published PyTorch loop through the package's own functions: what several kinds of recording share."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import mean_over_classes, per_class_accuracy
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Terms, TrainState
from d3gzsl_jax.training.build import Model
from d3gzsl_jax.training.step import update
from tools.parity_parts.comparison import EXACT, GRADIENT, LOSS, PARAMETER, RATE, Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.rounding import Rounding


@dataclasses.dataclass(frozen=True)
class Setup(Model):
    """The package's objects at the sizes and option values of a recording, and what else its loop needs.

    Attributes:
        n_critic, batch_size, epochs: of the loop.
        rate_names: recorded name of a learning rate -> our group.
        free: recorded parameters left out of parity, by the end of their key.
    """

    n_critic: int = 0
    batch_size: int = 0
    epochs: int = 0
    rate_names: dict[str, str] = dataclasses.field(default_factory=dict)
    free: tuple[str, ...] = ()

    @property
    def updates_per_epoch(self) -> int:
        """Critic and generator updates of an epoch."""
        return self.optimization.steps_per_epoch * (self.n_critic + 1)


_COMPILED: dict[tuple[str, str], Callable[..., Any]] = {}


def compiled(setup: Setup, name: str, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`function`, jitted, one for all recordings of the same sizes and option values: tests replay a recording dozens of times,
    and to trace a step takes longer than to run all of them.

    Args:
        setup: what `function` may refer to; everything else, arrays above all, is to be among its arguments.
        name: of the function among those of a setup.
        options: of `jax.jit`.
    """
    key = name, repr((setup.objective, setup.optimization, setup.teacher_training, setup.final_classifier))
    return _COMPILED.setdefault(key, jax.jit(function, **options))


@dataclasses.dataclass(frozen=True)
class Update:
    """One replayed update: its name and kind, its inputs, the parameters before it, our terms."""

    name: str
    kind: str
    batch: Batch
    draws: dict[str, jax.Array]
    params: Params
    terms: Terms


def read_classes(recording: Recording, semantics: str, seen: str, every: str) -> Classes:
    """The recorded classes; the arguments name the options that hold the sizes."""
    count, seen_count = int(recording.option(every)), int(recording.option(seen))
    recording.shaped("data/attribute", count, int(recording.option(semantics)))
    recording.shaped("data/seen_classes", seen_count)
    recording.shaped("data/unseen_classes", count - seen_count)
    return Classes(
        semantics=jnp.asarray(recording["data/attribute"], jnp.float32),
        seen=jnp.asarray(recording["data/seen_classes"], jnp.int32),
        unseen=jnp.asarray(recording["data/unseen_classes"], jnp.int32),
    )


def initial_state(recording: Recording, setup: Setup) -> TrainState:
    """The recorded parameters before training, with fresh optimiser states."""
    objective = setup.objective
    shapes = jax.eval_shape(objective.init, jax.random.key(0))
    params = {group: recording.load(group, "init/", shapes[group]) for group in objective.groups}
    opt_state = setup.optimization.init(params)
    return TrainState(step=jnp.int32(0), params=params, opt_state=opt_state, method=objective.framework.initial_state())


def load_teacher(recording: Recording, setup: Setup, prefix: str) -> Params:
    """The teacher's recorded parameters under `prefix`."""
    fresh = setup.teacher.init(jax.random.key(0), setup.objective.framework.sizes.features)
    return {part: recording.load(f"teacher.{part}", prefix, fresh[part]) for part in ("embedding", "head")}


def replay_updates(
    recording: Recording, setup: Setup, teacher: Params, out: Comparison, compare_terms: Callable[[Update], None],
    epoch_done: Callable[[int, TrainState], None],
) -> TrainState:
    """Every recorded update in order: losses, gradients and parameters, learning rates by epoch.

    Args:
        compare_terms: compares what one kind of recording has beyond that.
        epoch_done: likewise at the end of an epoch, given its number and the state.
    """
    objective, optimization, classes = setup.objective, setup.optimization, setup.classes
    state = initial_state(recording, setup)
    outputs = compiled(setup, "teacher outputs", setup.teacher.outputs)

    phases = {phase.name: phase for phase in objective.framework.phases(0)}

    def measured(kind: str, state: TrainState, *inputs: Any) -> tuple[TrainState, Terms, Params]:
        phase = phases[kind]
        (of,) = phase.updates
        trained, epoch = {group: state.params[group] for group in objective.groups_of(of)}, optimization.epoch(state.step)
        loss = lambda trained: objective.loss(phase, of, state.params | trained, *inputs, state.method, epoch)[0]  # noqa: E731
        new_state, terms = update(phase, of, objective, optimization, state, *inputs)
        return new_state, terms, jax.grad(loss)(trained)

    @functools.cache
    def rates_of(epoch: int) -> dict[str, float]:
        return {group: float(optimization.learning_rate(group, epoch)) for group in objective.groups}

    step = compiled(setup, "update", measured, static_argnums=0)
    steps = recording.steps()
    rounding = Rounding(recording, optimization, out)
    out.add("counts", "epochs", setup.epochs, len(recording.epochs()), EXACT)
    out.add("counts", "updates", setup.epochs * setup.updates_per_epoch, len(steps), EXACT)
    if out.rows["counts"].first_failure:
        return state  # nothing after this could be lined up
    for number, name in enumerate(steps):
        kind = str(recording[f"{name}/kind"])
        if kind not in phases:
            raise UserError(f"{recording.path}: {name}/kind is {kind!r}, expected 'critic' or 'generator'")
        expected = "critic" if number % (setup.n_critic + 1) < setup.n_critic else "generator"
        out.add("order of updates", f"{name}/kind (1: {kind})", expected == kind, True, EXACT)
        batch, draws = _inputs(recording, setup, name, kind, teacher, outputs, out)
        rates = rates_of(int(state.step) // optimization.steps_per_epoch)
        params = state.params
        state, terms, gradients = step(kind, state, teacher, classes, batch, draws)
        # What the recorded loop had in .grad.
        gradients = {group: optimization.gradient_taken(group, of, state.opt_state) for group, of in gradients.items()}
        out.add(f"{kind} loss", f"{name}/loss", terms["loss"], recording[f"{name}/loss"], LOSS)
        if kind == "critic":
            key = f"{name}/gradient_penalty"
            out.add("gradient penalty", key, terms["gradient_penalty"], recording[key], LOSS)
        compare_terms(Update(name, kind, batch, draws, params, terms))
        if recording.has(f"{name}/grad/"):
            compare_groups(recording, setup, "gradient", f"{name}/grad/", gradients, GRADIENT, {}, out)
        state = rounding.take_over(name, gradients, state, rates)
        if recording.has(f"{name}/after/"):
            compare_groups(recording, setup, "parameters", f"{name}/after/", state.params, PARAMETER, rates, out)
        if kind == "generator":
            state = state.replace(step=state.step + 1)
        if (number + 1) % setup.updates_per_epoch == 0:
            epoch = number // setup.updates_per_epoch
            at = f"epoch{epoch}/"
            out.add("counts", f"{at}nsteps", number + 1, recording[f"{at}nsteps"], EXACT)
            if recording.has(f"{at}after/"):
                compare_groups(recording, setup, "parameters", f"{at}after/", state.params, PARAMETER, rates, out)
            for theirs, group in setup.rate_names.items():
                # The rate the next update will really use.
                ours = optimization.learning_rate(group, int(state.step) // optimization.steps_per_epoch)
                out.add("learning rates", f"{at}lr/{theirs}", ours, recording[f"{at}lr/{theirs}"], RATE)
            epoch_done(epoch, state)
    return state


def _inputs(
    recording: Recording, setup: Setup, name: str, kind: str, teacher: Params, outputs: Callable[..., Any], out: Comparison
) -> tuple[Batch, dict[str, jax.Array]]:
    """The recorded batch and draws of one update."""
    rows, sizes, classes = setup.batch_size, setup.objective.framework.sizes, setup.classes
    features = jnp.asarray(recording.shaped(f"{name}/batch/features", rows, sizes.features))
    labels = read_labels(recording, f"{name}/batch/label", rows, classes)
    out.add("batch semantics", f"{name}/batch/att", classes.semantics[labels], recording[f"{name}/batch/att"], EXACT)
    active = setup.objective.distillation.active
    shapes = {"noise": ("fake", rows, sizes.noise)}
    if kind == "critic":
        shapes["interpolation"] = "interp", rows, 1
    if active:
        shapes["unseen_noise"] = "unseen", setup.objective.unseen_rows(classes), sizes.noise
    draws = {
        ours: jnp.asarray(recording.shaped(f"{name}/noise/{theirs}", *shape)) for ours, (theirs, *shape) in shapes.items()
    }
    return Batch(features=features, labels=labels, teacher=outputs(teacher, features) if active else None), draws


def read_labels(recording: Recording, key: str, rows: int, classes: Classes) -> jax.Array:
    """Recorded labels (rows,), which must be class ids."""
    labels = jnp.asarray(recording.shaped(key, rows), jnp.int32)
    if not 0 <= labels.min() <= labels.max() < len(classes.semantics):
        raise UserError(f"{recording.path}: {key} holds {labels.min()} to {labels.max()}, not class ids")
    return labels


def compare_groups(
    recording: Recording, setup: Setup, quantity: str, prefix: str, trees: Params, tolerance: Any, units: dict[str, float],
    out: Comparison,
) -> None:
    """Parameter trees (or gradients to them) by group against the recorded ones under `prefix`."""
    for group, tree in trees.items():
        for key, ours, theirs in recording.pairs(group, prefix, tree):
            if not key.endswith(setup.free):
                out.add(f"{quantity} {group}", key, ours, theirs, tolerance, units.get(group))


def accuracy(logits: Any, recording: Recording, split: str, classes: jax.Array) -> float:
    """Mean per-class accuracy on the recorded test rows of a split, by argmax."""
    predicted = np.asarray(logits.argmax(-1))
    return mean_over_classes(per_class_accuracy(predicted, recording[f"data/test_{split}_label"], np.asarray(classes)))
