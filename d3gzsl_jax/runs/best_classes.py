"""The compiled program that predicts: the best classes of feature rows, with probabilities."""

import functools

import jax

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.evaluation.class_scores import ClassScores
from d3gzsl_jax.evaluation.ensemble import Ensemble
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.structures import Params


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def best_classes(
    objective: Objective, final: FinalClassifier | Ensemble | ClassScores | None, top: int, params: Params, teacher: Params,
    classifier: Params, seen: jax.Array, features: jax.Array, offset: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None]:
    """The arrays of `Predictions`, by the final classifier, an ensemble or a baseline, or by the student where that is None;
    `offset` (1, C), if there is one, is taken off the logits."""
    if isinstance(final, ClassScores):
        logits = final.logits(classifier, features)
    else:
        logits = final.logits(params, classifier, features) if final else objective.student_logits(params, features)
    probabilities = jax.nn.softmax(logits if offset is None else logits - offset)
    best, classes = jax.lax.top_k(probabilities, top)
    like = jax.nn.softmax(objective.distillation.teacher.logits(teacher, features)).max(axis=-1) if teacher else None
    return classes, best, probabilities[:, seen].sum(axis=-1), like
