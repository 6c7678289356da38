"""The fused training step: critic phase, then generator phase, as one pure function.

jit, donation and the loop over outer steps are applied once, at the edge (training/loop.py).
"""

import jax

from d3gzsl_jax.training.objective import Objective
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.structures import Batch, Classes, Draws, Params, StepDraws, Terms, TrainState


def update(
    phase: str,
    objective: Objective,
    optimization: Optimization,
    state: TrainState,
    teacher: Params,
    classes: Classes,
    batch: Batch,
    draws: Draws,
) -> tuple[TrainState, Terms]:
    """One optimiser update: one backward pass, after which all groups of the phase step together. Does not advance `step`.

    Args:
        phase: 'critic' (steps critic and student) or 'generator' (steps generator and student).
    """
    groups = getattr(objective, f"{phase}_groups")

    def loss(trained: Params) -> tuple[jax.Array, Terms]:
        return objective.loss(phase, state.params | trained, teacher, classes, batch, draws)

    gradients, terms = jax.grad(loss, has_aux=True)({group: state.params[group] for group in groups})
    params, opt_state = optimization.apply(groups, state.params, state.opt_state, gradients, state.step)
    return state.replace(params=params, opt_state=opt_state), terms


def train_step(
    objective: Objective,
    optimization: Optimization,
    state: TrainState,
    teacher: Params,
    classes: Classes,
    batches: Batch,
    draws: StepDraws,
) -> tuple[TrainState, dict[str, Terms]]:
    """One outer step: n_critic critic updates, each on a new batch, then one generator update on the LAST batch, which sees
    the updated critic and student.

    Args:
        state: what is trained; returned with `step` advanced by one.
        batches: leaves with a leading (n_critic, B) axis.
        draws: of all n_critic + 1 updates.

    Returns:
        The new state, and the terms by phase: 'critic' ones are (n_critic,), one per update, 'generator' ones ().
    """

    def critic_update(state: TrainState, inputs: tuple[Batch, Draws]) -> tuple[TrainState, Terms]:
        return update("critic", objective, optimization, state, teacher, classes, *inputs)

    state, critic_terms = jax.lax.scan(critic_update, state, (batches, draws.critic))
    last = jax.tree.map(lambda leaf: leaf[-1], batches)
    state, generator_terms = update(
        "generator", objective, optimization, state, teacher, classes, last, draws.generator
    )
    return state.replace(step=state.step + 1), {"critic": critic_terms, "generator": generator_terms}
