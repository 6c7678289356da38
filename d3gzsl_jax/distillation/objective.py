"""The two losses the step differentiates: a base method's, plus L_D3 where D3 is on."""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.class_rows import once_per_class
from d3gzsl_jax.frameworks.structures import Batch, Classes, Draws, Params, Rows, Synthesized, Terms


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
        d3 = self.distillation
        return d3.n_syn * (d3.unseen_per_step or classes.unseen.shape[0]) if d3.active else 0

    def student_logits(self, params: Params, features: jax.Array) -> jax.Array:
        """The student's logits (n, C) for features (n, dx)."""
        embed = self.distillation.embed if self.own_embedding else self.framework.embed
        return self.distillation.classify(params, embed(params, features))

    def synthesize(self, params: Params, teacher: Params, classes: Classes, labels: jax.Array, draws: Draws) -> Synthesized:
        """What updates synthesize, all in one pass: larger matrix products, and one weight gradient instead of two.

        Args:
            params, teacher, classes: as for `loss`.
            labels: (..., B) original ids of the batches; the leading axes are those of the draws, one entry an update.
            draws: of the updates.
        """
        framework, count = self.framework, labels.shape[-1]
        conditioned = once_per_class(lambda semantics: framework.condition(params, semantics), classes, labels)
        if not self.distillation.active:
            fake = framework.generate(params, conditioned, draws.noise)
            return Synthesized(fake=fake, unseen=fake[..., :0, :], teacher_logits=None)
        unseen = framework.condition(params, classes.semantics[classes.unseen])
        unseen = jnp.repeat(unseen, self.distillation.n_syn, axis=0)  # class-major, as `unseen_labels`
        unseen = jnp.broadcast_to(unseen, (*labels.shape[:-1], *unseen.shape))
        conditioned, noise = jnp.concatenate([conditioned, unseen], -2), jnp.concatenate([draws.noise, draws.unseen_noise], -2)
        rows = framework.generate(params, conditioned, noise)
        fake, unseen = rows[..., :count, :], rows[..., count:, :]
        return Synthesized(fake=fake, unseen=unseen, teacher_logits=self.distillation.teacher_logits(teacher, unseen))

    def loss(
        self, phase: str, params: Params, teacher: Params, classes: Classes, batch: Batch, draws: Draws,
        made: Synthesized | None = None,
    ) -> tuple[jax.Array, Terms]:
        """Scalar loss and terms of one update.

        Args:
            phase: 'critic' or 'generator'.
            params: all parameter groups; only the phase's groups are meant to be differentiated.
            teacher: frozen teacher parameters; unused where D3 is off.
            classes, batch, draws: see frameworks/structures.py.
            made: what `synthesize` returns for this update; None: made here. In the critic phase the generator is held fixed, so
                the rows of all its updates can be made beforehand; in the generator phase they carry its gradient.

        Returns:
            The loss and its terms, 'loss' among them; distillation terms unweighted, 'distillation' their weighted sum.
        """
        real, semantics = batch.features, classes.semantics[batch.labels]
        active = self.distillation.active
        made = self.synthesize(params, teacher, classes, batch.labels, draws) if made is None else made
        real_embedding, fake_embedding, student = self._embeddings(phase, params, real, made)
        rows = Rows(
            real=real, fake=made.fake, labels=batch.labels, semantics=semantics, interpolation=draws.interpolation,
            real_embedding=real_embedding, fake_embedding=fake_embedding,
        )
        base_loss = self.framework.critic_loss if phase == "critic" else self.framework.generator_loss
        loss, found = base_loss(params, classes, rows)
        if not active or student is None:
            return loss, found | {"loss": loss}
        distilled, distilled_terms = self.distillation.loss(params, teacher, classes, batch, made, student)
        total = loss + distilled
        return total, found | distilled_terms | {"distillation": distilled, "loss": total}

    def _embeddings(
        self, phase: str, params: Params, real: jax.Array, made: Synthesized
    ) -> tuple[jax.Array | None, jax.Array | None, jax.Array | None]:
        """Embeddings of real rows, of synthesized rows of their classes, and (unseen, then real rows) the student's."""
        fake, unseen = made.fake, made.unseen
        if self.own_embedding:
            student = self.distillation.embed(params, jnp.concatenate([unseen, real])) if self.distillation.active else None
            return None, None, student
        if phase == "critic":  # the embedding learns from all it sees here: one weight gradient
            student = self.framework.embed(params, jnp.concatenate([unseen, real]))
            return student[len(unseen) :], None, student
        # The embedding is held fixed: only synthesized rows carry a gradient, so the real ones stay out of their product.
        of_real, of_synthesized = self.framework.embed(params, real), self.framework.embed(params, jnp.concatenate([fake, unseen]))
        return of_real, of_synthesized[: len(fake)], jnp.concatenate([of_synthesized[len(fake) :], of_real])
