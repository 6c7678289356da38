"""The final classifier of generative zero-shot learning: one softmax over real seen rows and synthesized unseen rows."""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax.evaluation.synthesis import synthesize_classes
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.training.randomness import stream
from d3gzsl_jax.training.softmax import SoftmaxTraining
from d3gzsl_jax.training.structures import Classes, Params


@dataclasses.dataclass(frozen=True)
class FinalClassifier:
    """Fitted from scratch on the base method's embedding, or on raw features where the base has none (Xian et al. 2018).

    Attributes:
        framework: synthesizes and embeds.
        softmax: how the linear classifier over all C classes is fitted.
        n_syn: rows synthesized per unseen class.
    """

    framework: Framework
    softmax: SoftmaxTraining
    n_syn: int

    def synthesize(self, params: Params, key: jax.Array, classes: Classes) -> jax.Array:
        """Embedded synthesized rows (|U| n_syn, width), class-major."""
        return synthesize_classes(self.framework, params, key, classes.semantics, classes.unseen, self.n_syn, self.framework.embed)

    def fit(self, params: Params, key: jax.Array, classes: Classes, features: jax.Array, labels: jax.Array) -> Params:
        """The fitted classifier; to be jitted by the caller.

        Args:
            params: of the base method.
            key: noise, initial weights and shuffles follow from it.
            classes: all classes.
            features, labels: real seen rows (N, dx) and their original ids (N,).
        """
        inputs = jnp.concatenate([self.framework.embed(params, features), self.synthesize(params, stream(key, "noise"), classes)])
        synthesized_labels = jnp.repeat(classes.unseen, self.n_syn)
        return self.softmax.fit(key, inputs, jnp.concatenate([labels, synthesized_labels]))

    def logits(self, params: Params, classifier: Params, features: jax.Array) -> jax.Array:
        """Logits (n, C) by original id for features (n, dx)."""
        return self.softmax.logits(classifier, self.framework.embed(params, features))
