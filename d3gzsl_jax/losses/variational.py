"""Variational autoencoders: divergence from the prior, samples of a latent, distance of two latent distributions, warm-ups.

A latent has k dimensions, a normal distribution with mean mu (n, k) and log-variance v (n, k), of any sign, and the prior N(0, I)
(Kingma and Welling 2014, arXiv 1312.6114). f-VAEGAN-D2 (Xian et al. 2019, arXiv 1903.10132) and TF-VAEGAN (Narayan et al. 2020,
arXiv 2003.07833) take means over rows, CADA-VAE (Schönfeld et al. 2019, arXiv 1812.01784) sums.
"""

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.losses.norms import row_norms

SPREADS = ("deviation", "variance")


def summed_gaussian_kl(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """sum_i KL(N(mu_i, exp v_i) || N(0, I)) = -(1/2) sum_i sum_j (1 + v - mu^2 - exp v), () and not negative but for rounding.

    Args:
        mean, log_variance: (n, k).
    """
    return -0.5 * jnp.sum(1.0 + log_variance - jnp.square(mean) - jnp.exp(log_variance))


def gaussian_kl(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """`summed_gaussian_kl` divided by the number n of rows: a mean over rows of a sum over the dimensions of the latent, ()."""
    return summed_gaussian_kl(mean, log_variance) / mean.shape[0]


def sample_latent(mean: jax.Array, log_variance: jax.Array, noise: jax.Array, spread: str = "deviation") -> jax.Array:
    """z = mu + eps exp(v / 2), (n, k): the reparametrised sample, differentiable in mu and v.

    Args:
        mean, log_variance: (n, k).
        noise: (n, k), eps ~ N(0, I); or (n, 1), one number a row for all its dimensions, as in the published CADA-VAE.
        spread: what the noise is multiplied by: the standard 'deviation' exp(v / 2), or the 'variance' exp(v), as in the published
            CADA-VAE, whose KL takes v for the log-variance all the same.
    """
    if spread not in SPREADS:
        raise ValueError(f"unknown spread {spread!r}, expected one of {SPREADS}")
    return mean + noise * jnp.exp(0.5 * log_variance if spread == "deviation" else log_variance)


def distribution_alignment(
    mean_x: jax.Array, log_variance_x: jax.Array, mean_a: jax.Array, log_variance_a: jax.Array
) -> jax.Array:
    """CADA-VAE's distance of the latents of features and of semantics, the 2-Wasserstein distances of the rows summed, ():

    sum_i sqrt(||mu_x - mu_a||^2 + ||exp(v_x / 2) - exp(v_a / 2)||^2). A row where the two agree has gradient 0.

    Args:
        mean_x, log_variance_x, mean_a, log_variance_a: (n, k).
    """
    of_deviations = jnp.exp(0.5 * log_variance_x) - jnp.exp(0.5 * log_variance_a)
    return jnp.sum(row_norms(jnp.concatenate([mean_x - mean_a, of_deviations], axis=-1)))


def warm_up(epoch: jax.Array | int, factor: float, start: int, end: int) -> jax.Array:
    """The weight of a term that grows in a straight line: factor * clip((epoch - start) / (end - start), 0, 1), () float32.

    Args:
        epoch: () int32, counted from 0; may be traced.
        factor: the weight from epoch `end` on.
        start, end: the last epoch without the term and the first with all of it, start < end.
    """
    if end <= start:
        raise ValueError(f"a warm-up from epoch {start} to {end} does not grow, expected start < end")
    # Formed in double, one number an epoch, and rounded once: as the published code has it.
    weights = jnp.asarray(np.arange(end - start + 1) / (end - start) * factor, jnp.float32)
    return weights[jnp.clip(jnp.asarray(epoch, jnp.int32) - start, 0, end - start)]
