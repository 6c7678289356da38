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
    """Real seen rows: features (B, dx) float32, labels (B,) int32 original ids, teacher outputs on them (None without D3). For a
    method that takes representations, and data that has them, these stand behind the features: (B, dx + dr)."""

    features: jax.Array
    labels: jax.Array
    teacher: TeacherOutputs | None


@pytree
class Synthesized(Replaceable):
    """What an update synthesizes: fakes, of the method's own form (features (..., B, dx) of the classes of the batch for most),
    unseen (..., M, dx) for D3's terms, and the teacher's logits (..., M, S) on the latter (None where no term needs them)."""

    fakes: Any
    unseen: jax.Array
    teacher_logits: jax.Array | None


@pytree
class UpdateInputs(Replaceable):
    """What the loss of an update sees besides parameters.

    batch: B real rows; fakes: what the method made to compare with them; draws: by name, (B, ...); state: the method's own; epoch:
    () int32, from 0. real_embedding, fake_embedding (B, width): `embed` of both, made once for all losses; None for a base without
    an embedding, and fake_embedding None in an update that trains the embedding, which learns on real rows.
    """

    classes: Classes
    batch: Batch
    fakes: Any
    draws: dict[str, jax.Array]
    state: Any
    epoch: jax.Array
    real_embedding: jax.Array | None = None
    fake_embedding: jax.Array | None = None


@pytree
class TrainState(Replaceable):
    """Everything training changes: step () int32 outer steps done; params and opt_state by parameter group; method: what the base
    method keeps besides, see `Framework.initial_state`."""

    step: jax.Array
    params: Params
    opt_state: Params
    method: Any = dataclasses.field(default_factory=dict)
