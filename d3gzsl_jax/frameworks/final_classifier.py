"""The final classifier of generative zero-shot learning: one softmax over real seen rows and synthesized unseen rows."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Classes, Params
from d3gzsl_jax.frameworks.synthesis import synthesize_classes
from d3gzsl_jax.keys import stream


@dataclasses.dataclass(frozen=True)
class FinalClassifier:
    """Fitted from scratch to what the base method represents rows by: the features themselves, for most (Xian et al. 2018).

    Attributes:
        framework: synthesizes, and says what of a row is looked at.
        softmax: how the linear classifier over all C classes is fitted.
        n_syn: rows synthesized per unseen class.
        logit_adjustment: tau of the logit-adjusted loss (Menon et al. 2021, arXiv 2007.07314): tau log(share of a class among the
            rows) is added to its logit in the loss, and not in prediction. 0: none; 1: the balanced error is what is minimised.
    """

    framework: Framework
    softmax: SoftmaxTraining
    n_syn: int
    logit_adjustment: float = 0.0

    def synthesize(self, params: Params, key: jax.Array, classes: Classes) -> jax.Array:
        """Synthesized rows as they are represented, (|U| n_syn, width), class-major."""
        return synthesize_classes(self.framework, params, key, classes.semantics, classes.unseen, self.n_syn, represented=True)

    def init(self, key: jax.Array, params: Params, features: int) -> Params:
        """Fresh parameters for features of this size."""
        width = jax.eval_shape(self.framework.represent, params, jax.ShapeDtypeStruct((1, features), jnp.float32)).shape[1]
        return self.softmax.init(key, width)

    def fit(self, params: Params, key: jax.Array, classes: Classes, features: jax.Array, labels: jax.Array) -> Params:
        """The fitted classifier.

        Args:
            params: of the base method.
            key: noise, initial weights and shuffles follow from it.
            classes: all classes.
            features, labels: real seen rows (N, dx) and their original ids (N,).
        """
        return self.fits(params, key, classes, features, labels, (self.softmax.epochs,))[0]

    @functools.partial(jax.jit, static_argnums=(0, 6))
    def fits(
        self, params: Params, key: jax.Array, classes: Classes, features: jax.Array, labels: jax.Array, after: tuple[int, ...]
    ) -> list[Params]:
        """The classifier after each of the ascending numbers of epochs `after`, see `SoftmaxTraining.fits`. Compiled."""
        draws = {name: draw.sample(stream(key, name), len(features)) for name, draw in self.framework.real_draws().items()}
        real = self.framework.represent_real(params, features, draws)
        inputs = jnp.concatenate([real, self.synthesize(params, stream(key, "noise"), classes)])
        labels = jnp.concatenate([labels, jnp.repeat(classes.unseen, self.n_syn)])
        offset: jax.Array | float = 0.0
        if self.logit_adjustment:
            rows = jnp.bincount(labels, length=self.softmax.classes)
            # A class without a row (no synthesis) keeps a finite offset, that of half a row.
            offset = self.logit_adjustment * jnp.log(jnp.maximum(rows, 0.5) / len(labels))
        return self.softmax.fits(key, inputs, labels, after, offset)

    def logits(self, params: Params, classifier: Params, features: jax.Array) -> jax.Array:
        """Logits (n, C) by original id for features (n, dx)."""
        return self.softmax.logits(classifier, self.framework.represent(params, features))
