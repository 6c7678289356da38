"""WGAN-GP terms (Gulrajani et al. 2017, arXiv 1704.00028; used for features by Xian et al. 2018, arXiv 1712.00981)."""

import functools

import jax
import jax.numpy as jnp

from d3gzsl_jax.losses.norms import row_norms
from d3gzsl_jax.precision import EXACT, product, transposed_product, weight_product


def interpolate(real: jax.Array, fake: jax.Array, alpha: jax.Array) -> jax.Array:
    """x_hat = alpha x + (1 - alpha) x_tilde, row by row.

    Args:
        real, fake: (B, d) float32.
        alpha: (B, 1) in [0, 1).
    """
    return alpha * real + (1.0 - alpha) * fake


def wasserstein_loss(real_scores: jax.Array, fake_scores: jax.Array) -> jax.Array:
    """mean D(x_tilde, a) - mean D(x, a), which the critic minimises; scores are (B,)."""
    return jnp.mean(fake_scores) - jnp.mean(real_scores)


def gradient_penalty(gradients: jax.Array) -> jax.Array:
    """mean_i (||g_i||_2 - 1)^2 for the critic's gradients g (B, d) at the interpolates. The weight is the caller's.

    A row whose gradient is exactly zero contributes 1 and a zero gradient instead of NaN (see `row_norms`).
    """
    return jnp.mean(jnp.square(row_norms(gradients) - 1.0))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def two_layer_critic_loss(
    slope: float, kernel: jax.Array, conditioned: jax.Array, bias: jax.Array, output: jax.Array, pairs: jax.Array,
    alpha: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """The critic's Wasserstein loss and gradient penalty where D(x, a) = w . LReLU(x W + c(a) + bias) + a constant.

    The same values as running D on real, synthesized and interpolated rows, with fewer products. The first layer of an interpolate
    is the interpolation of two that are there. With u = x W + c + bias and the slope m = LReLU'(u), which is constant almost
    everywhere, D's gradient at an interpolate is (m w) W^T. So every path to W has a factor w_k in column k: the derivative of W is
    A w with one product A, over real, synthesized and penalised rows together, and that of w needs no further one, being
    sum_d W_dk A_dk plus what c + bias add (u m is linear in W).

    Args:
        slope: of the leaky ReLU for negative arguments, and at 0 (as in PyTorch).
        kernel: (dx, K), W.
        conditioned: (B, K), c(a): the part of the semantics, one row for a real row and the synthesized one of its class.
        bias: (K,), added last: where as many real as synthesized rows activate a unit, its derivative is then 0 as in PyTorch.
        output: (K,), w.
        pairs: (2, B, dx), real rows, then synthesized ones.
        alpha: (B, 1) in [0, 1), the share of the real row in an interpolate.

    Returns:
        mean D(x_tilde, a) - mean D(x, a) and mean_i (||grad D(x_hat_i, a_i)||_2 - 1)^2, both (). Differentiable, once, in all
        but slope and alpha.
    """
    return _critic_forward(slope, kernel, conditioned, bias, output, pairs, alpha)[0]


def _critic_forward(
    slope: float, kernel: jax.Array, conditioned: jax.Array, bias: jax.Array, output: jax.Array, pairs: jax.Array,
    alpha: jax.Array,
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, ...]]:
    scores, penalty, kept = _two_layers(slope, kernel, conditioned, bias, output, pairs, alpha)
    return (wasserstein_loss(scores[0], scores[1]), penalty), kept


def _critic_backward(slope: float, kept: tuple[jax.Array, ...], pulls: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
    of_score, slopes = pulls[0] / kept[1].shape[0], kept[6]
    of_real, of_fake = -of_score * slopes[0], of_score * slopes[1]
    of_bias = jnp.sum(of_real, axis=0) + jnp.sum(of_fake, axis=0)  # a sum per path, as in PyTorch
    return _two_layers_backward(kept, of_real, of_fake, of_real + of_fake, of_bias, pulls[1])


two_layer_critic_loss.defvjp(_critic_forward, _critic_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def two_layer_critic_differences(
    slope: float, kernel: jax.Array, conditioned: jax.Array, bias: jax.Array, output: jax.Array, pairs: jax.Array,
    alpha: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """As `two_layer_critic_loss`, for losses that compare critics row by row: D(x_i, a_i) - D(x_tilde_i, a_i), (B,), in the place
    of the difference of means; its mean is the estimated Wasserstein distance.

    What all rows share enters through the units that one row of a pair activates and the other does not: their number, and not
    what is left of two sums, makes the derivatives of c and bias, which are therefore exactly 0 where they cancel.
    """
    return _differences_forward(slope, kernel, conditioned, bias, output, pairs, alpha)[0]


def _differences_forward(
    slope: float, kernel: jax.Array, conditioned: jax.Array, bias: jax.Array, output: jax.Array, pairs: jax.Array,
    alpha: jax.Array,
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, ...]]:
    scores, penalty, kept = _two_layers(slope, kernel, conditioned, bias, output, pairs, alpha)
    return (scores[0] - scores[1], penalty), kept


def _differences_backward(
    slope: float, kept: tuple[jax.Array, ...], pulls: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, ...]:
    of_row, slopes = pulls[0][:, None], kept[6]
    active = (slopes == 1.0).astype(of_row.dtype)
    changed = of_row * (active[0] - active[1])
    of_bias = (1.0 - slope) * jnp.sum(changed, axis=0)
    return _two_layers_backward(kept, of_row * slopes[0], -of_row * slopes[1], (1.0 - slope) * changed, of_bias, pulls[1])


two_layer_critic_differences.defvjp(_differences_forward, _differences_backward)


def _two_layers(
    slope: float, kernel: jax.Array, conditioned: jax.Array, bias: jax.Array, output: jax.Array, pairs: jax.Array,
    alpha: jax.Array,
) -> tuple[jax.Array, jax.Array, tuple[jax.Array, ...]]:
    """Scores (2, B), the penalty (), and what the derivatives need of them."""
    first = product(pairs, kernel) + conditioned[None]
    hidden = first + bias[None, None]
    mixed = interpolate(first[0], first[1], alpha) + bias[None]
    scores = jnp.matmul(jnp.maximum(hidden, slope * hidden), output, precision=EXACT)
    slopes, mixed_slopes = (jnp.where(u > 0.0, 1.0, slope) for u in (hidden, mixed))
    gradients = transposed_product(mixed_slopes * output[None], kernel)
    kept = (kernel, conditioned, bias, output, pairs, alpha, slopes, mixed_slopes, gradients)
    return scores, gradient_penalty(gradients), kept


def _two_layers_backward(
    kept: tuple[jax.Array, ...], of_real: jax.Array, of_fake: jax.Array, both: jax.Array, of_bias: jax.Array, of_penalty: jax.Array
) -> tuple[jax.Array, ...]:
    """Derivatives by all arguments but the slope, from those by the hidden units, but for the factor w: of real rows, of
    synthesized ones, the sum of the two, all (B, K), and the sum of that over the rows, (K,); and from that by the penalty, ()."""
    kernel, conditioned, bias, output, pairs, alpha, _, mixed_slopes, gradients = kept
    (penalised,) = jax.vjp(gradient_penalty, gradients)[1](of_penalty)
    rows, units = jnp.stack([*pairs, penalised]), jnp.stack([of_real, of_fake, mixed_slopes])
    shared = weight_product(rows, units)
    of_output = jnp.sum(kernel * shared, axis=0) + jnp.sum(both * conditioned, axis=0)
    of_pairs = transposed_product(jnp.stack([of_real, of_fake]) * output[None, None], kernel)
    return shared * output[None], both * output[None], of_bias * output, of_output + of_bias * bias, of_pairs, jnp.zeros_like(alpha)


def generator_adversarial_loss(fake_scores: jax.Array) -> jax.Array:
    """- mean D(x_tilde, a), which the generator minimises; scores are (B,)."""
    return -jnp.mean(fake_scores)
