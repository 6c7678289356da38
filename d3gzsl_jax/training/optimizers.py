"""One Adam per parameter group, and learning rates keyed on the epoch."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from d3gzsl_jax.frameworks.structures import Params

_DECAYS = 2048  # 1.09 to this power is 1e76: more decays than any run has


def scale_by_adam(beta1: float, beta2: float, epsilon: float = 1e-8) -> optax.GradientTransformation:
    """Adam's direction (Kingma and Ba 2015), epsilon outside the square root, in the arithmetic of torch.optim.Adam.

    optax.scale_by_adam forms 1 - beta2**t by subtraction in float32, which is off by up to 1.5e-5 relative in the first
    updates. The recorded PyTorch loop has it in double; fed through ReLU edges, the difference grew to 0.5 learning rates
    within 45 updates. Here 1 - beta**t is -expm1(t log beta), right to float32's last digits, and is applied to the two scalars
    that need it instead of to every element. The state is optax's own.
    """

    def init(params: optax.Params) -> optax.ScaleByAdamState:
        zeros = lambda: jax.tree.map(jnp.zeros_like, params)  # noqa: E731
        return optax.ScaleByAdamState(count=jnp.zeros((), jnp.int32), mu=zeros(), nu=zeros())

    def update(
        gradients: optax.Updates, state: optax.ScaleByAdamState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.ScaleByAdamState]:
        del params
        count = state.count + 1
        mu = jax.tree.map(lambda m, g: m + (1.0 - beta1) * (g - m), state.mu, gradients)
        nu = jax.tree.map(lambda v, g: beta2 * v + (1.0 - beta2) * jnp.square(g), state.nu, gradients)
        state = optax.ScaleByAdamState(count=count, mu=mu, nu=nu)
        return adam_directions(state, beta1, beta2, epsilon), state

    return optax.GradientTransformation(init, update)


def adam_directions(state: optax.ScaleByAdamState, beta1: float, beta2: float, epsilon: float = 1e-8) -> optax.Updates:
    """The directions of the update that left `state`: they depend on nothing else."""

    def correction(beta: float) -> jax.Array:
        return -jnp.expm1(state.count * (math.log(beta) if beta > 0 else -math.inf))

    scale1, scale2 = 1.0 / correction(beta1), jax.lax.rsqrt(correction(beta2))
    return jax.tree.map(lambda m, v: scale1 * m / (jnp.sqrt(v) * scale2 + epsilon), state.mu, state.nu)


def descend(
    adam: optax.GradientTransformation, learning_rate: float, loss: Callable[[Params], jax.Array], params: Params,
    opt_state: optax.OptState,
) -> tuple[Params, optax.OptState, jax.Array]:
    """One update of a plain fit; returns the loss before it as well."""
    value, gradients = jax.value_and_grad(loss)(params)
    directions, opt_state = adam.update(gradients, opt_state)
    return jax.tree.map(lambda p, d: p - jnp.float32(learning_rate) * d, params, directions), opt_state, value


class RunningSumState(NamedTuple):
    """total: sum of the gradients of the epoch; epoch () int32, which one that is."""

    total: optax.Updates
    epoch: jax.Array


def running_sum() -> optax.GradientTransformationExtraArgs:
    """Replaces a gradient by the sum of the gradients since the epoch began, `epoch` being an extra argument of update.

    What happens to gradients in PyTorch code that zeroes them once an epoch only: the comparator of the published CE-GZSL.
    """

    def init(params: optax.Params) -> RunningSumState:
        return RunningSumState(total=jax.tree.map(jnp.zeros_like, params), epoch=jnp.int32(-1))

    def update(
        gradients: optax.Updates, state: RunningSumState, params: optax.Params | None = None, *, epoch: jax.Array
    ) -> tuple[optax.Updates, RunningSumState]:
        del params
        goes_on = epoch == state.epoch
        total = jax.tree.map(lambda t, g: jnp.where(goes_on, t + g, g), state.total, gradients)
        return total, RunningSumState(total=total, epoch=jnp.asarray(epoch, jnp.int32))

    return optax.GradientTransformationExtraArgs(init, update)


@dataclasses.dataclass(frozen=True)
class Optimization:
    """The optimisers of a run.

    Attributes:
        learning_rates: group -> learning rate of the first epochs.
        factors: group -> what its learning rate is multiplied by at the end of every `decay_every`-th epoch (default 1).
        steps_per_epoch: outer steps in an epoch; learning rates follow the epoch, not the number of optimiser updates.
        summed_groups: groups whose Adam is given the running sum of the epoch's gradients.
    """

    learning_rates: dict[str, float]
    factors: dict[str, float]
    decay_every: int
    steps_per_epoch: int
    beta1: float = 0.5
    beta2: float = 0.999
    summed_groups: tuple[str, ...] = ()

    def transformation(self, group: str) -> optax.GradientTransformationExtraArgs:
        """What makes a group's directions of its gradients: Adam with the decays of this run, the running sum before it or not."""
        adam = scale_by_adam(self.beta1, self.beta2)
        return optax.with_extra_args_support(optax.chain(running_sum(), adam) if group in self.summed_groups else adam)

    def init(self, params: Params) -> Params:
        """A fresh optimiser state for each group that has a learning rate; the others never change."""
        return {group: self.transformation(group).init(params[group]) for group in self.learning_rates}

    def learning_rate(self, group: str, epoch: jax.Array | int) -> jax.Array:
        """The group's learning rate () float32 during the 0-based `epoch`: base * factor ** (epoch // decay_every)."""
        decays = jnp.asarray(epoch, jnp.int32) // self.decay_every
        # Powers formed in double: in float32 the rounding of the factor itself would grow with the epoch.
        with np.errstate(over="ignore"):
            powers = self.factors.get(group, 1.0) ** np.arange(_DECAYS, dtype=np.float64)
        rates = jnp.asarray(np.minimum(self.learning_rates[group] * powers, np.finfo(np.float32).max), jnp.float32)
        return rates[jnp.minimum(decays, _DECAYS - 1)]

    def apply(
        self, groups: tuple[str, ...], params: Params, opt_state: Params, gradients: Params, step: jax.Array
    ) -> tuple[Params, Params]:
        """Steps each of `groups` by its own Adam at outer step `step`; the other groups are returned untouched."""
        epoch = step // self.steps_per_epoch
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
        epoch, updates = step // self.steps_per_epoch, {}
        for group in groups:
            adam = opt_state[group][-1] if group in self.summed_groups else opt_state[group]
            directions = adam_directions(adam, self.beta1, self.beta2)
            updates[group] = self.learning_rate(group, epoch) * optax.tree.norm(directions)
        return {"gradient": {group: optax.tree.norm(gradients[group]) for group in groups}, "update": updates}
