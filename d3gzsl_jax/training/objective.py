"""The two losses the step differentiates: a base method's, plus L_D3 where D3 is on."""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.training.distillation import Distillation
from d3gzsl_jax.training.structures import Batch, Classes, Draws, Params, Rows, Terms


@dataclasses.dataclass(frozen=True)
class Objective:
    """Base method + distillation. Turning D3 off (all weights 0) leaves exactly the base method.

    On a base with an embedding of its own (CE-GZSL) that embedding is the student's: it follows both losses in the critic phase,
    and is held fixed in the generator phase, where L_D3 reaches the generator, the student's head and the confidence.
    """

    framework: Framework
    distillation: Distillation

    @property
    def own_embedding(self) -> bool:
        """Whether the student has an embedding of its own, because the base has none to share."""
        return not self.framework.learns_embedding

    @property
    def critic_groups(self) -> tuple[str, ...]:
        """Parameter groups stepped by the critic phase."""
        return self.framework.critic_groups + self.distillation.groups(self.own_embedding)

    @property
    def generator_groups(self) -> tuple[str, ...]:
        """Parameter groups stepped by the generator phase."""
        return self.framework.generator_groups + self.distillation.groups(self.own_embedding)

    @property
    def groups(self) -> tuple[str, ...]:
        """All trained parameter groups."""
        return tuple(dict.fromkeys(self.generator_groups + self.critic_groups))

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of `groups`."""
        params = self.framework.init(key) | self.distillation.init(key, self.framework.sizes.features)
        return {group: params[group] for group in self.groups}

    def unseen_rows(self, classes: Classes) -> int:
        """M, the rows synthesized for unseen classes per update."""
        return self.distillation.n_syn * classes.unseen.shape[0] if self.distillation.active else 0

    def student_logits(self, params: Params, features: jax.Array) -> jax.Array:
        """The student's logits (n, C) for features (n, dx)."""
        embed = self.distillation.embed if self.own_embedding else self.framework.embed
        return self.distillation.classify(params, embed(params, features))

    def loss(
        self, phase: str, params: Params, teacher: Params, classes: Classes, batch: Batch, draws: Draws
    ) -> tuple[jax.Array, Terms]:
        """Scalar loss and terms of one update.

        Args:
            phase: 'critic' or 'generator'.
            params: all parameter groups; only the phase's groups are meant to be differentiated.
            teacher: frozen teacher parameters; unused where D3 is off.
            classes, batch, draws: see training/structures.py.

        Returns:
            The loss and its terms, 'loss' among them; distillation terms unweighted, 'distillation' their weighted sum.
        """
        real, semantics = batch.features, classes.semantics[batch.labels]
        active, count = self.distillation.active, batch.labels.shape[0]
        if active:
            # All rows of an update are synthesized in one pass: larger matrix products, and one weight gradient instead of two.
            unseen_semantics = classes.semantics[self.distillation.unseen_labels(classes)]
            synthesized = self.framework.synthesize(
                params, jnp.concatenate([semantics, unseen_semantics]), jnp.concatenate([draws.noise, draws.unseen_noise])
            )
        else:
            synthesized = self.framework.synthesize(params, semantics, draws.noise)
        fake, unseen = synthesized[:count], synthesized[count:]
        real_embedding, fake_embedding, student = self._embeddings(phase, params, real, synthesized)
        rows = Rows(
            real=real, fake=fake, labels=batch.labels, semantics=semantics, interpolation=draws.interpolation,
            real_embedding=real_embedding, fake_embedding=fake_embedding,
        )
        base_loss = self.framework.critic_loss if phase == "critic" else self.framework.generator_loss
        loss, found = base_loss(params, classes, rows)
        if not active:
            return loss, found | {"loss": loss}
        distilled, distilled_terms = self.distillation.loss(params, teacher, classes, batch, unseen, student)
        total = loss + distilled
        return total, found | distilled_terms | {"distillation": distilled, "loss": total}

    def _embeddings(
        self, phase: str, params: Params, real: jax.Array, synthesized: jax.Array
    ) -> tuple[jax.Array | None, jax.Array | None, jax.Array | None]:
        """Embeddings of real rows, of synthesized rows of their classes, and (unseen, then real rows) the student's."""
        unseen = synthesized[len(real) :]
        if self.own_embedding:
            student = self.distillation.embed(params, jnp.concatenate([unseen, real])) if self.distillation.active else None
            return None, None, student
        if phase == "critic":  # the embedding learns from all it sees here: one weight gradient
            student = self.framework.embed(params, jnp.concatenate([unseen, real]))
            return student[len(unseen) :], None, student
        # The embedding is held fixed: only synthesized rows carry a gradient, so the real ones stay out of their product.
        of_real, of_synthesized = self.framework.embed(params, real), self.framework.embed(params, synthesized)
        return of_real, of_synthesized[: len(real)], jnp.concatenate([of_synthesized[len(real) :], of_real])
