"""The pytrees that pass between data, step and loop. Shapes: B real rows, M synthesized rows, C classes, S seen, U unseen."""

import dataclasses
from typing import Any, Self, TypeVar, dataclass_transform

import chex
import jax

Kind = TypeVar("Kind", bound=type)

Params = dict[str, Any]
Terms = dict[str, jax.Array]  # named scalars of a loss
Inputs = jax.Array | tuple[jax.Array, jax.Array] | None
"""What the input pipeline gives a call of the compiled loop: row numbers, or features and labels, or nothing."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def pytree(kind: Kind) -> Kind:
    """A frozen chex.dataclass, known as a dataclass to type checkers too."""
    return chex.dataclass(frozen=True)(kind)


class Replaceable:
    """What type checkers are to know of a pytree besides its fields."""

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]  # the classes that inherit it are dataclasses


@pytree
class Classes(Replaceable):
    """What is known of the classes. semantics (C, da) float32; seen (S,) and unseen (U,) int32 original ids, ascending."""

    semantics: jax.Array
    seen: jax.Array
    unseen: jax.Array


@pytree
class TeacherOutputs(Replaceable):
    """The frozen teacher on real rows: constants. unit_embedding (B, width) with unit rows; logits (B, S)."""

    unit_embedding: jax.Array
    logits: jax.Array


@pytree
class Batch(Replaceable):
    """Real seen rows: features (B, dx) float32, labels (B,) int32 original ids, teacher outputs on them (None without D3)."""

    features: jax.Array
    labels: jax.Array
    teacher: TeacherOutputs | None


@pytree
class Synthesized(Replaceable):
    """Rows an update synthesizes: fake (..., B, dx) for the classes of its batch, unseen (..., M, dx) for D3's terms, and the
    teacher's logits (..., M, S) on the latter (None where no term needs them)."""

    fake: jax.Array
    unseen: jax.Array
    teacher_logits: jax.Array | None


@pytree
class Rows(Replaceable):
    """The rows of one update, as the losses of a base method see them.

    real, fake (B, dx): real seen features, and synthesized ones of the same classes; labels (B,) int32 original ids and semantics
    (B, da), those of both; interpolation (B, 1) in [0, 1). real_embedding, fake_embedding (B, width): `embed` of both, made once
    for all losses; None for a base without an embedding, and fake_embedding None in the critic phase, which learns it on real rows.
    """

    real: jax.Array
    fake: jax.Array
    labels: jax.Array
    semantics: jax.Array
    interpolation: jax.Array
    real_embedding: jax.Array | None
    fake_embedding: jax.Array | None


@pytree
class Draws(Replaceable):
    """The random numbers of one update: noise z (B, dz) and unseen_noise z_u (M, dz) ~ N(0, 1), interpolation (B, 1) ~ U[0, 1)."""

    noise: jax.Array
    interpolation: jax.Array
    unseen_noise: jax.Array


@pytree
class StepDraws(Replaceable):
    """The draws of one outer step: critic with a leading (n_critic,) axis, generator without."""

    critic: Draws
    generator: Draws


@pytree
class TrainState(Replaceable):
    """Everything training changes: step () int32 outer steps done; params and opt_state by parameter group."""

    step: jax.Array
    params: Params
    opt_state: Params
