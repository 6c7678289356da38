"""Metrics as functions of numpy arrays; all are fractions in [0, 1].

Per-class accuracies come from per-class hit and row counts, never from averages of batch averages. A class without test rows
has no accuracy: it is NaN per class and is left out of the mean over classes; a mean over no class at all is NaN.
"""

import numpy as np


def per_class_accuracy(predicted: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Top-1 accuracy of each of `classes` (k,) as float64 (k,), NaN for a class without rows.

    Args:
        predicted, labels: (n,) original class ids >= 0.
        classes: (k,) original class ids.
    """
    size = int(max(labels.max(initial=0), classes.max(initial=0))) + 1
    rows = np.bincount(labels, minlength=size)[classes]
    hits = np.bincount(labels[predicted == labels], minlength=size)[classes]
    return np.where(rows > 0, hits / np.maximum(rows, 1), np.nan)


def mean_over_classes(accuracies: np.ndarray) -> float:
    """Mean of the per-class accuracies (k,) over the classes that have test rows; NaN where none has."""
    known = accuracies[~np.isnan(accuracies)]
    return float(known.mean()) if known.size else float("nan")


def share(right: np.ndarray) -> float:
    """Share of (n,) bools that are true; NaN of none."""
    return float(right.mean()) if right.size else float("nan")


def harmonic_mean(unseen: float, seen: float) -> float:
    """H = 2 U S / (U + S); 0 where U + S = 0."""
    return float(harmonic_means(np.asarray(unseen, np.float64), np.asarray(seen, np.float64)))


def harmonic_means(unseen: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """`harmonic_mean` elementwise, in double; NaN where either is."""
    total = np.asarray(unseen + seen, np.float64)
    return np.divide(2.0 * unseen * seen, total, out=np.where(np.isnan(total), np.nan, 0.0), where=total > 0.0)


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve of scores (p,) against (n,): the share of pairs with positive > negative, ties counting half."""
    if positive.size == 0 or negative.size == 0:
        return float("nan")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).sum() / (2.0 * positive.size * negative.size))


def fpr_at_tpr(positive: np.ndarray, negative: np.ndarray, tpr: float = 0.95) -> float:
    """False-positive rate at the highest threshold that accepts at least `tpr` of the positives (score >= threshold)."""
    if positive.size == 0 or negative.size == 0:
        return float("nan")
    accepted = int(np.ceil(tpr * positive.size - 1e-9))
    threshold = np.sort(positive)[positive.size - max(accepted, 1)]
    return float(np.mean(negative >= threshold))


def aupr(positive: np.ndarray, negative: np.ndarray) -> float:
    """Average precision of scores (p,) against (n,): the sum over thresholds of precision times the gain in recall, rows of equal
    score counted together; NaN without rows of either kind."""
    if positive.size == 0 or negative.size == 0:
        return float("nan")
    thresholds, counts = np.unique(positive, return_counts=True)
    # At each threshold, rows with score >= it.
    true = positive.size - np.searchsorted(np.sort(positive), thresholds, side="left")
    false = negative.size - np.searchsorted(np.sort(negative), thresholds, side="left")
    return float(np.sum(counts / positive.size * true / (true + false)))


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017): mean over rows of |accuracy - mean confidence| of their bin, in [0, 1].

    Args:
        confidence: (n,) in [0, 1].
        correct: (n,) bool.
        bins: of equal width; a confidence of 0 belongs to the first, else (low, high].
    """
    if confidence.size == 0:
        return float("nan")
    which = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(np.intp) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=correct.astype(np.float64) - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / confidence.size)
