"""The loss of pairs of unit rows of the plane, variant 'released', in time and memory linear in the rows: no pair is formed.

With a_i = (cos t_i, sin t_i) and b_j = (cos p_j, sin p_j), S_ij = (1 + cos(t_i - p_j)) / 2, and a pair costs
softplus(S_ij) - T_ij S_ij, T_ij = [group_i = group_j].

- softplus((1 + x) / 2) = sum_k c_k T_k(x) on [-1, 1] with Chebyshev polynomials, T_k(cos u) = cos k u, and
  cos k(t - p) = cos kt cos kp + sin kt sin kp. So a sum over all pairs is a sum over k of products of two sums over rows:

      sum_ij softplus(S_ij) = sum_k c_k [(sum_i cos k t_i) (sum_j cos k p_j) + (sum_i sin k t_i) (sum_j sin k p_j)]

  softplus has no singularity near [-1, 1] (the nearest are x = -1 +- 2 pi i): k <= 9 leaves an error of 6e-13 in a pair's loss and
  of 6e-11 in its derivative, whatever the rows are. In float32 that is nothing beside the rounding of sums, which is less than that
  of all pairs.
- A sum of S_ij over the pairs of a group of n_g rows is (n_g^2 + A_g . B_g) / 2, of the sums A_g, B_g of its rows.

The variant 'described' (logarithms of S and 1 - S, singular at the ends of [-1, 1]) and rows of more dimensions have no such form:
losses/pairwise.py. Of L_be, whose rows have many dimensions, S alone splits into sums; softplus needs every pair: nothing is saved.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.losses.pairwise import SampledPairs
from d3gzsl_jax.precision import EXACT

DEGREE = 9
_OF_SOFTPLUS = np.polynomial.chebyshev.Chebyshev.interpolate(lambda x: np.log1p(np.exp((1.0 + x) / 2.0)), DEGREE).coef
_OF_HALF_COSINE = np.array([0.5, 0.5] + [0.0] * (DEGREE - 1))


def plane_pair_loss(a: jax.Array, b: jax.Array, groups: jax.Array, classes: int, sample: SampledPairs | None = None) -> jax.Array:
    """pair_loss(a, b, groups, 'released', sample) for unit rows a, b (n, 2), linear in n. Its gradients are those along the circle:
    what lies along a_i or b_j itself, which making unit rows takes away, is another.

    Args:
        a, b: (n, 2) unit rows.
        groups: (n,) ids in [0, classes).
        classes: more than any id in `groups` and in the labels of `sample`.
        sample: what the rows are a sample of, see `pair_loss`; synthesized rows of one class are of one group.
    """
    if sample is None:
        rows = a.shape[0]
        of_all = _by_multiples(_multiples(a).mean(axis=-1), _multiples(b).mean(axis=-1), _OF_SOFTPLUS)
        of_groups = class_sums(jnp.stack([jnp.ones_like(a[:, 0]), *a.T, *b.T]), groups, classes) / rows
        return of_all - 0.5 * (jnp.sum(jnp.square(of_groups[0])) + jnp.sum(of_groups[1:3] * of_groups[3:5]))
    return _sampled(a, b, groups, classes, sample)


def _sampled(a: jax.Array, b: jax.Array, groups: jax.Array, classes: int, sample: SampledPairs) -> jax.Array:
    """Pairs of two synthesized rows count `twice`, of one `once`, of two real rows 1: a weight by kind of row, and a correction for
    synthesized rows of the same class, which count `once` too."""
    kinds = jnp.stack([sample.synthesized, ~sample.synthesized]).astype(a.dtype)
    weights = np.array([[sample.twice, sample.once], [sample.once, 1.0]])
    of_a, of_b = (_multiples(rows)[:, :, None, :] * kinds[None, None] for rows in (a, b))  # (2, 1 + DEGREE, 2 kinds, n)
    sums_a, sums_b = (of.sum(axis=-1) / sample.count for of in (of_a, of_b))
    by_group = class_sums(jnp.stack([of_a[:, :2], of_b[:, :2]]), groups, classes) / sample.count
    synthesized = class_sums(jnp.stack([of_a[:, :, 0], of_b[:, :, 0]]), sample.labels, classes) / sample.count
    of_all, of_groups = jnp.zeros((), a.dtype), jnp.zeros((), a.dtype)
    for (one, other), weight in np.ndenumerate(weights):
        of_all += weight * _by_multiples(sums_a[..., one], sums_b[..., other], _OF_SOFTPLUS)
        of_groups += weight * _by_multiples(by_group[0, :, :, one], by_group[1, :, :, other], _OF_HALF_COSINE[:2])
    of_classes = _by_multiples(synthesized[0], synthesized[1], _OF_SOFTPLUS - _OF_HALF_COSINE)
    return of_all - of_groups + (sample.once - sample.twice) * of_classes


def class_sums(values: jax.Array, labels: jax.Array, classes: int) -> jax.Array:
    """Sums of values (..., n) over the entries of each class, labels (n,) being in [0, classes).

    Returns (..., one axis or two over the classes), in no stated order, with zeros where there is no class.

    Products with one-hot rows: no scatter, which adds in no fixed order on a GPU; over several devices small arrays are summed.
    A label is two digits, each one-hot, so that of many classes no (classes, n) array is formed.
    """
    lead, rows = values.shape[:-1], values.shape[-1]
    base = max(round(math.sqrt(classes / max(math.prod(lead), 1))), 1)
    flat = values.reshape(-1, rows)
    if base > 1:
        flat = jnp.where(_one_hot(labels % base, base)[None], flat[:, None, :], 0.0).reshape(-1, rows)
    high = _one_hot(labels // base, -(-classes // base))
    sums = jax.lax.dot_general(flat, high.astype(flat.dtype), (((1,), (1,)), ((), ())), precision=EXACT)
    return sums.reshape(*lead, base, -1) if base > 1 else sums.reshape(*lead, -1)


def _one_hot(labels: jax.Array, classes: int) -> jax.Array:
    """Which entries are of which class: (classes, n) bool."""
    return labels[None, :] == jnp.arange(classes, dtype=labels.dtype)[:, None]


def _multiples(unit: jax.Array) -> jax.Array:
    """cos kt and sin kt, k = 0 .. DEGREE, of unit rows (cos t, sin t), (n, 2): (2, 1 + DEGREE, n)."""
    cos, sin = unit[:, 0], unit[:, 1]
    found = [(jnp.ones_like(cos), jnp.zeros_like(sin))]
    for _ in range(DEGREE):
        c, s = found[-1]
        found.append((c * cos - s * sin, c * sin + s * cos))
    return jnp.stack([jnp.stack(of) for of in zip(*found, strict=True)])


def _by_multiples(one: jax.Array, other: jax.Array, coefficients: np.ndarray) -> jax.Array:
    """sum_k c_k (C_k C'_k + S_k S'_k) of sums (2, k, ...) of cosines and sines over two sets, added up over all further axes."""
    by_k = jnp.sum(one * other, axis=(0, *range(2, one.ndim)))
    return jnp.sum(jnp.asarray(coefficients, one.dtype) * by_k)
