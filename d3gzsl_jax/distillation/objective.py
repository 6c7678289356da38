"""The two losses the step differentiates: a base method's, plus L_D3 where D3 is on."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.schedule import AdamRule, Phase, Update
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Synthesized, Terms, UpdateInputs


@dataclasses.dataclass(frozen=True)
class Objective:
    """Base method + distillation. Turning D3 off (all weights 0) leaves exactly the base method.

    On a base with an embedding of its own (CE-GZSL) that embedding is the student's: it follows both losses where it is trained (in
    the critic phase), and is held fixed elsewhere, where L_D3 reaches the generator, the student's head and the confidence.
    """

    framework: Framework
    distillation: Distillation

    @property
    def own_embedding(self) -> bool:
        """Whether the student has an embedding of its own, because the base has none to share."""
        return not self.framework.embedding_groups

    def groups_of(self, update: Update) -> tuple[str, ...]:
        """Parameter groups stepped by an update."""
        return update.groups + (self.distillation.groups(self.own_embedding) if update.distilled else ())

    @property
    def groups(self) -> tuple[str, ...]:
        """All trained parameter groups, those of the last phase first."""
        phases = [phase for phases in self.framework.phases_by_pass for phase in phases]
        updates = [update for phase in reversed(phases) for update in phase.updates]
        return tuple(dict.fromkeys(group for update in updates for group in self.groups_of(update)))

    @property
    def rules(self) -> dict[str, AdamRule]:
        """How each of `groups` is stepped: those of the method as it says, D3's by the run's settings."""
        of_d3 = self.distillation.groups(self.own_embedding)
        return {group: AdamRule() if group in of_d3 else self.framework.adam(group) for group in self.groups}

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of `groups`, and of groups of the method that no update trains."""
        own = self.framework.init(key)
        params = own | self.distillation.init(key, self.framework.sizes.features)
        return {group: params[group] for group in dict.fromkeys((*self.groups, *own))}

    def unseen_rows(self, classes: Classes) -> int:
        """M, the rows synthesized for unseen classes per update."""
        d3 = self.distillation
        return d3.n_syn * (d3.unseen_per_step or classes.unseen.shape[0]) if d3.active else 0

    def embed(self, params: Params, features: jax.Array) -> jax.Array:
        """The student's embedding E_s(x), (n, width), of features (n, dx)."""
        return (self.distillation.embed if self.own_embedding else self.framework.embed)(params, features)

    def student_logits(self, params: Params, features: jax.Array) -> jax.Array:
        """The student's logits (n, C) for features (n, dx)."""
        return self.distillation.classify(params, self.embed(params, features))

    def make(
        self, phase: Phase, params: Params, teacher: Params, classes: Classes, batch: Batch, draws: dict[str, jax.Array], state: Any
    ) -> Synthesized:
        """What an update synthesizes, or all repeats of a phase that is `made_ahead`: batch and draws then have a leading axis over
        them. Arguments as for `loss`."""
        d3 = self.distillation
        n_syn = d3.n_syn if d3.active and phase.distilled else 0
        fakes, unseen = self.framework.make(phase, params, classes, batch, draws, state, n_syn)
        return Synthesized(fakes=fakes, unseen=unseen, teacher_logits=d3.teacher_logits(teacher, unseen) if n_syn else None)

    def loss(
        self, phase: Phase, update: Update, params: Params, teacher: Params, classes: Classes, batch: Batch,
        draws: dict[str, jax.Array], state: Any, epoch: jax.Array, made: Synthesized | None = None,
    ) -> tuple[jax.Array, Terms]:
        """Scalar loss and terms of one update.

        Args:
            phase, update: which one.
            params: all parameter groups; only the update's groups are meant to be differentiated.
            teacher: frozen teacher parameters; unused where D3 is off.
            classes, batch: see frameworks/structures.py.
            draws: by name, as the phase (and, with D3, `unseen_draws`) has them.
            state: of the method.
            epoch: () int32.
            made: what `make` returns for this update; None: made here, and then it carries a gradient to what it is made of.

        Returns:
            The loss and its terms, 'loss' among them; distillation terms unweighted, 'distillation' their weighted sum.
        """
        active = self.distillation.active and update.distilled
        made = self.make(phase, params, teacher, classes, batch, draws, state) if made is None else made
        real = batch.features[..., : self.framework.sizes.features]
        real_embedding, fake_embedding, student = self._embeddings(update, params, real, made, active)
        inputs = UpdateInputs(
            classes=classes, batch=batch, fakes=made.fakes, draws=draws, state=state, epoch=epoch, real_embedding=real_embedding,
            fake_embedding=fake_embedding,
        )
        loss, found = self.framework.loss(update.name, params, inputs)
        if not active or student is None:
            return loss, found | {"loss": loss}
        distilled, distilled_terms = self.distillation.loss(params, teacher, classes, batch, made, student)
        total = loss + distilled
        return total, found | distilled_terms | {"distillation": distilled, "loss": total}

    def _embeddings(
        self, update: Update, params: Params, real: jax.Array, made: Synthesized, active: bool
    ) -> tuple[jax.Array | None, jax.Array | None, jax.Array | None]:
        """Embeddings of real rows, of synthesized rows of their classes, and (unseen, then real rows) the student's; `active`:
        whether D3 is, in this update."""
        unseen = made.unseen
        if self.own_embedding:
            return None, None, self.distillation.embed(params, jnp.concatenate([unseen, real])) if active else None
        if set(self.framework.embedding_groups) & set(update.groups):  # it learns from all it sees here: one weight gradient
            student = self.framework.embed(params, jnp.concatenate([unseen, real]))
            return student[len(unseen) :], None, student
        # The embedding is held fixed: only synthesized rows carry a gradient, so the real ones stay out of their product.
        fakes = made.fakes
        of_real, of_synthesized = self.framework.embed(params, real), self.framework.embed(params, jnp.concatenate([fakes, unseen]))
        return of_real, of_synthesized[: len(fakes)], jnp.concatenate([of_synthesized[len(fakes) :], of_real])
