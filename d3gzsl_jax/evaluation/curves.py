"""What explains a run beyond its accuracies, as plain arrays: the seen-unseen trade-off, the confusion of seen with unseen and of
class with class, and a projection of real and synthesized features. The plots of a run are drawn from these."""

from typing import Literal, NamedTuple

import numpy as np


class Best(NamedTuple):
    """Of n rows, the best seen and the best unseen class by logit.

    Attributes:
        seen_class, unseen_class: (n,) original ids, integers.
        seen_logit, unseen_logit: (n,) their logits, finite floats.
    """

    seen_class: np.ndarray
    seen_logit: np.ndarray
    unseen_class: np.ndarray
    unseen_logit: np.ndarray


def trade_off(
    seen_rows: Best, seen_labels: np.ndarray, unseen_rows: Best, unseen_labels: np.ndarray, seen: np.ndarray, unseen: np.ndarray
) -> dict[str, np.ndarray]:
    """S and U under calibrated stacking (Chao et al. 2016), exactly: at every gamma that changes a prediction.

    Gamma is subtracted from all seen logits; a row is predicted seen iff its margin, best seen minus best unseen logit, is at least
    gamma, so a tie goes to the seen class. Accuracies are means over the classes that have rows, fractions in [0, 1].

    Args:
        seen_rows, unseen_rows: the best classes of test-seen and of test-unseen rows.
        seen_labels, unseen_labels: original ids of these rows, integers >= 0.
        seen, unseen: class ids; rows of other classes do not count.

    Returns:
        'gamma', 'unseen' and 'seen', each (k,) float64 with 2 <= k <= rows + 2, from the largest gamma, where nothing is predicted
        seen (S = 0), to the smallest, where everything is (U = 0). Gamma 0, the uncalibrated predictor, is always among them. An
        accuracy is NaN throughout where no class has rows.

    Raises:
        ValueError: a margin is not finite.
    """
    margin_seen, margin_unseen = _margin(seen_rows), _margin(unseen_rows)
    margins = np.concatenate([margin_seen, margin_unseen, [0.0]])
    # At the largest margin its row is still seen: the end where none is lies anywhere above.
    gammas = np.unique(np.append(margins, margins.max() + max(abs(margins.max()), 1.0)))[::-1]
    return {
        "gamma": gammas,
        # Unseen rows are right with margins below gamma, seen rows with margins that are not.
        "unseen": _accuracy(margin_unseen, unseen_rows.unseen_class, unseen_labels, unseen, gammas, "left"),
        "seen": _accuracy(-margin_seen, seen_rows.seen_class, seen_labels, seen, -gammas, "right"),
    }


def thin(curve: dict[str, np.ndarray], limit: int = 2000) -> dict[str, np.ndarray]:
    """At most `limit` >= 3 points of a `trade_off`, evenly spaced along it, among them both ends and gamma 0."""
    count = len(curve["gamma"])
    if count <= limit:
        return curve
    kept = np.append(np.linspace(0, count - 1, limit - 1).astype(np.intp), np.flatnonzero(curve["gamma"] == 0.0))
    kept = np.unique(kept)
    return {name: values[kept] for name, values in curve.items()}


def area(unseen: np.ndarray, seen: np.ndarray) -> float:
    """AUSUC (Chao et al. 2016), the area under S (k,) against U (k,) by trapezoids, in [0, 1]; NaN where either is unknown."""
    return float(abs(np.trapezoid(seen, unseen)))


def confusion(seen_rows: Best, unseen_rows: Best) -> np.ndarray:
    """Rows by what they are and what they are taken for, (2, 2) int64: [seen, unseen] x predicted [seen, unseen]. A tie goes to
    the seen class, as in `trade_off`."""
    taken_for_seen = [int(np.sum(_margin(rows) >= 0.0)) for rows in (seen_rows, unseen_rows)]
    return np.array([[n, len(rows.seen_logit) - n] for n, rows in zip(taken_for_seen, (seen_rows, unseen_rows), strict=True)])


def class_confusion(seen_rows: Best, seen_labels: np.ndarray, unseen_rows: Best, unseen_labels: np.ndarray) -> np.ndarray:
    """Rows by their class and the one they are taken for, (k, 3) int64: class, taken for, how many rows; of pairs that occur, in
    the order of the ids. A tie goes to the seen class, as in `trade_off`."""
    labels = np.concatenate([seen_labels, unseen_labels]).astype(np.int64)
    taken = [np.where(_margin(rows) >= 0.0, rows.seen_class, rows.unseen_class) for rows in (seen_rows, unseen_rows)]
    pairs, counts = np.unique(np.stack([labels, np.concatenate(taken).astype(np.int64)], axis=1), axis=0, return_counts=True)
    return np.column_stack([pairs, counts]).astype(np.int64)


def project(
    real: np.ndarray, real_labels: np.ndarray, synthesized: np.ndarray, synthesized_labels: np.ndarray,
    limit: int = 2000, seed: int = 0,
) -> dict[str, np.ndarray]:
    """Real and synthesized rows of unseen classes on the two principal axes of the real ones.

    Args:
        real, synthesized: features (n, d) and (m, d), finite.
        real_labels, synthesized_labels: (n,) and (m,) original ids.
        limit: at most so many rows of either are returned, drawn by `seed`; the axes come from all real rows.

    Returns:
        'projection/real' (<= limit, 2) and 'projection/synthesized' float32, each with its '_labels', and 'projection/explained'
        (2,) float32, the axes' shares of the real rows' variance in [0, 1]. Empty where real rows span no plane (n or d below 2, or
        no variance at all).
    """
    if min(real.shape) < 2 or not np.ptp(real, axis=0).any():
        return {}
    centre, axes, explained = principal_axes(real, seed)
    rng = np.random.default_rng(seed)
    found = {"projection/explained": explained.astype(np.float32)}
    for name, rows, labels in (("real", real, real_labels), ("synthesized", synthesized, synthesized_labels)):
        kept = np.sort(rng.permutation(len(rows))[:limit])
        flat = (rows[kept] - centre) @ axes
        found |= {f"projection/{name}": flat.astype(np.float32), f"projection/{name}_labels": labels[kept]}
    return found


def principal_axes(rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean (d,) of rows (n, d), n and d at least 2, their first two principal axes (d, 2), the largest entry of each positive,
    and the shares (2,) of the variance along them.

    By iteration of a subspace that is drawn by `seed` (Halko et al. 2011), exact enough for a picture; scikit-learn, whose
    PCA does the same for most sizes, takes a second to import.
    """
    centre = rows.mean(axis=0)
    rows = rows - centre
    basis = np.random.default_rng(seed).standard_normal((rows.shape[1], min(12, *rows.shape))).astype(rows.dtype)
    for _ in range(7):
        basis = np.linalg.qr(rows.T @ (rows @ basis))[0]
    _, sizes, within = np.linalg.svd(rows @ basis, full_matrices=False)
    axes = basis @ within[:2].T
    axes *= np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0))
    return centre, axes, sizes[:2] ** 2 / np.einsum("nd,nd->", rows, rows)


def _margin(rows: Best) -> np.ndarray:
    """Best seen minus best unseen logit, (n,) float64."""
    margin = np.asarray(rows.seen_logit, np.float64) - np.asarray(rows.unseen_logit, np.float64)
    if not np.isfinite(margin).all():
        raise ValueError("the best seen and unseen logits must be finite")
    return margin


def _accuracy(
    values: np.ndarray, predicted: np.ndarray, labels: np.ndarray, classes: np.ndarray, thresholds: np.ndarray,
    side: Literal["left", "right"],
) -> np.ndarray:
    """Mean over `classes` of per-class accuracy (k,), where a row is right if it is `predicted` its label (n,) and its value (n,)
    lies below ('left') or not above ('right') a threshold (k,). Exactly 0 where no value does, NaN where no class has rows."""
    size = int(max(labels.max(initial=0), classes.max(initial=0))) + 1
    rows = np.bincount(labels, minlength=size)
    known = int(np.sum(rows[classes] > 0))
    if not known:
        return np.full(len(thresholds), np.nan)
    # What a row adds to the mean: one of the rows of its class, which is one of the known classes.
    share = (predicted == labels) * np.isin(labels, classes) / (rows[labels] * known)
    order = np.argsort(values)
    sums = np.concatenate([[0.0], np.cumsum(share[order])])
    return sums[np.searchsorted(values[order], thresholds, side=side)]
