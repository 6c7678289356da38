"""What explains the end of a run in numbers: telling seen from unseen, calibration, accuracies of rows, the generator's quality."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.data.scaling import SplitArrays
from d3gzsl_jax.evaluation import metrics
from d3gzsl_jax.evaluation.evaluate import Evaluator, function_of, logits_of
from d3gzsl_jax.evaluation.generator_quality import quality
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.structures import Classes, Params
from d3gzsl_jax.frameworks.synthesis import synthesize
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.distillation import SCORES, in_distribution_score

_ROWS, _CLASSES = 100, 200  # synthesized per class, and at most so many classes
_SEPARATING = (*SCORES, "seen_mass")

Logits = Callable[..., jax.Array]


class Predictor(NamedTuple):
    """`logits`(*params, features (n, dx)) -> (n, C) by original id."""

    logits: Logits
    params: tuple[Params, ...]


def of_predictors(
    evaluator: Evaluator, arrays: SplitArrays, classes: Classes, predictors: dict[str, Predictor], teacher: Predictor | None
) -> dict[str, Any]:
    """How predictors tell seen from unseen rows, and how far their confidence can be believed.

    Per-row figures are made on the device, so that no (rows, C) logits are gathered.

    Args:
        evaluator, arrays: of the test rows.
        classes: all of them.
        predictors: by name.
        teacher: its logits are (n, |S|), by seen index; None without one.

    Returns:
        'ood': by predictor and score ('msp', 'energy', 'max_logit' over the seen classes; 'seen_mass', the probability of all
        seen classes together, where there are unseen ones) 'auroc', 'aupr', 'fpr_at_95' of test-seen (positive) against test-unseen
        rows. By predictor, 'confusion': shares of unseen rows taken for a seen class and the reverse; 'accuracy' over rows (micro)
        and classes (macro); 'calibration_error' on seen and on unseen rows.
    """
    found: dict[str, Any] = {"ood": {}, "confusion": {}, "accuracy": {}, "calibration_error": {}}
    if teacher:
        found["ood"]["teacher"] = _separation(_rows(evaluator, teacher))
    for name, predictor in predictors.items():
        rows = _rows(evaluator, predictor, classes)
        for key, values in _of_predictor(rows, arrays, classes).items():
            found[key][name] = values
    return found


def measured_classes(unseen: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The unseen classes whose synthesized rows `of_generator` measures: those that have test rows, not all of very many.

    Args:
        unseen: class ids.
        labels: of the test rows.
    """
    tested = np.intersect1d(unseen, labels)
    return tested[np.linspace(0, len(tested) - 1, min(len(tested), _CLASSES)).astype(int)]


def of_generator(framework: Framework, params: Params, arrays: SplitArrays, classes: Classes, root: jax.Array) -> dict[str, float]:
    """`quality` of the rows synthesized for unseen classes that have test rows."""
    chosen = measured_classes(np.asarray(classes.unseen), arrays.test_unseen_labels)
    if not len(chosen):
        return {}
    made = np.asarray(
        synthesize(framework, params, stream(root, "details"), classes.semantics, jnp.asarray(chosen, jnp.int32), _ROWS)
    )
    return quality(arrays.test_unseen_features, arrays.test_unseen_labels, made, np.repeat(chosen, _ROWS))


def _rows(evaluator: Evaluator, predictor: Predictor, classes: Classes | None = None) -> dict[str, dict[str, np.ndarray]]:
    """By test split and name, the figures of its rows; `classes`: see `_figures`."""
    logits = functools.partial(_logits, *function_of(predictor.logits), predictor.params)
    return evaluator.over_apart(lambda features: _figures(logits(features), classes))


_logits = jax.jit(logits_of, static_argnums=(0, 1))


@jax.jit
def _figures(logits: jax.Array, classes: Classes | None) -> dict[str, jax.Array]:
    """Of each row: scores over the seen columns of its logits (n, C), its prediction and the probability of that. Without
    `classes`, the scores over all columns alone. A program by itself: all predictors share it."""
    if classes is None:
        return {score: in_distribution_score(logits, score) for score in SCORES}
    seen = logits[:, classes.seen]
    found = {score: in_distribution_score(seen, score) for score in SCORES}
    total = jax.nn.logsumexp(logits, axis=-1)
    # Log odds rank rows as the mass does, and still tell them apart where it rounds to 1.
    found["seen_mass"] = jax.nn.logsumexp(seen, axis=-1) - jax.nn.logsumexp(logits[:, classes.unseen], axis=-1)
    return found | {"predicted": jnp.argmax(logits, axis=-1), "confidence": jnp.exp(jnp.max(logits, axis=-1) - total)}


def _separation(rows: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, float]]:
    """AUROC, AUPR and FPR@95 of seen against unseen rows by each score."""
    found = {}
    for score in (score for score in _SEPARATING if score in rows["seen"]):
        pair = rows["seen"][score], rows["unseen"][score]
        found[score] = {"auroc": metrics.auroc(*pair), "aupr": metrics.aupr(*pair), "fpr_at_95": metrics.fpr_at_tpr(*pair)}
    return found


def _of_predictor(rows: dict[str, dict[str, np.ndarray]], arrays: SplitArrays, classes: Classes) -> dict[str, dict[str, Any]]:
    labels = {"seen": arrays.test_seen_labels, "unseen": arrays.test_unseen_labels}
    own = {"seen": np.asarray(classes.seen), "unseen": np.asarray(classes.unseen)}
    accuracy: dict[str, float] = {}
    error, mistaken = {}, {}
    for split, other in (("seen", "unseen"), ("unseen", "seen")):
        predicted, confidence = rows[split]["predicted"], rows[split]["confidence"]
        right = predicted == labels[split]
        by_class = metrics.per_class_accuracy(predicted, labels[split], own[split])
        accuracy |= {f"micro_{split}": metrics.share(right), f"macro_{split}": metrics.mean_over_classes(by_class)}
        error[split] = metrics.calibration_error(confidence, right)
        mistaken[f"{split}_as_{other}"] = metrics.share(np.isin(predicted, own[other]))
    return {"ood": _separation(rows), "confusion": mistaken, "accuracy": accuracy, "calibration_error": error}
