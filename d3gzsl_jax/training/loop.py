"""Many outer steps per call: the one place where the step is jitted, its state donated and its batches fetched."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import NonFiniteError
from d3gzsl_jax.training.objective import Objective
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.randomness import sample_rows, step_draws
from d3gzsl_jax.training.step import train_step
from d3gzsl_jax.training.structures import Batch, Classes, Params, TrainState

_ADVICE = "lower config.train.learning_rate, or the weights in config.distillation"


@chex.dataclass(frozen=True)
class Constants:
    """What a run never changes. teacher: {} without D3; rows: all N trainval rows with their teacher outputs, on device, None when
    streaming."""

    root: jax.Array
    teacher: Params
    classes: Classes
    rows: Batch | None


@chex.dataclass(frozen=True)
class Report:
    """What was seen of the steps since the report was last empty, without a host sync per step.

    sums: terms by phase, summed over the steps (critic terms: their mean over a step's updates); count () steps; bad_step ()
    first step with a non-finite term, -1 if none; bad_terms: by phase and term, whether it was non-finite then, for critic
    terms in which of the step's updates.
    """

    sums: Any
    count: jax.Array
    bad_step: jax.Array
    bad_terms: Any

    def check(self) -> None:
        """Waits for the steps to be done.

        Raises:
            NonFiniteError: naming the step and the terms that went bad.
        """
        if int(self.bad_step) < 0:
            return
        where, names = _first_bad(jax.device_get(self.bad_terms))
        raise NonFiniteError(
            f"training stopped at outer step {int(self.bad_step)}, {where}: not finite: {', '.join(names)}; {_ADVICE}"
        )

    def means(self) -> dict[str, dict[str, float]]:
        """Mean of each term over the steps, on the host; `check`s first."""
        self.check()
        sums, count = jax.device_get((self.sums, self.count))
        return jax.tree.map(lambda total: float(total) / max(int(count), 1), sums)


def check_finite(params: Params, where: str, advice: str = _ADVICE) -> None:
    """Looks at parameters themselves, whose last update no loss has seen yet.

    Args:
        params: by group.
        where: begins the message.
        advice: ends it.

    Raises:
        NonFiniteError: naming the parameter groups.
    """
    finite = _all_finite(params)
    bad = [group for group, is_finite in jax.device_get(finite).items() if not is_finite]
    if bad:
        raise NonFiniteError(f"{where}: not finite: parameters of {', '.join(bad)}; {advice}")


@jax.jit
def _all_finite(params: Params) -> dict[str, jax.Array]:
    return {
        group: jnp.all(jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)])) for group, tree in params.items()
    }


def _first_bad(bad: dict[str, dict[str, np.ndarray]]) -> tuple[str, list[str]]:
    """Which update of a step went bad first, and its terms; the sums 'loss' and 'distillation' only where no part of them did."""
    updates = np.stack(list(bad["critic"].values())).any(axis=0)
    if updates.any():
        index = int(np.argmax(updates))
        where, terms = f"critic update {index + 1}", {name: flags[index] for name, flags in bad["critic"].items()}
    else:
        where, terms = "generator update", bad["generator"]
    names = sorted(name for name, is_bad in terms.items() if is_bad)
    return where, [name for name in names if name not in ("loss", "distillation")] or names


def fetch_batches(
    objective: Objective, constants: Constants, step: jax.Array, inputs: Any, n_critic: int, batch: int
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
    if inputs is None:
        inputs = sample_rows(constants.root, step, constants.rows.labels.shape[0], n_critic, batch)
    return jax.tree.map(lambda table: table[inputs], constants.rows)


class Loop:
    """The compiled loop of a run: outer steps, any number of them per call, in one trace.

    Args:
        objective, optimization: what is trained, and how.
        n_critic, batch: critic updates per outer step, rows per batch.
    """

    def __init__(self, objective: Objective, optimization: Optimization, n_critic: int, batch: int) -> None:
        self._objective, self._optimization = objective, optimization
        self._n_critic, self._batch = n_critic, batch
        self._shapes: Any = None
        self.run = jax.jit(self._run, donate_argnums=0)
        """(state, report, constants, inputs, start, count) -> (state, report): runs the `count` outer steps that begin at
        inputs[start] (leading axis: steps; None: sampled on the device) and adds them to the report. The state is donated.
        Splitting steps into calls differently gives the same bits, the report's included."""

    def one_step(self, state: TrainState, constants: Constants, inputs: Any) -> tuple[TrainState, Any]:
        """One outer step on its own, not compiled; `inputs` as in `fetch_batches`."""
        batches = fetch_batches(self._objective, constants, state.step, inputs, self._n_critic, self._batch)
        draws = step_draws(
            constants.root, state.step, self._n_critic, self._batch, self._objective.unseen_rows(constants.classes),
            self._objective.framework.sizes.noise,
        )
        return train_step(
            self._objective, self._optimization, state, constants.teacher, constants.classes, batches, draws
        )

    def empty_report(self, state: TrainState, constants: Constants, inputs: Any) -> Report:
        """A report of no steps; `inputs` as for `run`."""
        if self._shapes is None:  # once: it costs a trace
            first = jax.tree.map(lambda leaf: leaf[0], inputs)
            _, self._shapes = jax.eval_shape(self.one_step, state, constants, first)
        shapes = self._shapes
        return Report(
            sums=jax.tree.map(lambda s: jnp.zeros((), s.dtype), shapes),
            count=jnp.int32(0),
            bad_step=jnp.int32(-1),
            bad_terms=jax.tree.map(lambda s: jnp.zeros(s.shape, bool), shapes),
        )

    def _run(
        self, state: TrainState, report: Report, constants: Constants, inputs: Any, start: jax.Array, count: jax.Array
    ) -> tuple[TrainState, Report]:
        def body(i: jax.Array, carry: tuple[TrainState, Report]) -> tuple[TrainState, Report]:
            state, report = carry
            here = jax.tree.map(lambda leaf: leaf[start + i], inputs)
            new_state, terms = self.one_step(state, constants, here)
            bad = jax.tree.map(lambda term: ~jnp.isfinite(term), terms)
            first = (report.bad_step < 0) & jnp.any(jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(bad)]))
            return new_state, Report(
                sums=jax.tree.map(lambda total, term: total + term.mean(), report.sums, terms),
                count=report.count + 1,
                bad_step=jnp.where(first, state.step, report.bad_step),
                bad_terms=jax.tree.map(lambda old, new: jnp.where(first, new, old), report.bad_terms, bad),
            )

        return jax.lax.fori_loop(0, count, body, (state, report))
