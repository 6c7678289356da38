"""Evaluates a trained student (T1, U, S, H) and its teacher (accuracy, AUROC, FPR@95) on the test rows."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.data.preprocess import SplitArrays
from d3gzsl_jax.evaluation import metrics
from d3gzsl_jax.losses.distillation import in_distribution_score
from d3gzsl_jax.training.distillation import Distillation
from d3gzsl_jax.training.structures import Params


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """metrics: 'unseen' (U), 'seen' (S), 'harmonic' (H), 'zsl' (T1), fractions in [0, 1]; per_class (C,) accuracies by
    original id, NaN for a class without test rows."""

    metrics: dict[str, float]
    per_class: np.ndarray


class Evaluator:
    """Predicts in chunks of one shape, so that each function is traced once.

    Args:
        distillation: the student and teacher networks.
        arrays: preprocessed splits.
        seen, unseen: class ids.
        batch: rows per prediction call.
        on_device: keep test features on the device between evaluations (not when streaming).
    """

    def __init__(
        self, distillation: Distillation, arrays: SplitArrays, seen: np.ndarray, unseen: np.ndarray, batch: int, on_device: bool
    ) -> None:
        self._arrays, self._seen, self._unseen = arrays, seen, unseen
        self._chunks = {
            split: _chunks(getattr(arrays, f"test_{split}_features"), batch, on_device) for split in ("seen", "unseen")
        }
        columns = jnp.asarray(unseen)

        def predict(params: Params, features: jax.Array) -> tuple[jax.Array, jax.Array]:
            logits = distillation.logits(params, features)
            return jnp.argmax(logits, axis=-1), columns[jnp.argmax(logits[:, columns], axis=-1)]

        self._predict = jax.jit(predict)
        self._teacher = jax.jit(distillation.teacher.logits)

    def _over(self, split: str, function: object, params: Params) -> tuple[np.ndarray, ...]:
        rows = len(getattr(self._arrays, f"test_{split}_labels"))
        parts = [function(params, chunk) for chunk in self._chunks[split]]
        gathered = jax.tree.map(lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves])[:rows], *parts)
        return gathered if isinstance(gathered, tuple) else (gathered,)

    def student(self, params: Params) -> Evaluation:
        """U, S, H and T1 of the student in `params`: argmax over all classes; for T1 over the unseen ones."""
        labels_seen, labels_unseen = self._arrays.test_seen_labels, self._arrays.test_unseen_labels
        predicted_seen, _ = self._over("seen", self._predict, params)
        predicted_unseen, predicted_zsl = self._over("unseen", self._predict, params)
        seen = metrics.per_class_accuracy(predicted_seen, labels_seen, self._seen)
        unseen = metrics.per_class_accuracy(predicted_unseen, labels_unseen, self._unseen)
        zsl = metrics.per_class_accuracy(predicted_zsl, labels_unseen, self._unseen)
        per_class = np.full(len(self._seen) + len(self._unseen), np.nan)
        per_class[self._seen], per_class[self._unseen] = seen, unseen
        u, s = metrics.mean_over_classes(unseen), metrics.mean_over_classes(seen)
        found = {"unseen": u, "seen": s, "harmonic": metrics.harmonic_mean(u, s), "zsl": metrics.mean_over_classes(zsl)}
        return Evaluation(metrics=found, per_class=per_class)

    def teacher(self, params: Params, threshold: float) -> dict[str, float]:
        """The frozen teacher: per-class accuracy on test-seen rows ('seen_accuracy'), share of test-seen rows with score over
        the threshold ('id_accuracy') and of test-unseen rows at or under it ('ood_accuracy'), and 'auroc' and 'fpr_at_95' of
        seen (positive) against unseen rows by the score max log_softmax."""
        (logits_seen,) = self._over("seen", self._teacher, params)
        (logits_unseen,) = self._over("unseen", self._teacher, params)
        predicted = self._seen[logits_seen.argmax(axis=-1)]
        score_seen, score_unseen = (np.asarray(in_distribution_score(x)) for x in (logits_seen, logits_unseen))
        accuracy = metrics.per_class_accuracy(predicted, self._arrays.test_seen_labels, self._seen)
        return {
            "seen_accuracy": metrics.mean_over_classes(accuracy),
            "id_accuracy": float(np.mean(score_seen > threshold)),
            "ood_accuracy": float(np.mean(score_unseen <= threshold)),
            "auroc": metrics.auroc(score_seen, score_unseen),
            "fpr_at_95": metrics.fpr_at_tpr(score_seen, score_unseen),
        }


def _chunks(features: np.ndarray, batch: int, on_device: bool) -> list[np.ndarray | jax.Array]:
    """Equal chunks of at most `batch` rows, the last padded with zero rows."""
    count = max(math.ceil(len(features) / batch), 1)
    size = math.ceil(len(features) / count)
    found = []
    for start in range(0, len(features), size):
        chunk = features[start : start + size]
        if len(chunk) < size:
            chunk = np.concatenate([chunk, np.zeros((size - len(chunk), features.shape[1]), features.dtype)])
        found.append(jax.device_put(chunk) if on_device else chunk)
    return found
