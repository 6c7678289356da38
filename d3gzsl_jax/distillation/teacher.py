"""The teacher ("OOD model"): pretrained on real seen rows, then frozen; its outputs on real rows are constants."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.adam import descend, scale_by_adam
from d3gzsl_jax.frameworks.finite_check import blamed_input
from d3gzsl_jax.frameworks.structures import Params, TeacherOutputs
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.classification import classification_loss
from d3gzsl_jax.losses.pairwise import unit_rows
from d3gzsl_jax.system.keys_ahead import KeysAhead


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

    def embed(self, params: Params, rows: jax.Array) -> jax.Array:
        """E_o(x) (n, width) of rows that begin with features, see `networks.embed`."""
        return networks.embed(self.embedding_width, params["embedding"], rows)

    def logits(self, params: Params, rows: jax.Array) -> jax.Array:
        """C_o(E_o(x)): rows (n, dx), or wider, to (n, |S|)."""
        return networks.apply(self.head, params["head"], self.embed(params, rows))

    def outputs(self, params: Params, rows: jax.Array) -> TeacherOutputs:
        """What the distillation terms need of real rows (n, dx), or wider: unit embeddings (n, width) and logits (n, |S|)."""
        embedding = self.embed(params, rows)
        return TeacherOutputs(unit_embedding=unit_rows(embedding), logits=networks.apply(self.head, params["head"], embedding))


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
    carry = _begin((teacher, training, features.shape[1]), key)
    table = jax.device_put((features, seen_index)) if resident else None
    for epoch in range(epochs):
        rows = _epoch_rows(key, epoch, len(features), batch)
        if table is not None:
            carry, losses = _update_epoch(training, teacher, carry, *table, rows)
        else:
            losses = []
            for chosen in np.asarray(rows):
                carry, loss = _update(training, teacher, carry, features[chosen], seen_index[chosen])
                losses.append(loss)
        if not np.isfinite(np.asarray(losses)).all():
            advice = blamed_input(features, "lower config.teacher.learning_rate")
            raise DivergenceError(f"teacher pretraining stopped at epoch {epoch}: the loss is not finite; {advice}")
        advance()
    return carry[0]


Carry = tuple[Params, optax.OptState]


def _begun(teacher: Teacher, training: TeacherTraining, feature_size: int, key: jax.Array) -> Carry:
    params = teacher.init(key, feature_size)
    return params, training.init(params)


_begin = KeysAhead(_begun)
_epoch_rows = jax.jit(epoch_rows, static_argnums=(2, 3))


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _update(
    training: TeacherTraining, teacher: Teacher, carry: Carry, features: jax.Array, seen_index: jax.Array
) -> tuple[Carry, jax.Array]:
    """One update on features (B, dx) and seen indices (B,), with the loss before it."""
    params, opt_state, loss = training.update(teacher, *carry, features, seen_index)
    return (params, opt_state), loss


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _update_epoch(
    training: TeacherTraining, teacher: Teacher, carry: Carry, features: jax.Array, seen_index: jax.Array, rows: jax.Array
) -> tuple[Carry, jax.Array]:
    """The updates on rows (updates, B) of all features (N, dx) and seen indices (N,), with their losses (updates,)."""

    def update(carry: Carry, chosen: jax.Array) -> tuple[Carry, jax.Array]:
        params, opt_state, loss = training.update(teacher, *carry, features[chosen], seen_index[chosen])
        return (params, opt_state), loss

    return jax.lax.scan(update, carry, rows)
