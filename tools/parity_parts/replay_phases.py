"""Replays the phases of outer steps through the package's own updates, for a method that names them itself."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.schedule import Phase, Update
from d3gzsl_jax.frameworks.structures import Batch, Params, Terms, TrainState
from d3gzsl_jax.training.step import update
from tools.parity_parts.comparison import EXACT, GRADIENT, LOSS, Comparison, Tolerance
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_steps import Setup, compare_groups, compiled, initial_state, read_labels
from tools.parity_parts.rounding import Rounding

NETWORK = Tolerance(0.002, 0.0, "0.002 lr")
"""Of parameters: what these recordings allow, whose batches are powers of two (0.0002 was reached)."""


class Done(NamedTuple):
    """A replayed phase: the terms of its updates, and what its last update compared with the real rows."""

    terms: Terms
    fakes: Any


class Phases:
    """A recording's state, phase by phase.

    Args:
        recording, setup, out: the recording, our objects, where deviations go.
    """

    def __init__(self, recording: Recording, setup: Setup, out: Comparison) -> None:
        self.recording, self.setup, self.out = recording, setup, out
        self.state = initial_state(recording, setup)
        self.rounding = Rounding(recording, setup.optimization, out)

    @property
    def epoch(self) -> int:
        """The epoch of the outer step that comes next."""
        return int(self.setup.optimization.epoch(self.state.step))

    def go_through(
        self, name: str, phase: Phase, draws: dict[str, str], further: dict[str, jax.Array] | None = None
    ) -> Done:
        """One recorded step as one turn of a phase: its updates on its batch, their gradients, the parameters after them.

        Args:
            name: of the step.
            draws: our name of a draw -> the recorded one.
            further: draws themselves, by our name, where they were recorded in another form.
        """
        recording, setup, out = self.recording, self.setup, self.out
        batch, further = self.read_batch(name), further or {}
        given = further | {
            ours: jnp.asarray(recording.shaped(f"{name}/noise/{draws[ours]}", setup.batch_size, *draw.shape))
            for ours, draw in phase.draws.items() if ours not in further
        }  # fmt: skip
        turn = compiled(setup, f"turn {phase}", functools.partial(_turn, setup, phase))
        self.state, terms, gradients, fakes = turn(self.state, setup.classes, batch, given)
        key = f"{name}/loss"
        out.add(f"{phase.name} loss", key, terms["loss"], recording[key], LOSS)
        if recording.has(f"{name}/grad/"):
            compare_groups(recording, setup, "gradient", f"{name}/grad/", gradients, GRADIENT, {}, out)
        epoch = self.epoch
        rates = {group: float(setup.optimization.learning_rate(group, epoch)) for group in setup.objective.groups}
        self.state = self.rounding.take_over(name, gradients, self.state, rates)
        after = {group: tree for group, tree in self.state.params.items() if self._has(f"{name}/after/", group)}
        self.compare_parameters(f"{name}/after/", after, rates)
        return Done(terms, fakes)

    def compare_parameters(self, prefix: str, after: Params, rates: dict[str, float]) -> None:
        """Parameters by group, after an update, against those recorded under `prefix`."""
        compare_groups(self.recording, self.setup, "parameters", prefix, after, NETWORK, rates, self.out)

    def read_batch(self, name: str) -> Batch:
        """The recorded batch of a step."""
        recording, out, classes = self.recording, self.out, self.setup.classes
        rows, features = self.setup.batch_size, self.setup.objective.framework.sizes.features
        labels = read_labels(recording, f"{name}/batch/label", rows, classes)
        found = recording.shaped(f"{name}/batch/features", rows, features)
        out.add("batch semantics", f"{name}/batch/att", classes.semantics[labels], recording[f"{name}/batch/att"], EXACT)
        if f"{name}/batch/index" in recording:
            index = recording.shaped(f"{name}/batch/index", rows)
            out.add("batch rows", f"{name}/batch/index", recording["data/train_feature"][index], found, EXACT)
        return Batch(features=jnp.asarray(found), labels=labels, teacher=None)

    def _has(self, prefix: str, group: str) -> bool:
        return prefix + self.recording.layout[group][0].key in self.recording

    def end_step(self, terms: dict[str, Terms]) -> None:
        """Ends an outer step with these terms of its phases."""
        method = self.setup.objective.framework.next_state(self.state.method, terms)
        self.state = self.state.replace(step=self.state.step + 1, method=method)


def _turn(
    setup: Setup, phase: Phase, state: TrainState, classes: Any, batch: Batch, draws: dict[str, jax.Array]
) -> tuple[TrainState, Terms, Params, Any]:
    """State, terms, gradients and the last update's synthesized rows of one turn of a phase."""
    objective, optimization = setup.objective, setup.optimization
    terms: Terms = {}
    gradients: Params = {}
    inputs = {}, classes, batch, draws
    made = fakes = None
    if phase.made_ahead:  # in one go for all repeats, of which there is one here
        first = jax.tree.map(lambda leaf: leaf[None], (batch, draws))
        made = jax.tree.map(lambda leaf: leaf[0], objective.make(phase, state.params, {}, classes, *first, state.method))
    for of in phase.updates:
        fakes = (made or objective.make(phase, state.params, *inputs, state.method)).fakes

        def loss(trained: Params, of: Update = of, state: TrainState = state) -> jax.Array:
            epoch = optimization.epoch(state.step)
            return objective.loss(phase, of, state.params | trained, *inputs, state.method, epoch, made)[0]

        found = jax.grad(loss)({group: state.params[group] for group in objective.groups_of(of)})
        state, of_update = update(phase, of, objective, optimization, state, *inputs, made=made)
        # What the recorded loop had in .grad.
        gradients |= {group: optimization.gradient_taken(group, tree, state.opt_state) for group, tree in found.items()}
        terms |= of_update
    return state, terms, gradients, fakes
