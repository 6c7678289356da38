"""The fused training step: the phases of a base method, one after another, as one pure function.

jit, donation and the loop over outer steps are applied once, at the edge (training/loop.py).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jax.tree_util import Partial

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.frameworks.schedule import Phase, Update, repeats
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Synthesized, Terms, TrainState
from d3gzsl_jax.training.draws import StepDraws
from d3gzsl_jax.training.optimizers import Optimization

Norms = dict[str, dict[str, jax.Array]]  # 'gradient' and 'update': L2 norm by parameter group


def update(
    phase: Phase,
    of: Update,
    objective: Objective,
    optimization: Optimization,
    state: TrainState,
    teacher: Params,
    classes: Classes,
    batch: Batch,
    draws: dict[str, jax.Array],
    measure: jax.Array | None = None,
    made: Synthesized | None = None,
) -> tuple[TrainState, Terms] | tuple[TrainState, Terms, Norms]:
    """One optimiser update: one backward pass, after which all its groups step together. Does not advance `step`.

    Args:
        phase, of: which update.
        measure: () bool, whether to compute the norms, which are returned too (zeros where not); None: they are not returned.
        made: what the update synthesizes, where that is there already.
    """
    groups, epoch = objective.groups_of(of), optimization.epoch(state.step)

    def loss(trained: Params) -> tuple[jax.Array, Terms]:
        params = state.params | trained
        return objective.loss(phase, of, params, teacher, classes, batch, draws, state.method, epoch, made)

    gradients, terms = jax.grad(loss, has_aux=True)({group: state.params[group] for group in groups})
    params, opt_state = optimization.apply(groups, state.params, state.opt_state, gradients, state.step)
    updated = state.replace(params=params, opt_state=opt_state)
    if measure is None:
        return updated, terms
    norms = lambda: optimization.norms(groups, opt_state, gradients, state.step)  # noqa: E731
    zeros = lambda: {kind: {group: jnp.float32(0.0) for group in groups} for kind in ("gradient", "update")}  # noqa: E731
    return updated, terms, jax.lax.cond(measure, norms, zeros)


def train_step(
    objective: Objective,
    optimization: Optimization,
    phases: tuple[Phase, ...],
    state: TrainState,
    teacher: Params,
    classes: Classes,
    batches: Batch,
    draws: StepDraws,
    measure: jax.Array | None = None,
    terms_at_once: bool = False,
) -> tuple[TrainState, dict[str, Terms]] | tuple[TrainState, dict[str, Terms], Norms]:
    """One outer step: the phases in their order, each repeat of one with new batches on its own, one without on the LAST batch.
    On WGAN-GP: n_critic critic updates, then one generator update, which sees the updated critic and student.

    Args:
        phases: of this step's pass.
        state: what is trained; returned with `step` advanced by one.
        batches: leaves with a leading axis over the batches of the step, then (B, ...).
        draws: of all phases.
        measure: () bool, whether to compute the norms, returned as a third (zeros where not); None: they are not returned.
        terms_at_once: see `Loop`.

    Returns:
        The new state, and the terms by phase: (repeats,) where it has new batches, else (). A phase's 'loss' is that of its last
        update. The norms of a group are those of the last update it has part in, 0 where it has part in none.
    """
    terms: dict[str, Terms] = {}
    zeros = {group: jnp.float32(0.0) for group in objective.groups}
    norms: Norms = {"gradient": zeros, "update": zeros}
    first, counts = 0, repeats(phases, batches.labels.shape[0])
    for phase, count, drawn in zip(phases, counts, draws, strict=True):

        def turn(
            state: TrainState, inputs: tuple[Batch, dict[str, jax.Array], Synthesized | None], phase: Phase = phase
        ) -> tuple[TrainState, tuple[Terms, Any]]:
            batch, drawn, made = inputs
            terms: Terms = {}
            norms: Norms = {"gradient": {}, "update": {}}
            for of in phase.updates:
                state, found, *of_update = update(
                    phase, of, objective, optimization, state, teacher, classes, batch, drawn, measure, made
                )
                terms = terms | found
                norms = {kind: norms[kind] | of_update[0][kind] for kind in norms} if of_update else norms
            return state, (terms, norms)

        if phase.new_batch:
            own = jax.tree.map(lambda leaf, first=first, count=count: leaf[first : first + count], batches)
            first += count
            last = jax.tree.map(lambda leaf: leaf[-1], own)
            made = objective.make(phase, state.params, teacher, classes, own, drawn, state.method) if phase.made_ahead else None
            state, (found, measured) = _scan(turn, state, (own, drawn, made), terms_at_once and count > 1)
            measured = jax.tree.map(lambda leaf: leaf[-1], measured)
        else:
            state, (found, measured) = turn(state, (last, drawn, None))
        terms[phase.name] = found
        norms = {kind: norms[kind] | measured[kind] for kind in norms}
    method = objective.framework.next_state(state.method, terms)
    after = state.replace(step=state.step + 1, method=method)
    return (after, terms) if measure is None else (after, terms, norms)


def _scan(
    turn: Callable[[TrainState, Any], tuple[TrainState, Any]], state: TrainState, inputs: Any, at_once: bool
) -> tuple[TrainState, Any]:
    """`jax.lax.scan` of a turn whose second result is scalars; `at_once`: a turn writes them down as one array."""

    def packed(state: TrainState, inputs: Any) -> tuple[TrainState, tuple[jax.Array, Partial]]:
        state, scalars = turn(state, inputs)
        values, unpack = ravel_pytree(scalars)
        return state, (values, Partial(unpack))

    if not at_once:
        return jax.lax.scan(turn, state, inputs)
    state, (values, unpack) = jax.lax.scan(packed, state, inputs)
    return state, jax.vmap(unpack)(values)
