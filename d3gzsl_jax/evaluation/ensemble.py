"""D3's student and the final classifier together, as one predictor."""

import dataclasses

import jax

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.structures import Params


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """The mean of both predictors' log-probabilities: a logarithmic opinion pool (Genest and Zidek 1986) with equal weights.

    The student tells seen rows from unseen ones, which its losses are about; the classifier tells the unseen classes apart. It
    costs no training.

    Attributes:
        objective: with the student.
        classifier: the final classifier.
    """

    objective: Objective
    classifier: FinalClassifier

    def logits(self, params: Params, classifier: Params, features: jax.Array) -> jax.Array:
        """(n, C) by original id, of features (n, dx); the arguments of `FinalClassifier.logits`."""
        student = jax.nn.log_softmax(self.objective.student_logits(params, features))
        return 0.5 * (student + jax.nn.log_softmax(self.classifier.logits(params, classifier, features)))
