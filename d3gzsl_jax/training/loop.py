"""Many outer steps per call: the one place where the step is jitted, its state donated and its batches fetched."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.stages import Compiled, Wrapped

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.unseen_sampling import narrow, sample_unseen, widen
from d3gzsl_jax.frameworks.schedule import Phase, new_batches
from d3gzsl_jax.frameworks.structures import Batch, Classes, Inputs, Params, Replaceable, TrainState, pytree
from d3gzsl_jax.training.draws import StepDraws, sample_rows, step_draws
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.sharding import ONE_DEVICE, Sharding
from d3gzsl_jax.training.step import train_step
from d3gzsl_jax.training.tally import Tally

Carry = tuple[TrainState, Tally]


@pytree
class Constants(Replaceable):
    """What a run never changes. teacher: {} without D3; rows: all N trainval rows with their teacher outputs, on device, None when
    streaming."""

    root: jax.Array
    teacher: Params
    classes: Classes
    rows: Batch | None


def fetch_batches(
    objective: Objective, constants: Constants, step: jax.Array, inputs: Inputs, batches: int, batch: int
) -> Batch:
    """The (batches, B) rows of one outer step, by what the input pipeline delivers.

    inputs is None (rows are sampled on the device), an int32 array (batches, B) of row numbers, or a pair of streamed features
    (batches, B, dx) and labels (batches, B), whose teacher outputs are computed here.
    """
    if isinstance(inputs, tuple):
        features, labels = inputs
        distillation = objective.distillation
        teacher = distillation.teacher.outputs(constants.teacher, features) if distillation.active else None
        return Batch(features=features, labels=labels, teacher=teacher)
    assert constants.rows is not None  # they are on the device where they are not streamed
    if inputs is None:
        inputs = sample_rows(constants.root, step, constants.rows.labels.shape[0], batches, batch)
    return jax.tree.map(lambda table: table[inputs], constants.rows)


@dataclasses.dataclass(frozen=True)
class Loop:
    """The compiled loop of a run: outer steps, any number of them per call, in one trace. Equal loops share what is compiled.

    Attributes:
        objective, optimization: what is trained, and how.
        n_critic, batch: how often an outer step goes through a phase that does not say so itself, rows per batch.
        loss_limit: a term whose absolute value is over it counts as gone bad, like one that is not finite.
        sharding: over which devices; state, tally and constants are replicated on them.
        terms_at_once: whether a repeated update writes its terms down as one array: one kernel of a GPU, where ten terms would take
            ten. On a CPU it brings nothing, and a seed among others would differ in a last digit from itself alone.
    """

    objective: Objective
    optimization: Optimization
    n_critic: int
    batch: int
    loss_limit: float = math.inf
    sharding: Sharding = ONE_DEVICE
    terms_at_once: bool = False

    def run(
        self, state: TrainState, tally: Tally, constants: Constants, inputs: Inputs, start: jax.Array | int, count: jax.Array | int
    ) -> tuple[TrainState, Tally]:
        """Runs the `count` outer steps that begin at inputs[start] (leading axis: steps; None: sampled on the device) and adds them
        to the tally. The state is donated. Splitting steps into calls differently gives the same bits, the tally's included."""
        return _compiled(self.sharding.replicated)(self, state, tally, constants, inputs, start, count)

    def compile(
        self, state: TrainState, tally: Tally, constants: Constants, inputs: Inputs, start: jax.Array | int, count: jax.Array | int
    ) -> Compiled:
        """The program that `run` calls with such arguments."""
        return _compiled(self.sharding.replicated).lower(self, state, tally, constants, inputs, start, count).compile()

    def one_step(
        self, state: TrainState, constants: Constants, inputs: Inputs, measure: jax.Array | None = None,
        phases: tuple[Phase, ...] | None = None,
    ) -> tuple[Any, ...]:
        """One outer step on its own, not compiled; `inputs` as in `fetch_batches`, `measure` and result as of `train_step`.
        phases: those of its pass; None: decided by the step."""
        batches = fetch_batches(self.objective, constants, state.step, inputs, self.batches, self.batch)
        batches = self.sharding.constrain_rows(batches, 1)
        distillation = self.objective.distillation
        classes = sample_unseen(constants.root, state.step, constants.classes, distillation.unseen_per_step)
        if not distillation.narrows(classes):
            return self._step_of_pass(state, constants, classes, batches, measure, phases)
        few, own, batches = narrow(state, classes, batches)
        few, *rest = self._step_of_pass(few, constants, own, batches, measure, phases)
        return widen(few, state, classes), *rest

    @property
    def batches(self) -> int:
        """Batches of an outer step."""
        return new_batches(self.objective.framework.phases(0), self.n_critic)

    @property
    def different_phases(self) -> list[tuple[Phase, ...]]:
        """The phases of the passes of an epoch, those of equal passes once."""
        passes = self.objective.framework.phases_by_pass
        return [phases for number, phases in enumerate(passes) if phases not in passes[:number]]

    def which_phases(self, step: jax.Array) -> jax.Array:
        """The place in `different_phases` () int32 of the pass that an outer step belongs to."""
        framework, different = self.objective.framework, self.different_phases
        steps_per_pass = self.optimization.steps_per_epoch // framework.passes
        places = [different.index(phases) for phases in framework.phases_by_pass]
        return jnp.asarray(places, jnp.int32)[step // steps_per_pass % framework.passes]

    def _step_of_pass(
        self, state: TrainState, constants: Constants, classes: Classes, batches: Batch, measure: jax.Array | None,
        phases: tuple[Phase, ...] | None,
    ) -> tuple[Any, ...]:
        """`train_step` with the phases of the pass that the step belongs to."""

        def step(phases: tuple[Phase, ...]) -> tuple[Any, ...]:
            draws = self._draws(constants, state.step, phases)
            return train_step(
                self.objective, self.optimization, phases, state, constants.teacher, classes, batches, draws, measure,
                self.terms_at_once,
            )

        different = [phases] if phases else self.different_phases
        if len(different) == 1:
            return step(different[0])
        return jax.lax.switch(self.which_phases(state.step), [functools.partial(step, phases) for phases in different])

    def _draws(self, constants: Constants, step: jax.Array, phases: tuple[Phase, ...]) -> StepDraws:
        """The draws of a step, rows split over the devices."""
        objective = self.objective
        further = objective.framework.unseen_draws() if objective.distillation.active else {}
        draws = step_draws(
            constants.root, step, phases, self.n_critic, self.batch, further, objective.unseen_rows(constants.classes)
        )
        rows = self.sharding.constrain_rows
        return tuple(rows(of, int(phase.new_batch)) for phase, of in zip(phases, draws, strict=True))

    def empty_tally(self, state: TrainState, constants: Constants, inputs: Inputs) -> Tally:
        """A tally of no steps; `inputs` as for `run`, of which (as of the rest) only the shapes matter."""
        first = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), inputs)
        phases = self.different_phases[0]
        _, *shapes = _one_step.eval_shape(self, state, constants, first, jax.ShapeDtypeStruct((), jnp.bool_), phases)
        return Tally.empty(*shapes)

    def add_step(
        self, state: TrainState, tally: Tally, constants: Constants, inputs: Inputs, phases: tuple[Phase, ...]
    ) -> tuple[TrainState, Tally]:
        """State and tally with one outer step done, not compiled; `inputs` as in `fetch_batches`, `phases` those of its pass."""
        # Norms are of the last step of an epoch: after it the run may look at them, and elsewhere they cost nothing.
        ends_epoch = (state.step + 1) % self.optimization.steps_per_epoch == 0
        new_state, terms, norms = _one_step(self, state, constants, inputs, ends_epoch, phases)
        new_state = self.sharding.constrain_replicated(new_state)
        return new_state, tally.add(state.step, terms, norms, ends_epoch, self.loss_limit)

    def many_steps(self, count: jax.Array, turn: Callable[..., Carry], carry: Carry) -> Carry:
        """`count` outer steps, not compiled: turn(i, (state, tally), phases) is what is carried on after the one of number i.

        Steps of one pass are a loop of their own, in which the state is changed where it lies. Deciding between passes within a
        step would copy all of it in every step: on a CPU a quarter of TF-VAEGAN's time, and as much memory again.
        """
        different = self.different_phases
        if len(different) == 1:
            return jax.lax.fori_loop(0, count, functools.partial(turn, phases=different[0]), carry)

        def epoch(at: tuple[jax.Array, Carry]) -> tuple[jax.Array, Carry]:
            for place, phases in enumerate(different):
                goes_on = lambda at, place=place: (at[0] < count) & (self.which_phases(at[1][0].step) == place)  # noqa: E731
                one = lambda at, phases=phases: (at[0] + 1, turn(*at, phases=phases))  # noqa: E731
                at = jax.lax.while_loop(goes_on, one, at)
            return at

        return jax.lax.while_loop(lambda at: at[0] < count, epoch, (jnp.int32(0), carry))[1]


@functools.cache
def _compiled(result: NamedSharding | None) -> Wrapped:
    """`_outer_steps` compiled, its results placed like this; for one device (None) there is one for all loops."""
    return jax.jit(_outer_steps, static_argnums=0, donate_argnums=1, out_shardings=result)


def _outer_steps(
    loop: Loop, state: TrainState, tally: Tally, constants: Constants, inputs: Inputs, start: jax.Array, count: jax.Array
) -> tuple[TrainState, Tally]:
    def turn(i: jax.Array, carry: Carry, phases: tuple[Phase, ...]) -> Carry:
        return loop.add_step(*carry, constants, jax.tree.map(lambda leaf: leaf[start + i], inputs), phases)

    return loop.many_steps(count, turn, (state, tally))


_one_step = jax.jit(Loop.one_step, static_argnums=(0, 5), inline=True)  # traced once for its shapes and its program
