"""The final classifier of generative zero-shot learning: one softmax over real seen rows and synthesized unseen rows."""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.training.randomness import stream
from d3gzsl_jax.training.softmax import SoftmaxTraining
from d3gzsl_jax.training.structures import Classes, Params

_CHUNK_ROWS = 2048  # rows synthesized at a time


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
        """Embedded synthesized rows (|U| n_syn, width), class-major, made a few classes at a time. The noise of a class follows
        from its id, so neither the chunks nor the other classes change it."""

        def one_class(label: jax.Array) -> jax.Array:
            noise = jax.random.normal(jax.random.fold_in(key, label), (self.n_syn, self.framework.sizes.noise))
            semantics = jnp.broadcast_to(classes.semantics[label], (self.n_syn, classes.semantics.shape[1]))
            return self.framework.embed(params, self.framework.synthesize(params, semantics, noise))

        if self.n_syn == 0:
            return self.framework.embed(params, jnp.zeros((0, self.framework.sizes.features)))
        chunk = min(max(_CHUNK_ROWS // self.n_syn, 1), len(classes.unseen))
        rows = jax.lax.map(one_class, classes.unseen, batch_size=chunk)
        return rows.reshape(-1, rows.shape[-1])

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
