"""Many outer steps per call: the one place where the step is jitted, its state donated and its batches fetched."""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.stages import Compiled, Wrapped

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.unseen_sampling import narrow, sample_unseen, widen
from d3gzsl_jax.frameworks.structures import Batch, Classes, Inputs, Params, Replaceable, StepDraws, TrainState, pytree
from d3gzsl_jax.training.draws import sample_rows, step_draws
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.sharding import ONE_DEVICE, Sharding
from d3gzsl_jax.training.step import train_step
from d3gzsl_jax.training.tally import Tally


@pytree
class Constants(Replaceable):
    """What a run never changes. teacher: {} without D3; rows: all N trainval rows with their teacher outputs, on device, None when
    streaming."""

    root: jax.Array
    teacher: Params
    classes: Classes
    rows: Batch | None


def fetch_batches(
    objective: Objective, constants: Constants, step: jax.Array, inputs: Inputs, n_critic: int, batch: int
) -> Batch:
    """The (n_critic, B) batches of one outer step, by what the input pipeline delivers.

    inputs is None (rows are sampled on the device), an int32 array (n_critic, B) of row numbers, or a pair of streamed features
    (n_critic, B, dx) and labels (n_critic, B), whose teacher outputs are computed here.
    """
    if isinstance(inputs, tuple):
        features, labels = inputs
        distillation = objective.distillation
        teacher = distillation.teacher.outputs(constants.teacher, features) if distillation.active else None
        return Batch(features=features, labels=labels, teacher=teacher)
    assert constants.rows is not None  # they are on the device where they are not streamed
    if inputs is None:
        inputs = sample_rows(constants.root, step, constants.rows.labels.shape[0], n_critic, batch)
    return jax.tree.map(lambda table: table[inputs], constants.rows)


@dataclasses.dataclass(frozen=True)
class Loop:
    """The compiled loop of a run: outer steps, any number of them per call, in one trace. Equal loops share what is compiled.

    Attributes:
        objective, optimization: what is trained, and how.
        n_critic, batch: critic updates per outer step, rows per batch.
        loss_limit: a term whose absolute value is over it counts as gone bad, like one that is not finite.
        sharding: over which devices; state, tally and constants are replicated on them.
    """

    objective: Objective
    optimization: Optimization
    n_critic: int
    batch: int
    loss_limit: float = math.inf
    sharding: Sharding = ONE_DEVICE

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
        self, state: TrainState, constants: Constants, inputs: Inputs, measure: jax.Array | None = None
    ) -> tuple[Any, ...]:
        """One outer step on its own, not compiled; `inputs` as in `fetch_batches`, `measure` and result as of `train_step`."""
        batches = fetch_batches(self.objective, constants, state.step, inputs, self.n_critic, self.batch)
        draws = step_draws(
            constants.root, state.step, self.n_critic, self.batch, self.objective.unseen_rows(constants.classes),
            self.objective.framework.sizes.noise,
        )
        batches, draws = self._sharded(batches, draws)
        distillation = self.objective.distillation
        classes = sample_unseen(constants.root, state.step, constants.classes, distillation.unseen_per_step)
        if not distillation.narrows(classes):
            return train_step(self.objective, self.optimization, state, constants.teacher, classes, batches, draws, measure)
        few, own, batches = narrow(state, classes, batches)
        few, *rest = train_step(self.objective, self.optimization, few, constants.teacher, own, batches, draws, measure)
        return widen(few, state, classes), *rest

    def _sharded(self, batches: Batch, draws: StepDraws) -> tuple[Batch, StepDraws]:
        """Rows split over the devices: axis 1 of what has a leading (n_critic,) axis."""
        rows = self.sharding.constrain_rows
        return rows(batches, 1), StepDraws(critic=rows(draws.critic, 1), generator=rows(draws.generator, 0))

    def empty_tally(self, state: TrainState, constants: Constants, inputs: Inputs) -> Tally:
        """A tally of no steps; `inputs` as for `run`, of which (as of the rest) only the shapes matter."""
        first = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), inputs)
        _, *shapes = _one_step.eval_shape(self, state, constants, first, jax.ShapeDtypeStruct((), jnp.bool_))
        return Tally.empty(*shapes)

    def add_step(self, state: TrainState, tally: Tally, constants: Constants, inputs: Inputs) -> tuple[TrainState, Tally]:
        """State and tally with one outer step done, not compiled; `inputs` as in `fetch_batches`."""
        # Norms are of the last step of an epoch: after it the run may look at them, and elsewhere they cost nothing.
        ends_epoch = (state.step + 1) % self.optimization.steps_per_epoch == 0
        new_state, terms, norms = self.one_step(state, constants, inputs, ends_epoch)
        new_state = self.sharding.constrain_replicated(new_state)
        return new_state, tally.add(state.step, terms, norms, ends_epoch, self.loss_limit)


@functools.cache
def _compiled(result: NamedSharding | None) -> Wrapped:
    """`_outer_steps` compiled, its results placed like this; for one device (None) there is one for all loops."""
    return jax.jit(_outer_steps, static_argnums=0, donate_argnums=1, out_shardings=result)


def _outer_steps(
    loop: Loop, state: TrainState, tally: Tally, constants: Constants, inputs: Inputs, start: jax.Array, count: jax.Array
) -> tuple[TrainState, Tally]:
    def body(i: jax.Array, carry: tuple[TrainState, Tally]) -> tuple[TrainState, Tally]:
        return loop.add_step(*carry, constants, jax.tree.map(lambda leaf: leaf[start + i], inputs))

    return jax.lax.fori_loop(0, count, body, (state, tally))


_one_step = jax.jit(Loop.one_step, static_argnums=0)
