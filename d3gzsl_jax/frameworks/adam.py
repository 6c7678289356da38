"""Adam in the arithmetic of torch.optim.Adam, and one update of a plain fit with it."""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from d3gzsl_jax.frameworks.structures import Params


def scale_by_adam(beta1: float, beta2: float, epsilon: float = 1e-8) -> optax.GradientTransformation:
    """Adam's direction (Kingma and Ba 2015), epsilon outside the square root, in the arithmetic of torch.optim.Adam.

    optax.scale_by_adam forms 1 - beta2**t by subtraction in float32, which is off by up to 1.5e-5 relative in the first
    updates. The recorded PyTorch loop has it in double; fed through ReLU edges, the difference grew to 0.5 learning rates
    within 45 updates. Here 1 - beta**t is -expm1(t log beta), right to float32's last digits, and is applied to the two scalars
    that need it instead of to every element. The state is optax's own.
    """

    def init(params: optax.Params) -> optax.ScaleByAdamState:
        return optax.ScaleByAdamState(count=jnp.zeros((), jnp.int32), mu=_zeros(params), nu=_zeros(params))

    def update(
        gradients: optax.Updates, state: optax.ScaleByAdamState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.ScaleByAdamState]:
        del params
        state = optax.ScaleByAdamState(*_moments(state, gradients, beta1, beta2))
        return adam_directions(state, beta1, beta2, epsilon), state

    return optax.GradientTransformation(init, update)


class AmsgradState(NamedTuple):
    """count () int32 of updates; mu and nu, the moments as Adam has them; nu_max, the largest nu so far, entry by entry."""

    count: jax.Array  # type: ignore[assignment]  # hides tuple.count
    mu: optax.Updates
    nu: optax.Updates
    nu_max: optax.Updates


AdamState: TypeAlias = optax.ScaleByAdamState | AmsgradState


def scale_by_amsgrad(beta1: float, beta2: float, epsilon: float = 1e-8) -> optax.GradientTransformation:
    """AMSGrad's direction (Reddi et al. 2018) in the arithmetic of torch.optim.Adam(amsgrad=True).

    `scale_by_adam` with the running maximum of the second moment in the moment's place. optax corrects the bias before it takes the
    maximum; here the maximum is of what is not corrected yet.
    """

    def init(params: optax.Params) -> AmsgradState:
        return AmsgradState(count=jnp.zeros((), jnp.int32), mu=_zeros(params), nu=_zeros(params), nu_max=_zeros(params))

    def update(
        gradients: optax.Updates, state: AmsgradState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, AmsgradState]:
        del params
        count, mu, nu = _moments(state, gradients, beta1, beta2)
        state = AmsgradState(count=count, mu=mu, nu=nu, nu_max=jax.tree.map(jnp.maximum, state.nu_max, nu))
        return adam_directions(state, beta1, beta2, epsilon), state

    return optax.GradientTransformation(init, update)


def _zeros(params: optax.Params) -> optax.Updates:
    return jax.tree.map(jnp.zeros_like, params)


def _moments(
    state: AdamState, gradients: optax.Updates, beta1: float, beta2: float
) -> tuple[jax.Array, optax.Updates, optax.Updates]:
    """count, mu and nu of the update after the one that left `state`."""
    mu = jax.tree.map(lambda m, g: m + (1.0 - beta1) * (g - m), state.mu, gradients)
    nu = jax.tree.map(lambda v, g: beta2 * v + (1.0 - beta2) * jnp.square(g), state.nu, gradients)
    return state.count + 1, mu, nu


def adam_directions(state: AdamState, beta1: float, beta2: float, epsilon: float = 1e-8) -> optax.Updates:
    """The directions of the update that left `state`, of Adam or of AMSGrad: they depend on nothing else."""

    def correction(beta: float) -> jax.Array:
        return -jnp.expm1(state.count.astype(jnp.float32) * (math.log(beta) if beta > 0 else -math.inf))

    scale1, scale2 = 1.0 / correction(beta1), jax.lax.rsqrt(correction(beta2))
    return jax.tree.map(lambda m, v: scale1 * m / (jnp.sqrt(v) * scale2 + epsilon), state.mu, divided_by(state))


def divided_by(state: AdamState) -> optax.Updates:
    """The second moments, not corrected yet, that the directions of Adam or AMSGrad are divided by the roots of."""
    return state.nu_max if isinstance(state, AmsgradState) else state.nu


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


def running_sum(starts_anew: bool = True) -> optax.GradientTransformationExtraArgs:
    """Replaces a gradient by the sum of the gradients since the epoch began, `epoch` being an extra argument of update.

    What happens to gradients in PyTorch code that zeroes them once an epoch only: the comparator of the published CE-GZSL.

    Args:
        starts_anew: with each epoch; else the sum is of all gradients since training began, as where nothing zeroes them.
    """

    def init(params: optax.Params) -> RunningSumState:
        return RunningSumState(total=jax.tree.map(jnp.zeros_like, params), epoch=jnp.int32(-1))

    def update(
        gradients: optax.Updates, state: RunningSumState, params: optax.Params | None = None, *, epoch: jax.Array
    ) -> tuple[optax.Updates, RunningSumState]:
        del params
        goes_on = (epoch == state.epoch) if starts_anew else jnp.bool_(True)
        total = jax.tree.map(lambda t, g: jnp.where(goes_on, t + g, g), state.total, gradients)
        return total, RunningSumState(total=total, epoch=jnp.asarray(epoch, jnp.int32))

    return optax.GradientTransformationExtraArgs(init, update)

