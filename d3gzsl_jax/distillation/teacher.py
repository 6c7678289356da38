"""The teacher ("OOD model"): pretrained on real seen rows, then frozen; its outputs on real rows are constants."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.adam import descend, scale_by_adam
from d3gzsl_jax.frameworks.finite import blamed_input
from d3gzsl_jax.frameworks.structures import Params, TeacherOutputs
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.classification import classification_loss
from d3gzsl_jax.losses.pairwise import unit_rows


@dataclasses.dataclass(frozen=True)
class Teacher:
    """E_o and C_o, a classifier of the seen classes: logits over seen indices."""

    seen: int
    embedding_width: int

    @property
    def embedding(self) -> networks.Embedding:
        """E at the width of this part."""
        return networks.Embedding(width=self.embedding_width)

    @property
    def head(self) -> networks.LinearClassifier:
        """C_o: logits over seen indices (positions in the sorted list of seen ids)."""
        return networks.LinearClassifier(classes=self.seen)

    def init(self, key: jax.Array, feature_size: int) -> Params:
        """Fresh parameters: {'embedding', 'head'}."""
        return {
            "embedding": self.embedding.init(stream(key, "teacher_embedding"), jnp.zeros((1, feature_size))),
            "head": self.head.init(stream(key, "teacher_head"), jnp.zeros((1, self.embedding_width))),
        }

    def logits(self, params: Params, features: jax.Array) -> jax.Array:
        """C_o(E_o(x)): (n, dx) to (n, |S|)."""
        return self.head.apply(params["head"], self.embedding.apply(params["embedding"], features))

    def outputs(self, params: Params, features: jax.Array) -> TeacherOutputs:
        """What the distillation terms need of real rows: unit embeddings (n, width) and logits (n, |S|)."""
        embedding = self.embedding.apply(params["embedding"], features)
        return TeacherOutputs(unit_embedding=unit_rows(embedding), logits=self.head.apply(params["head"], embedding))


@dataclasses.dataclass(frozen=True)
class TeacherTraining:
    """How the teacher is fitted: Adam on loss_weight * NLL(log_softmax(C_o(E_o(x))), seen index)."""

    learning_rate: float
    loss_weight: float
    beta1: float = 0.5
    beta2: float = 0.999

    @property
    def adam(self) -> optax.GradientTransformation:
        """Adam with the decays of this run."""
        return scale_by_adam(self.beta1, self.beta2)

    def init(self, params: Params) -> optax.OptState:
        """A fresh optimiser state."""
        return self.adam.init(params)

    def update(
        self, teacher: Teacher, params: Params, opt_state: optax.OptState, features: jax.Array, seen_index: jax.Array
    ) -> tuple[Params, optax.OptState, jax.Array]:
        """One update on features (B, dx) and seen indices (B,); returns the loss before it as well."""

        def loss(params: Params) -> jax.Array:
            return self.loss_weight * classification_loss(teacher.logits(params, features), seen_index)

        return descend(self.adam, self.learning_rate, loss, params, opt_state)


def epoch_rows(key: jax.Array, epoch: jax.Array | int, rows: int, batch: int) -> jax.Array:
    """Row numbers (rows // batch, batch) of one shuffled pretraining epoch, the last partial batch dropped."""
    order = jax.random.permutation(jax.random.fold_in(stream(key, "teacher_rows"), epoch), rows)
    batches = rows // batch
    return order[: batches * batch].reshape(batches, batch)


def pretrain(
    teacher: Teacher,
    training: TeacherTraining,
    key: jax.Array,
    features: np.ndarray,
    seen_index: np.ndarray,
    epochs: int,
    batch: int,
    resident: bool,
    advance: Callable[[], None],
) -> Params:
    """Fits a fresh teacher to all real seen rows.

    Args:
        key: of the run; initial weights and shuffles follow from it.
        features, seen_index: (N, dx) float32 and (N,) int32.
        epochs, batch: shuffled batches, the last partial one dropped.
        resident: whether the features go to the device as a whole, one call an epoch; else batch by batch, the same up to rounding.
        advance: called after every epoch.

    Raises:
        DivergenceError: naming the epoch at which the loss was not finite.
    """
    params = jax.jit(lambda key: teacher.init(key, features.shape[1]))(key)
    opt_state = training.init(params)
    rows_of = jax.jit(lambda epoch: epoch_rows(key, epoch, len(features), batch))

    def update(carry: tuple[Params, optax.OptState], rows: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        params, opt_state, loss = training.update(teacher, *carry, *rows)
        return (params, opt_state), loss

    step = jax.jit(update, donate_argnums=0)
    whole = jax.jit(
        lambda carry, features, labels, rows: jax.lax.scan(lambda c, r: update(c, (features[r], labels[r])), carry, rows),
        donate_argnums=0,
    )
    table = jax.device_put((features, seen_index)) if resident else None
    carry = (params, opt_state)
    for epoch in range(epochs):
        rows = rows_of(epoch)
        if resident:
            carry, losses = whole(carry, *table, rows)
        else:
            losses = []
            for chosen in np.asarray(rows):
                carry, loss = step(carry, (features[chosen], seen_index[chosen]))
                losses.append(loss)
        if not np.isfinite(np.asarray(losses)).all():
            advice = blamed_input(features, "lower config.teacher.learning_rate")
            raise DivergenceError(f"teacher pretraining stopped at epoch {epoch}: the loss is not finite; {advice}")
        advance()
    return carry[0]
