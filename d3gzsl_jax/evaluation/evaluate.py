"""Evaluates predictors (T1, U, S, H, AUSUC) and the teacher (accuracy, AUROC, FPR@95) on the test rows."""

import dataclasses
import functools
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

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
            test rows to know it by (S, H and AUSUC without test-seen rows, all but S without test-unseen ones).
        per_class: (C,) accuracies by original id, NaN for a class without test rows.
        curve: U and S under calibrated stacking, see `curves.trade_off`.
    """

    metrics: dict[str, float]
    per_class: np.ndarray
    curve: dict[str, np.ndarray]

    def by_name(self, names: Sequence[str]) -> dict[str, float]:
        """Per-class accuracies by 'id name', of the names by original id."""
        return {f"{c} {names[c]}": accuracy for c, accuracy in enumerate(self.per_class)}


_LOGITS = 2**24  # of one prediction call: with many classes a call has fewer rows


class Evaluator:
    """Predicts in chunks of one shape, over seen and unseen test rows alike, so that each function is compiled once.

    Args:
        arrays: preprocessed splits.
        seen, unseen: class ids.
        batch: rows per prediction call, at most.
        on_device: keep test features on the device between evaluations (not when streaming).
    """

    def __init__(self, arrays: SplitArrays, seen: np.ndarray, unseen: np.ndarray, batch: int, on_device: bool) -> None:
        self._arrays, self._seen, self._unseen = arrays, seen, unseen
        batch = min(batch, max(_LOGITS // max(len(seen) + len(unseen), 1), 1))
        self._batch, self._chunks = batch, _chunks([arrays.test_seen_rows, arrays.test_unseen_rows], batch, on_device)

    def over(self, function: Callable[..., Any]) -> dict[str, Any]:
        """What a compiled `function` of features (n, dx) says of each row, by test split 'seen' and 'unseen': the tree of arrays it
        returns, each with a leading (rows,) axis."""
        of_all = _joined([function(chunk) for chunk in self._chunks])
        seen, unseen = len(self._arrays.test_seen_labels), len(self._arrays.test_unseen_labels)
        ranges = {"seen": slice(0, seen), "unseen": slice(seen, seen + unseen)}
        return {split: jax.tree.map(lambda leaf, rows=rows: leaf[rows], of_all) for split, rows in ranges.items()}

    def over_apart(self, function: Callable[..., Any]) -> dict[str, Any]:
        """`over`, with chunks of each split by itself, whose shapes may be two: for figures whose last digits are told, and are
        others in a chunk of another shape."""
        found = {}
        for split in ("seen", "unseen"):
            rows = getattr(self._arrays, f"test_{split}_rows")
            of_split, count = _joined([function(chunk) for chunk in _chunks([rows], self._batch, False)]), len(rows)
            found[split] = jax.tree.map(lambda leaf, count=count: leaf[:count], of_split)
        return found

    def predictor(
        self, logits: Callable[..., jax.Array], zsl_logits: Callable[..., jax.Array] | None = None
    ) -> Callable[..., Evaluation]:
        """A function of *params that evaluates `logits`(*params, features (n, dx)) -> (n, C), by original id: U, S and H by argmax
        over all classes, T1 by argmax over the unseen ones, AUSUC. `zsl_logits`(*params, features) -> (n, |U|), in the order of the
        unseen classes, is what T1 is by instead. Methods of equal objects are compiled once."""
        return lambda *params: self._evaluate(logits, zsl_logits, params)

    def best(self, logits: Callable[..., jax.Array], *params: Params) -> tuple[Best, Best]:
        """The best seen and the best unseen class of each test-seen and of each test-unseen row; `logits` as in `predictor`, whose
        program this is."""
        found = self.over(functools.partial(predict, *function_of(logits), params, self._seen, self._unseen))
        return Best(*found["seen"][1:]), Best(*found["unseen"][1:])

    def scores(self, teacher: Teacher, params: Params) -> dict[str, np.ndarray]:
        """The teacher's score max log_softmax of test rows, by split 'seen' and 'unseen'."""
        return {split: score for split, (_, score) in self._teacher(teacher, params).items()}

    def _teacher(self, teacher: Teacher, params: Params) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return self.over(functools.partial(teacher_says, teacher, params))

    def _evaluate(
        self, logits: Callable[..., jax.Array], zsl_logits: Callable[..., jax.Array] | None, params: tuple[Params, ...]
    ) -> Evaluation:
        of_rows = self.over(functools.partial(predict, *function_of(logits), params, self._seen, self._unseen))
        labels_seen, labels_unseen = self._arrays.test_seen_labels, self._arrays.test_unseen_labels
        (predicted_seen, *of_seen), (predicted_unseen, *of_unseen) = of_rows["seen"], of_rows["unseen"]
        best_of_seen, best_of_unseen = Best(*of_seen), Best(*of_unseen)
        seen = metrics.per_class_accuracy(predicted_seen, labels_seen, self._seen)
        unseen = metrics.per_class_accuracy(predicted_unseen, labels_unseen, self._unseen)
        zsl_class = best_of_unseen.unseen_class
        if zsl_logits is not None:
            zsl_class = self._unseen[self.over(functools.partial(_highest, *function_of(zsl_logits), params))["unseen"]]
        zsl = metrics.per_class_accuracy(zsl_class, labels_unseen, self._unseen)
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
        says = self._teacher(teacher, params)
        (predicted, score_seen), (_, score_unseen) = says["seen"], says["unseen"]
        accuracy = metrics.per_class_accuracy(self._seen[predicted], self._arrays.test_seen_labels, self._seen)
        return {
            "seen_accuracy": metrics.mean_over_classes(accuracy),
            "id_accuracy": metrics.share(score_seen > threshold),
            "ood_accuracy": metrics.share(score_unseen <= threshold),
            "auroc": metrics.auroc(score_seen, score_unseen),
            "fpr_at_95": metrics.fpr_at_tpr(score_seen, score_unseen),
        }


def _joined(parts: Sequence[Any]) -> Any:
    """The trees of arrays of all chunks as one, on the host."""
    return jax.tree.map(lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves]), *parts)


def function_of(logits: Callable[..., jax.Array]) -> tuple[Callable[..., jax.Array], Hashable]:
    """A method as its function and the frozen object it is of, what is compiled then being shared by equal objects (bound methods
    are equal only where the object is the very same); another function and None."""
    return getattr(logits, "__func__", logits), getattr(logits, "__self__", None)


def logits_of(
    function: Callable[..., jax.Array], of: Hashable, params: tuple[Params, ...], features: jax.Array
) -> jax.Array:
    """The logits by what `function_of` made of their function."""
    return function(*(() if of is None else (of,)), *params, features)


@functools.partial(jax.jit, static_argnums=(0, 1))
def predict(
    function: Callable[..., jax.Array], of: Hashable, params: tuple[Params, ...], seen: jax.Array, unseen: jax.Array,
    features: jax.Array,
) -> tuple[jax.Array, ...]:
    """Predicted ids, and the fields of `Best`."""
    logits = logits_of(function, of, params, features)
    return jnp.argmax(logits, axis=-1), *best_of(logits, seen, unseen)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _highest(
    function: Callable[..., jax.Array], of: Hashable, params: tuple[Params, ...], features: jax.Array
) -> jax.Array:
    """Of each row, the place of the highest logit."""
    return jnp.argmax(logits_of(function, of, params, features), axis=-1)


def best_of(logits: Any, seen: Any, unseen: Any) -> tuple[Any, ...]:
    """The fields of `Best` of logits (n, C) by class id, of JAX or of NumPy as they are; `seen`, `unseen`: class ids."""
    return tuple(part for ids in (seen, unseen) for part in (ids[logits[:, ids].argmax(axis=-1)], logits[:, ids].max(axis=-1)))


@functools.partial(jax.jit, static_argnums=0)
def teacher_says(teacher: Teacher, params: Params, features: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of each row, the seen index of the highest logit, and the score max log_softmax."""
    logits = teacher.logits(params, features)
    return jnp.argmax(logits, axis=-1), in_distribution_score(logits)


def _chunks(parts: Sequence[np.ndarray], batch: int, on_device: bool) -> list[np.ndarray | jax.Array]:
    """The rows of all `parts`, one after another, in equal chunks of at most `batch`, at least one, the last padded with zero rows.
    Only where a chunk ends one part and begins the next are rows copied."""
    rows = sum(map(len, parts))
    size = max(math.ceil(rows / max(math.ceil(rows / batch), 1)), 1)
    found = []
    for start in range(0, max(rows, 1), size):
        pieces, first = [], 0
        for part in parts:
            pieces.append(part[max(start - first, 0) : max(start + size - first, 0)])
            first += len(part)
        pieces = [piece for piece in pieces if len(piece)]
        if (missing := size - sum(map(len, pieces))) > 0:
            pieces.append(np.zeros((missing, *parts[0].shape[1:]), parts[0].dtype))
        chunk = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        found.append(jax.device_put(chunk) if on_device else chunk)
    return found
