"""One Adam per parameter group, and learning rates keyed on the epoch."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.core import FrozenDict

from d3gzsl_jax.frameworks.adam import adam_directions, running_sum, scale_by_adam, scale_by_amsgrad
from d3gzsl_jax.frameworks.schedule import AdamRule
from d3gzsl_jax.frameworks.structures import Params


@dataclasses.dataclass(frozen=True)
class Optimization:
    """The optimisers of a run. Hashable, as all that a compiled function takes as a static argument.

    Attributes:
        learning_rates: group -> learning rate of the first epochs.
        factors: group -> what its learning rate is multiplied by at the end of every `decay_every`-th epoch (default 1).
        steps_per_epoch: outer steps in an epoch; learning rates follow the epoch, not the number of optimiser updates.
        most_decays: after which learning rates stay as they are, because they are looked up in a table.
        rules: group -> how it is stepped where that is not by beta1 and its gradient alone.
    """

    learning_rates: Mapping[str, float]
    factors: Mapping[str, float]
    decay_every: int
    steps_per_epoch: int
    beta1: float = 0.5
    beta2: float = 0.999
    rules: Mapping[str, AdamRule] = dataclasses.field(default_factory=dict)
    most_decays: int = 2047

    def __post_init__(self) -> None:
        for name in ("learning_rates", "factors", "rules"):
            object.__setattr__(self, name, FrozenDict(getattr(self, name)))

    def rule(self, group: str) -> AdamRule:
        """The group's own, with the run's settings where it says nothing."""
        found = self.rules.get(group, AdamRule())
        return dataclasses.replace(found, beta1=self.beta1 if found.beta1 is None else found.beta1)

    def transformation(self, group: str) -> optax.GradientTransformationExtraArgs:
        """What makes a group's directions of its gradients: Adam (or AMSGrad) with its decays, a running sum before it or not."""
        rule = self.rule(group)
        assert rule.beta1 is not None
        adam = (scale_by_amsgrad if rule.amsgrad else scale_by_adam)(rule.beta1, self.beta2)
        if rule.summed == "no":
            return optax.with_extra_args_support(adam)
        return optax.with_extra_args_support(optax.chain(running_sum(starts_anew=rule.summed == "epoch"), adam))

    def adam_state(self, group: str, opt_state: Params) -> Any:
        """The moments of a group's Adam, of the states of all groups."""
        return opt_state[group] if self.rule(group).summed == "no" else opt_state[group][-1]

    def gradient_taken(self, group: str, gradient: Params, opt_state: Params) -> Params:
        """What its Adam was given in the update that left `opt_state`: the gradient, or the running sum."""
        return gradient if self.rule(group).summed == "no" else opt_state[group][0].total

    def epoch(self, step: jax.Array) -> jax.Array:
        """The epoch () int32 of an outer step, from 0."""
        return step // self.steps_per_epoch

    def init(self, params: Params) -> Params:
        """A fresh optimiser state for each group that has a learning rate; the others never change."""
        return {group: self.transformation(group).init(params[group]) for group in self.learning_rates}

    def learning_rate(self, group: str, epoch: jax.Array | int) -> jax.Array:
        """The group's learning rate () float32 during the 0-based `epoch`: base * factor ** (epoch // decay_every)."""
        decays = jnp.asarray(epoch, jnp.int32) // self.decay_every
        return jnp.asarray(self._rates(group))[jnp.minimum(decays, self.most_decays)]

    def learning_rates_at(self, epoch: int) -> dict[str, float]:
        """`learning_rate` of every group, on the host."""
        return {group: float(self._rates(group)[min(epoch // self.decay_every, self.most_decays)]) for group in self.learning_rates}

    def _rates(self, group: str) -> np.ndarray:
        """The group's learning rates (most_decays + 1,) float32 after so many decays."""
        # Powers formed in double: in float32 the rounding of the factor itself would grow with the epoch.
        with np.errstate(over="ignore"):
            powers = self.factors.get(group, 1.0) ** np.arange(self.most_decays + 1, dtype=np.float64)
        return np.minimum(self.learning_rates[group] * powers, np.finfo(np.float32).max).astype(np.float32)

    def apply(
        self, groups: tuple[str, ...], params: Params, opt_state: Params, gradients: Params, step: jax.Array
    ) -> tuple[Params, Params]:
        """Steps each of `groups` by its own Adam at outer step `step`; the other groups are returned untouched."""
        epoch = self.epoch(step)
        params, opt_state = dict(params), dict(opt_state)
        for group in groups:
            rate = self.learning_rate(group, epoch)
            directions, opt_state[group] = self.transformation(group).update(gradients[group], opt_state[group], epoch=epoch)
            params[group] = jax.tree.map(lambda p, d, rate=rate: p - rate * d, params[group], directions)
        return params, opt_state

    def norms(self, groups: tuple[str, ...], opt_state: Params, gradients: Params, step: jax.Array) -> dict[str, Params]:
        """L2 norms of the gradients and of the updates `apply` made of them, by group, from the optimiser states it left.

        Made anew from the states, so that a training loop that asks for them now and then pays for them only then.
        """
        epoch, updates = self.epoch(step), {}
        for group in groups:
            beta1 = self.rule(group).beta1
            assert beta1 is not None
            directions = adam_directions(self.adam_state(group, opt_state), beta1, self.beta2)
            updates[group] = self.learning_rate(group, epoch) * optax.tree.norm(directions)
        return {"gradient": {group: optax.tree.norm(gradients[group]) for group in groups}, "update": updates}
