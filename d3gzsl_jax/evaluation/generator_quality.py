"""How like real features of unseen classes synthesized ones are: Fréchet distance, nearest real class, diversity."""

import numpy as np
from threadpoolctl import threadpool_limits


def quality(real: np.ndarray, real_labels: np.ndarray, synthesized: np.ndarray, synthesized_labels: np.ndarray) -> dict[str, float]:
    """Means over the classes that both have; all NaN where there is none.

    Args:
        real, synthesized: features (n, d) and (m, d), finite.
        real_labels, synthesized_labels: (n,) and (m,) class ids.

    Returns:
        'frechet': mean over classes of `frechet_distance`. 'nearest_real_class': the share of a class's synthesized rows that lie
        nearest to the mean of its own real rows, in [0, 1]. 'diversity': variance of synthesized rows within their class over that
        of real ones (1 is as varied). Classes of one row count for the second alone.
    """
    classes = np.intersect1d(real_labels, synthesized_labels)
    if not len(classes):
        return dict.fromkeys(("frechet", "nearest_real_class", "diversity"), float("nan"))
    real, of_real = _of_classes(real, real_labels, classes)
    synthesized, of_synthesized = _of_classes(synthesized, synthesized_labels, classes)
    means, variances, counts = _moments(real, of_real, len(classes))
    _, made_variances, made_counts = _moments(synthesized, of_synthesized, len(classes))
    # |x - m|^2 without |x|^2, which is the same for all means
    distances = (means**2).sum(axis=1) - 2.0 * synthesized @ means.T
    hits = np.bincount(of_synthesized, weights=distances.argmin(axis=1) == of_synthesized, minlength=len(classes)) / made_counts
    several = (counts > 1) & (made_counts > 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        diversity = np.where(several & (variances > 0), made_variances / variances, np.nan)
    # Classes have different numbers of rows, so their decompositions cannot be batched.
    # Each is small: threads would wait for each other longer than they work, a second a class on a busy machine.
    with threadpool_limits(1, user_api="blas"):
        frechet = [frechet_distance(real[of_real == c], synthesized[of_synthesized == c]) for c in np.flatnonzero(several)]
    return {
        "frechet": float(np.mean(frechet)) if frechet else float("nan"),
        "nearest_real_class": float(hits.mean()),
        "diversity": float(np.nanmean(diversity)) if (~np.isnan(diversity)).any() else float("nan"),
    }


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of samples (n, d) and (m, d), n, m >= 2 (Heusel et al. 2017).

    Exact however few the rows: with centred rows X1 / sqrt(n - 1) and X2 / sqrt(m - 1) the trace of the root of C1 C2 is the sum of
    the singular values of X1 X2^T, an (n, m) matrix, so no (d, d) root of a singular matrix is taken.
    """
    one, other = one.astype(np.float64), other.astype(np.float64)
    centred = [(rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1) for rows in (one, other)]
    roots = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    between = ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum()
    return float(max(between + (centred[0] ** 2).sum() + (centred[1] ** 2).sum() - 2.0 * roots, 0.0))


def _of_classes(rows: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of `classes` (ascending) in double, and their positions in it."""
    kept = np.isin(labels, classes)
    return rows[kept].astype(np.float64), np.searchsorted(classes, labels[kept])


def _moments(rows: np.ndarray, index: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By class: mean (k, d), variance (k,) averaged over dimensions (n - 1; 0 for one row), rows (k,)."""
    counts = np.bincount(index, minlength=classes)
    order = np.argsort(index, kind="stable")
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(rows[order], starts, axis=0) / counts[:, None]
    squares = np.bincount(index, weights=((rows - means[index]) ** 2).mean(axis=1), minlength=classes)
    return means, squares / np.maximum(counts - 1, 1), counts
