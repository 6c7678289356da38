"""Rows as D3's student embeds them, for a final classifier that is fitted in that embedding (config.classifier.inputs=student)."""

import dataclasses

import jax

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.schedule import Draws
from d3gzsl_jax.frameworks.structures import Params


@dataclasses.dataclass(frozen=True)
class StudentRows(Framework):
    """A base method as it is, but for what the final classifier sees of a row: the embedding E_s(x) of D3's student.

    It synthesizes as the method does, from the same draws, and the real rows are the method's; it has no losses, and is not
    trained.

    Attributes:
        objective: with the student and the base method.
    """

    objective: Objective = dataclasses.field(kw_only=True)

    @classmethod
    def of(cls, objective: Objective) -> "StudentRows":
        """Those of an objective whose D3 is on."""
        base = objective.framework
        return cls(base.sizes, base.gradient_penalty_weight, output=base.output, objective=objective)

    def synthesis_draws(self) -> Draws:
        """Those of the base method."""
        return self.objective.framework.synthesis_draws()

    def synthesize(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """As the base method does."""
        return self.objective.framework.synthesize(params, semantics, draws)

    @property
    def real_rows_per_class(self) -> int:
        """As of the base method."""
        return self.objective.framework.real_rows_per_class

    def represent(self, params: Params, features: jax.Array) -> jax.Array:
        """E_s(x), (n, width)."""
        return self.objective.embed(params, features)
