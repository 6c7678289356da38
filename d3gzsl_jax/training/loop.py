"""Many outer steps per call: the one place where the step is jitted, its state donated and its batches fetched."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

from d3gzsl_jax.errors import NonFiniteError
from d3gzsl_jax.training.objective import Objective
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.randomness import sample_rows, step_draws
from d3gzsl_jax.training.step import train_step
from d3gzsl_jax.training.structures import Batch, Classes, Params, TrainState


@chex.dataclass(frozen=True)
class Constants:
    """What a run never changes. rows: all N trainval rows with their teacher outputs, on device; None when streaming."""

    root: jax.Array
    teacher: Params
    classes: Classes
    rows: Batch | None


@chex.dataclass(frozen=True)
class Report:
    """What one call tells of its steps, without a host sync per step.

    sums: terms by phase, summed over the steps; count () steps run; bad_step () first step with a non-finite term, -1 if none;
    bad_terms: by phase and term, whether it was non-finite at bad_step.
    """

    sums: Any
    count: jax.Array
    bad_step: jax.Array
    bad_terms: Any

    def means(self) -> dict[str, dict[str, float]]:
        """Mean of each term over the call, on the host.

        Raises:
            NonFiniteError: naming the step and the terms that went bad.
        """
        report = jax.device_get(self)
        if report.bad_step >= 0:
            names = [f"{phase} {term}" for phase, terms in report.bad_terms.items() for term, bad in terms.items() if bad]
            raise NonFiniteError(
                f"training stopped: not finite at outer step {int(report.bad_step)}: {', '.join(names)}; "
                "lower config.train.learning_rate or the weights in config.distillation"
            )
        return jax.tree.map(lambda total: float(total) / max(int(report.count), 1), report.sums)


def fetch_batches(
    objective: Objective, constants: Constants, step: jax.Array, inputs: Any, n_critic: int, batch: int
) -> Batch:
    """The (n_critic, B) batches of one outer step, by what the input pipeline delivers.

    inputs is None (rows are sampled on the device), an int32 array (n_critic, B) of row numbers, or a pair of streamed features
    (n_critic, B, dx) and labels (n_critic, B), whose teacher outputs are computed here.
    """
    if isinstance(inputs, tuple):
        features, labels = inputs
        teacher = objective.distillation.teacher.outputs(constants.teacher, features)
        return Batch(features=features, labels=labels, teacher=teacher)
    if inputs is None:
        inputs = sample_rows(constants.root, step, constants.rows.labels.shape[0], n_critic, batch)
    return jax.tree.map(lambda table: table[inputs], constants.rows)


def build_run(
    objective: Objective, optimization: Optimization, n_critic: int, batch: int
) -> Callable[[TrainState, Constants, Any, int], tuple[TrainState, Report]]:
    """The jitted function (state, constants, inputs, count) -> (state, report) that runs `count` outer steps.

    The state is donated. `inputs` has a leading axis of at least `count` steps (or is None, see `fetch_batches`). `count` is a
    traced number, so that calls of different lengths share one trace.
    """

    def one_step(state: TrainState, constants: Constants, inputs: Any) -> tuple[TrainState, Any]:
        batches = fetch_batches(objective, constants, state.step, inputs, n_critic, batch)
        draws = step_draws(
            constants.root, state.step, n_critic, batch, objective.unseen_rows(constants.classes),
            objective.framework.noise_size,
        )
        return train_step(objective, optimization, state, constants.teacher, constants.classes, batches, draws)

    def run(state: TrainState, constants: Constants, inputs: Any, count: jax.Array) -> tuple[TrainState, Report]:
        at = lambda i: jax.tree.map(lambda leaf: leaf[i], inputs)  # noqa: E731
        _, shapes = jax.eval_shape(one_step, state, constants, at(0))
        empty = Report(
            sums=jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes),
            count=count,
            bad_step=jnp.int32(-1),
            bad_terms=jax.tree.map(lambda s: jnp.zeros(s.shape, bool), shapes),
        )

        def body(i: jax.Array, carry: tuple[TrainState, Report]) -> tuple[TrainState, Report]:
            state, report = carry
            new_state, terms = one_step(state, constants, at(i))
            bad = jax.tree.map(lambda term: ~jnp.isfinite(term), terms)
            first = (report.bad_step < 0) & jnp.any(jnp.stack(jax.tree.leaves(bad)))
            return new_state, Report(
                sums=jax.tree.map(jnp.add, report.sums, terms),
                count=report.count,
                bad_step=jnp.where(first, state.step, report.bad_step),
                bad_terms=jax.tree.map(lambda old, new: jnp.where(first, new, old), report.bad_terms, bad),
            )

        return jax.lax.fori_loop(0, count, body, (state, empty))

    return jax.jit(run, donate_argnums=0)
