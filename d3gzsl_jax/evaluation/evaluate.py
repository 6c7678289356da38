"""Evaluates predictors (T1, U, S, H, AUSUC) and the teacher (accuracy, AUROC, FPR@95) on the test rows."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.data.scaling import SplitArrays
from d3gzsl_jax.distillation.teacher import Teacher
from d3gzsl_jax.evaluation import metrics
from d3gzsl_jax.evaluation.curves import Best, area, trade_off
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.losses.distillation import in_distribution_score


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a predictor reaches on the test rows.

    Attributes:
        metrics: 'unseen' (U), 'seen' (S), 'harmonic' (H), 'zsl' (T1), 'ausuc', fractions in [0, 1]; NaN where there are no
            test rows to know it by (S, H and AUSUC without test-seen rows).
        per_class: (C,) accuracies by original id, NaN for a class without test rows.
        curve: U and S under calibrated stacking, see `diagnostics.trade_off`.
    """

    metrics: dict[str, float]
    per_class: np.ndarray
    curve: dict[str, np.ndarray]

    def by_name(self, names: Sequence[str]) -> dict[str, float]:
        """Per-class accuracies by 'id name', of the names by original id."""
        return {f"{c} {names[c]}": accuracy for c, accuracy in enumerate(self.per_class)}


_LOGITS = 2**24  # of one prediction call: with many classes a call has fewer rows


class Evaluator:
    """Predicts in chunks of one shape, so that each function is traced once.

    Args:
        arrays: preprocessed splits.
        seen, unseen: class ids.
        batch: rows per prediction call, at most.
        on_device: keep test features on the device between evaluations (not when streaming).
    """

    def __init__(self, arrays: SplitArrays, seen: np.ndarray, unseen: np.ndarray, batch: int, on_device: bool) -> None:
        self._arrays, self._seen, self._unseen = arrays, seen, unseen
        batch = min(batch, max(_LOGITS // max(len(seen) + len(unseen), 1), 1))
        self._chunks = {
            split: _chunks(getattr(arrays, f"test_{split}_features"), batch, on_device) for split in ("seen", "unseen")
        }

    def over(self, split: str, function: Callable[..., object], params: object) -> tuple[np.ndarray, ...]:
        """What a compiled `function`(params, features (n, dx)) says of each row of the test split 'seen' or 'unseen': its arrays,
        each with a leading (rows,) axis."""
        rows = len(getattr(self._arrays, f"test_{split}_labels"))
        parts = [function(params, chunk) for chunk in self._chunks[split]]
        gathered = jax.tree.map(lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves])[:rows], *parts)
        return gathered if isinstance(gathered, tuple) else (gathered,)

    def predictor(self, logits: Callable[..., jax.Array]) -> Callable[..., Evaluation]:
        """Compiles a predictor once: of `logits`(*params, features (n, dx)) -> (n, C), by original id, it makes a function of
        *params that evaluates them: U, S and H by argmax over all classes, T1 by argmax over the unseen ones, AUSUC."""

        def predict(params: tuple[Params, ...], features: jax.Array) -> tuple[jax.Array, ...]:
            found = logits(*params, features)
            return jnp.argmax(found, axis=-1), *self._best_of(found)

        compiled = jax.jit(predict)
        return lambda *params: self._evaluate(compiled, params)

    def best(self, logits: Callable[..., jax.Array], *params: Params) -> tuple[Best, Best]:
        """The best seen and the best unseen class of each test-seen and of each test-unseen row; `logits` as in `predictor`."""
        compiled = jax.jit(lambda params, features: self._best_of(logits(*params, features)))
        return tuple(Best(*self.over(split, compiled, params)) for split in ("seen", "unseen"))

    def _best_of(self, logits: jax.Array) -> tuple[jax.Array, ...]:
        """The fields of `Best` of logits (n, C)."""
        groups = jnp.asarray(self._seen), jnp.asarray(self._unseen)
        return tuple(part for ids in groups for part in (ids[logits[:, ids].argmax(axis=-1)], logits[:, ids].max(axis=-1)))

    def scores(self, teacher: Teacher, params: Params) -> dict[str, np.ndarray]:
        """The teacher's score max log_softmax of test rows, by split 'seen' and 'unseen'."""
        score = jax.jit(lambda params, features: in_distribution_score(teacher.logits(params, features)))
        return {split: self.over(split, score, params)[0] for split in ("seen", "unseen")}

    def _evaluate(self, predict: Callable[..., object], params: tuple[Params, ...]) -> Evaluation:
        labels_seen, labels_unseen = self._arrays.test_seen_labels, self._arrays.test_unseen_labels
        predicted_seen, *best = self.over("seen", predict, params)
        best_of_seen = Best(*best)
        predicted_unseen, *best = self.over("unseen", predict, params)
        best_of_unseen = Best(*best)
        seen = metrics.per_class_accuracy(predicted_seen, labels_seen, self._seen)
        unseen = metrics.per_class_accuracy(predicted_unseen, labels_unseen, self._unseen)
        zsl = metrics.per_class_accuracy(best_of_unseen.unseen_class, labels_unseen, self._unseen)
        per_class = np.full(len(self._seen) + len(self._unseen), np.nan)
        per_class[self._seen], per_class[self._unseen] = seen, unseen
        u, s = metrics.mean_over_classes(unseen), metrics.mean_over_classes(seen)
        curve = trade_off(best_of_seen, labels_seen, best_of_unseen, labels_unseen, self._seen, self._unseen)
        found = {"unseen": u, "seen": s, "harmonic": metrics.harmonic_mean(u, s), "zsl": metrics.mean_over_classes(zsl)}
        found["ausuc"] = area(curve["unseen"], curve["seen"])
        return Evaluation(metrics=found, per_class=per_class, curve=curve)

    def teacher(self, teacher: Teacher, params: Params, threshold: float) -> dict[str, float]:
        """The frozen teacher: per-class accuracy on test-seen rows ('seen_accuracy'), share of test-seen rows with score over
        the threshold ('id_accuracy') and of test-unseen rows at or under it ('ood_accuracy'), and 'auroc' and 'fpr_at_95' of
        seen (positive) against unseen rows by the score max log_softmax."""
        logits = jax.jit(teacher.logits)
        (logits_seen,) = self.over("seen", logits, params)
        (logits_unseen,) = self.over("unseen", logits, params)
        predicted = self._seen[logits_seen.argmax(axis=-1)]
        score_seen, score_unseen = (np.asarray(in_distribution_score(x)) for x in (logits_seen, logits_unseen))
        accuracy = metrics.per_class_accuracy(predicted, self._arrays.test_seen_labels, self._seen)
        return {
            "seen_accuracy": metrics.mean_over_classes(accuracy),
            "id_accuracy": metrics.share(score_seen > threshold),
            "ood_accuracy": metrics.share(score_unseen <= threshold),
            "auroc": metrics.auroc(score_seen, score_unseen),
            "fpr_at_95": metrics.fpr_at_tpr(score_seen, score_unseen),
        }


def _chunks(features: np.ndarray, batch: int, on_device: bool) -> list[np.ndarray | jax.Array]:
    """Equal chunks of at most `batch` rows, at least one, the last padded with zero rows."""
    count = max(math.ceil(len(features) / batch), 1)
    size = max(math.ceil(len(features) / count), 1)
    found = []
    for start in range(0, max(len(features), 1), size):
        chunk = features[start : start + size]
        if len(chunk) < size:
            chunk = np.concatenate([chunk, np.zeros((size - len(chunk), features.shape[1]), features.dtype)])
        found.append(jax.device_put(chunk) if on_device else chunk)
    return found
