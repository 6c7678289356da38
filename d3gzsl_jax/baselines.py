"""Closed-form baselines a generative method has to beat."""

import dataclasses

import numpy as np

from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.data.preprocess import SplitArrays
from d3gzsl_jax.evaluation.metrics import harmonic_mean, mean_over_classes, per_class_accuracy

EXPONENTS = tuple(range(-3, 4))


@dataclasses.dataclass(frozen=True)
class ESZSL:
    """ESZSL (Romera-Paredes and Torr 2015): scores x^T V a_c with V = (X^T X + g I)^-1 X^T Y S (S^T S + l I)^-1.

    X (n, dx) are training features, Y (n, |S|) is 1 for the row's class and -1 elsewhere, S (|S|, da) the seen semantics.
    """

    feature_ridge: float
    semantic_ridge: float

    def fit(self, features: np.ndarray, labels: np.ndarray, semantics: np.ndarray) -> np.ndarray:
        """V (dx, da) in double.

        Args:
            features: (n, dx).
            labels: (n,) positions into `semantics`.
            semantics: (k, da) of the training classes.
        """
        x, s = features.astype(np.float64), semantics.astype(np.float64)
        y = 2.0 * np.eye(len(s))[labels] - 1.0
        left = np.linalg.solve(x.T @ x + self.feature_ridge * np.eye(x.shape[1]), x.T @ y @ s)
        return np.linalg.solve(s.T @ s + self.semantic_ridge * np.eye(s.shape[1]), left.T).T


def eszsl_metrics(data: GZSLData, arrays: SplitArrays, seed: int) -> dict[str, float]:
    """U, S, H and T1 of ESZSL. Its two ridges (10^-3 ... 10^3 each) are chosen by validation H inside trainval.

    For validation, a fifth of the seen classes (at least one) is held out as pseudo-unseen, and a fifth of the rows of the others
    as pseudo test_seen; `seed` draws both. Then it is refitted on all of trainval.
    """
    rng = np.random.default_rng(seed)
    seen = data.seen_classes
    held_out = rng.permutation(seen)[: max(len(seen) // 5, 1)]
    rows = rng.permutation(len(arrays.train_labels))
    is_held_out = np.isin(arrays.train_labels[rows], held_out)
    known, unseen_rows = rows[~is_held_out], rows[is_held_out]
    cut = len(known) // 5
    candidates = [ESZSL(10.0**g, 10.0**s) for g in EXPONENTS for s in EXPONENTS]
    split = (known[cut:], known[:cut], unseen_rows)
    x, y = arrays.train_features, arrays.train_labels
    scores = [
        _evaluate(c, data, x[split[0]], y[split[0]], (x[split[1]], y[split[1]]), (x[split[2]], y[split[2]]), held_out)["harmonic"]
        for c in candidates
    ]
    best = candidates[int(np.argmax(scores))]
    return _evaluate(
        best, data, x, y, (arrays.test_seen_features, arrays.test_seen_labels),
        (arrays.test_unseen_features, arrays.test_unseen_labels), data.unseen_classes,
    )


def _evaluate(
    model: ESZSL, data: GZSLData, features: np.ndarray, labels: np.ndarray, test_seen: tuple[np.ndarray, np.ndarray],
    test_unseen: tuple[np.ndarray, np.ndarray], unseen: np.ndarray,
) -> dict[str, float]:
    classes = np.unique(labels)
    v = model.fit(features, np.searchsorted(classes, labels), data.semantics[classes])
    candidates = np.concatenate([classes, unseen])
    predict = lambda x, among: among[np.argmax(x @ v @ data.semantics[among].T, axis=1)]  # noqa: E731
    s = mean_over_classes(per_class_accuracy(predict(test_seen[0], candidates), test_seen[1], classes))
    u = mean_over_classes(per_class_accuracy(predict(test_unseen[0], candidates), test_unseen[1], unseen))
    zsl = mean_over_classes(per_class_accuracy(predict(test_unseen[0], unseen), test_unseen[1], unseen))
    return {"unseen": u, "seen": s, "harmonic": harmonic_mean(u, s), "zsl": zsl}
