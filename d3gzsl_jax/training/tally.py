"""What the compiled loop notes of its steps without a host sync per step, and what a host makes of it."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.frameworks.finite_check import ADVICE
from d3gzsl_jax.frameworks.structures import Replaceable, Terms, pytree


@pytree
class Tally(Replaceable):
    """What was seen of the steps since the tally was last empty.

    sums: terms by phase, summed over the steps (where a phase is repeated: their mean over a step's); count () steps; bad_step ()
    first step with a term that is not finite or over the limit, -1 if none; bad_terms: by phase and term, its values at that step,
    where a phase is repeated one for each repeat; norms: 'gradient' and 'update' by parameter group, of the last step of
    the last whole epoch, 0 before there is one.
    """

    sums: Any
    count: jax.Array
    bad_step: jax.Array
    bad_terms: Any
    norms: Any

    @classmethod
    def empty(cls, terms: dict[str, Terms], norms: Any) -> "Tally":
        """A tally of no steps, for terms and norms of these shapes."""
        return cls(
            sums=jax.tree.map(lambda s: jnp.zeros((), s.dtype), terms),
            count=jnp.int32(0),
            bad_step=jnp.int32(-1),
            bad_terms=jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), terms),
            norms=jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), norms),
        )

    def add(self, step: jax.Array, terms: dict[str, Terms], norms: Any, measured: jax.Array, limit: float) -> "Tally":
        """With outer step `step` added; norms count where `measured`, a term is bad unless |term| <= limit."""
        values = jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(terms)])
        first = (self.bad_step < 0) & jnp.any(is_bad(values, limit))
        return Tally(
            sums=jax.tree.map(lambda total, term: total + term.mean(), self.sums, terms),
            count=self.count + 1,
            bad_step=jnp.where(first, step, self.bad_step),
            bad_terms=jax.tree.map(lambda old, new: jnp.where(first, new, old), self.bad_terms, terms),
            norms=jax.tree.map(lambda old, new: jnp.where(measured, new, old), self.norms, norms),
        )

    def check(self, limit: float = np.inf, phases: Sequence[str] = ()) -> None:
        """Waits for the steps to be done.

        Args:
            limit: as of `add`.
            phases: their names, in the order of the updates; () where that is the order of the alphabet.

        Raises:
            DivergenceError: naming the step and the terms that went bad.
        """
        if int(self.bad_step) < 0:
            return
        terms = jax.device_get(self.bad_terms)
        where, what = _first_bad({phase: terms[phase] for phase in phases or sorted(terms)}, limit)
        raise DivergenceError(f"training stopped at outer step {int(self.bad_step)}, {where}: {what}; {ADVICE}")

    def means(self) -> dict[str, dict[str, float]]:
        """Mean of each term over the steps, on the host."""
        sums, count = jax.device_get((self.sums, self.count))
        return jax.tree.map(lambda total: float(total) / max(int(count), 1), sums)


def is_bad(values: Any, limit: float) -> Any:
    """Which values are not finite, or over the limit."""
    return ~(abs(values) <= limit) | (abs(values) == np.inf)


def _first_bad(terms: dict[str, dict[str, np.ndarray]], limit: float) -> tuple[str, str]:
    """Which update of a step went bad first, and its bad terms; the sums 'loss' and 'distillation' only where no part did."""
    for phase in terms:
        updates = np.stack([np.atleast_1d(is_bad(values, limit)) for values in terms[phase].values()]).any(axis=0)
        if updates.any():
            break
    index, repeated = int(np.argmax(updates)), any(np.ndim(values) for values in terms[phase].values())
    where = f"{phase} update {index + 1}" if repeated else f"{phase} update"
    found = {name: values[index] if repeated else values for name, values in terms[phase].items()}
    bad = sorted(name for name, value in found.items() if is_bad(value, limit))
    bad = [name for name in bad if name not in ("loss", "distillation")] or bad
    infinite = [name for name in bad if not np.isfinite(found[name])]
    if infinite:
        return where, f"not finite: {', '.join(infinite)}"
    values = ", ".join(f"{name} = {float(found[name]):.3g}" for name in bad)
    return where, f"over config.guards.loss_limit={limit:g}: {values}"
