"""Reconstruction errors: how far reconstructed features and semantics are from the given ones.

Binary cross-entropy of features in [0, 1] and a weighted L1 distance of semantics (f-VAEGAN-D2, Xian et al. 2019, arXiv 1903.10132;
TF-VAEGAN, Narayan et al. 2020, arXiv 2003.07833); summed differences of both (CADA-VAE, Schönfeld et al. 2019, arXiv 1812.01784);
mean squares of semantics (ZeroDiff, Ye et al. 2025, arXiv 2406.02929).
Every function takes arrays with one row a sample and returns a scalar, () float32.
"""

import jax
import jax.numpy as jnp

from d3gzsl_jax.losses.norms import row_norms

VARIANTS = ("released", "described")
LOG_FLOOR = -100.0
_SLOPE_FLOOR = 1e-12


def binary_cross_entropy(reconstructed: jax.Array, features: jax.Array) -> jax.Array:
    """-(1/B) sum_i sum_j [x log x_hat + (1 - x) log(1 - x_hat)]: summed over the features, divided by the number of rows alone.

    In PyTorch's arithmetic, finite at 0 and 1 as well: each logarithm is cut off below at -100, and the derivative by an entry is
    (x_hat - x) / max(x_hat (1 - x_hat), 1e-12), divided by B.

    Args:
        reconstructed: (B, dx) in [0, 1], x_hat.
        features: (B, dx) in [0, 1], x. Outside of [0, 1], as test rows may be, the formula holds but is no cross-entropy.
    """
    return jnp.sum(_cross_entropies(reconstructed, features)) / features.shape[0]


@jax.custom_jvp
def _cross_entropies(probabilities: jax.Array, targets: jax.Array) -> jax.Array:
    of_one, of_zero = _cut_logarithms(probabilities)
    return (targets - 1.0) * of_zero - targets * of_one


def _cut_logarithms(probabilities: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.maximum(jnp.log(probabilities), LOG_FLOOR), jnp.maximum(jnp.log1p(-probabilities), LOG_FLOOR)


@_cross_entropies.defjvp
def _cross_entropies_and_tangents(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (probabilities, targets), (of_probabilities, of_targets) = primals, tangents
    of_one, of_zero = _cut_logarithms(probabilities)
    slopes = (probabilities - targets) / jnp.maximum((1.0 - probabilities) * probabilities, _SLOPE_FLOOR)
    return _cross_entropies(probabilities, targets), slopes * of_probabilities + (of_zero - of_one) * of_targets


def semantic_reconstruction(predicted: jax.Array, semantics: jax.Array, variant: str = "released") -> jax.Array:
    """How far predicted semantics are from the class vectors: a mean over rows of a sum over entries of d = predicted - semantics.

    Args:
        predicted, semantics: (B, da).
        variant: 'released' (what the published code computes) is (1/B) sum_i sum_j |d_ij|^3 / ||d_i||_2, an L1 distance with the
            weights d_ij^2 / ||d_i||_2, which are differentiated too; 'described' is (1/B) sum_i sum_j |d_ij|. Either way a row with
            d = 0 counts 0 and has gradient 0.
    """
    difference = predicted - semantics
    absolute = _absolute(difference)
    if variant == "released":
        absolute = jnp.square(difference) / row_norms(difference, keepdims=True) * absolute
    elif variant != "described":
        raise ValueError(f"unknown variant {variant!r}, expected one of {VARIANTS}")
    return jnp.sum(absolute) / semantics.shape[0]


def mean_squared(predicted: jax.Array, semantics: jax.Array) -> jax.Array:
    """(1/(B da)) sum_i sum_j (predicted_ij - semantics_ij)^2 of arrays (B, da), a mean over entries: of ZeroDiff's first stage."""
    return jnp.mean(jnp.square(predicted - semantics))


def _absolute(x: jax.Array) -> jax.Array:
    """|x|, whose derivative at 0 is 0, as in PyTorch; that of jnp.abs is 1."""
    return x * jax.lax.stop_gradient(jnp.sign(x))


def summed_absolute(reconstructed: jax.Array, given: jax.Array) -> jax.Array:
    """sum_i sum_j |x_hat_ij - x_ij| of arrays (B, d), divided by nothing; the reconstruction error of CADA-VAE."""
    return jnp.sum(_absolute(reconstructed - given))


def summed_square(reconstructed: jax.Array, given: jax.Array) -> jax.Array:
    """sum_i sum_j (x_hat_ij - x_ij)^2 of arrays (B, d), divided by nothing; CADA-VAE's other choice of a reconstruction error."""
    return jnp.sum(jnp.square(reconstructed - given))
