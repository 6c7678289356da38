"""The teacher ("OOD model"): pretrained on real seen rows, then frozen; its outputs on real rows are constants."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import optax

from d3gzsl_jax import networks
from d3gzsl_jax.losses.distillation import classification_loss
from d3gzsl_jax.losses.pairwise import unit_rows
from d3gzsl_jax.training.optimizers import scale_by_adam
from d3gzsl_jax.training.randomness import stream
from d3gzsl_jax.training.structures import Params, TeacherOutputs


@dataclasses.dataclass(frozen=True)
class Teacher:
    """E_o and C_o, a classifier of the seen classes: logits over seen indices."""

    seen: int
    embedding_width: int

    @property
    def embedding(self) -> networks.Embedding:
        return networks.Embedding(width=self.embedding_width)

    @property
    def head(self) -> networks.TeacherHead:
        return networks.TeacherHead(seen=self.seen)

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

        value, gradients = jax.value_and_grad(loss)(params)
        directions, opt_state = self.adam.update(gradients, opt_state)
        params = jax.tree.map(lambda p, d: p - jnp.float32(self.learning_rate) * d, params, directions)
        return params, opt_state, value


def epoch_rows(key: jax.Array, epoch: jax.Array | int, rows: int, batch: int) -> jax.Array:
    """Row numbers (rows // batch, batch) of one shuffled pretraining epoch, the last partial batch dropped."""
    order = jax.random.permutation(jax.random.fold_in(stream(key, "teacher_rows"), epoch), rows)
    batches = rows // batch
    return order[: batches * batch].reshape(batches, batch)


@partial(jax.jit, static_argnames=("teacher", "training", "batch"), donate_argnames=("params", "opt_state"))
def pretrain_epoch(
    teacher: Teacher,
    training: TeacherTraining,
    params: Params,
    opt_state: optax.OptState,
    key: jax.Array,
    epoch: jax.Array,
    features: jax.Array,
    seen_index: jax.Array,
    batch: int,
) -> tuple[Params, optax.OptState, jax.Array]:
    """One epoch over device-resident features (N, dx) and seen indices (N,); returns the sum of the batch losses."""

    def body(carry: tuple[Params, optax.OptState], rows: jax.Array) -> tuple[tuple[Params, optax.OptState], jax.Array]:
        *carry, value = training.update(teacher, *carry, features[rows], seen_index[rows])
        return tuple(carry), value

    (params, opt_state), losses = jax.lax.scan(body, (params, opt_state), epoch_rows(key, epoch, features.shape[0], batch))
    return params, opt_state, losses.sum()
