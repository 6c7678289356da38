"""The pytrees that pass between data, step and loop. Shapes: B real rows, M synthesized rows, C classes, S seen, U unseen."""

from typing import Any

import chex
import jax

Params = dict[str, Any]
Terms = dict[str, jax.Array]  # named scalars of a loss


@chex.dataclass(frozen=True)
class Classes:
    """What is known of the classes. semantics (C, da) float32; seen (S,) and unseen (U,) int32 original ids, ascending."""

    semantics: jax.Array
    seen: jax.Array
    unseen: jax.Array


@chex.dataclass(frozen=True)
class TeacherOutputs:
    """The frozen teacher on real rows: constants. unit_embedding (B, width) with unit rows; logits (B, S)."""

    unit_embedding: jax.Array
    logits: jax.Array


@chex.dataclass(frozen=True)
class Batch:
    """Real seen rows: features (B, dx) float32, labels (B,) int32 original ids, teacher outputs on them."""

    features: jax.Array
    labels: jax.Array
    teacher: TeacherOutputs


@chex.dataclass(frozen=True)
class Draws:
    """The random numbers of one update: noise z (B, dz) and unseen_noise z_u (M, dz) ~ N(0, 1), interpolation (B, 1) ~ U[0, 1)."""

    noise: jax.Array
    interpolation: jax.Array
    unseen_noise: jax.Array


@chex.dataclass(frozen=True)
class StepDraws:
    """The draws of one outer step: critic with a leading (n_critic,) axis, generator without."""

    critic: Draws
    generator: Draws


@chex.dataclass(frozen=True)
class TrainState:
    """Everything training changes: step () int32 outer steps done; params and opt_state by parameter group."""

    step: jax.Array
    params: Params
    opt_state: Params
