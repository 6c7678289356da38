"""The fused training step: critic phase, then generator phase, as one pure function.

jit, donation and the loop over outer steps are applied once, at the edge (training/loop.py).
"""

from typing import Any

import jax
import jax.numpy as jnp

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.frameworks.structures import Batch, Classes, Draws, Params, StepDraws, Synthesized, Terms, TrainState
from d3gzsl_jax.training.optimizers import Optimization

Norms = dict[str, dict[str, jax.Array]]  # 'gradient' and 'update': L2 norm by parameter group


def update(
    phase: str,
    objective: Objective,
    optimization: Optimization,
    state: TrainState,
    teacher: Params,
    classes: Classes,
    batch: Batch,
    draws: Draws,
    measure: jax.Array | None = None,
    made: Synthesized | None = None,
) -> tuple[TrainState, Terms] | tuple[TrainState, Terms, Norms]:
    """One optimiser update: one backward pass, after which all groups of the phase step together. Does not advance `step`.

    Args:
        phase: 'critic' (steps critic and student) or 'generator' (steps generator and student).
        measure: () bool, whether to compute the norms, which are returned too (zeros where not); None: they are not returned.
        made: what the update synthesizes, where that is there already.
    """
    groups = getattr(objective, f"{phase}_groups")

    def loss(trained: Params) -> tuple[jax.Array, Terms]:
        return objective.loss(phase, state.params | trained, teacher, classes, batch, draws, made)

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
    state: TrainState,
    teacher: Params,
    classes: Classes,
    batches: Batch,
    draws: StepDraws,
    measure: jax.Array | None = None,
) -> tuple[TrainState, dict[str, Terms]] | tuple[TrainState, dict[str, Terms], Norms]:
    """One outer step: n_critic critic updates, each on a new batch, then one generator update on the LAST batch, which sees
    the updated critic and student.

    Args:
        state: what is trained; returned with `step` advanced by one.
        batches: leaves with a leading (n_critic, B) axis.
        draws: of all n_critic + 1 updates.
        measure: () bool, whether to compute the norms, returned as a third (zeros where not); None: they are not returned.

    Returns:
        The new state, and the terms by phase: 'critic' ones are (n_critic,), one per update, 'generator' ones (). The norms of a
        group are those of the generator update where it has part in it, and of the last critic update where not.
    """

    def critic_update(state: TrainState, inputs: tuple[Batch, Draws, Synthesized]) -> tuple[TrainState, Any]:
        batch, drawn, made = inputs
        state, *found = update("critic", objective, optimization, state, teacher, classes, batch, drawn, measure, made)
        return state, found

    # The generator is held fixed in the critic phase, so all its updates' rows are made at once.
    made = objective.synthesize(state.params, teacher, classes, batches.labels, draws.critic)
    state, (critic_terms, *critic_norms) = jax.lax.scan(critic_update, state, (batches, draws.critic, made))
    last = jax.tree.map(lambda leaf: leaf[-1], batches)
    state, generator_terms, *generator_norms = update(
        "generator", objective, optimization, state, teacher, classes, last, draws.generator, measure
    )
    after, terms = state.replace(step=state.step + 1), {"critic": critic_terms, "generator": generator_terms}
    if measure is None:
        return after, terms
    of_critic = jax.tree.map(lambda norms: norms[-1], critic_norms[0])
    return after, terms, {kind: of_critic[kind] | norms for kind, norms in generator_norms[0].items()}
