"""The two losses the step differentiates: a base method's, plus L_D3 where D3 is on."""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.training.distillation import Distillation
from d3gzsl_jax.training.structures import Batch, Classes, Draws, Params, Terms


@dataclasses.dataclass(frozen=True)
class Objective:
    """Base method + distillation. Turning D3 off (all weights 0) leaves exactly the base method."""

    framework: Framework
    distillation: Distillation

    @property
    def critic_groups(self) -> tuple[str, ...]:
        """Parameter groups stepped by the critic phase."""
        return self.framework.critic_groups + (self.distillation.groups if self.distillation.active else ())

    @property
    def generator_groups(self) -> tuple[str, ...]:
        """Parameter groups stepped by the generator phase."""
        return self.framework.generator_groups + (self.distillation.groups if self.distillation.active else ())

    def unseen_rows(self, classes: Classes) -> int:
        """M, the rows synthesized for unseen classes per update."""
        return self.distillation.n_syn * classes.unseen.shape[0] if self.distillation.active else 0

    def loss(
        self, phase: str, params: Params, teacher: Params, classes: Classes, batch: Batch, draws: Draws
    ) -> tuple[jax.Array, Terms]:
        """Scalar loss and terms of one update.

        Args:
            phase: 'critic' or 'generator'.
            params: all parameter groups; only the phase's groups are meant to be differentiated.
            teacher: frozen teacher parameters.
            classes, batch, draws: see training/structures.py.

        Returns:
            The loss and its terms, 'loss' among them; distillation terms unweighted, 'distillation' their weighted sum.
        """
        semantics = classes.semantics[batch.labels]
        rows = batch.labels.shape[0]
        noise = draws.noise
        base_loss = getattr(self.framework, f"{phase}_loss")
        if not self.distillation.active:
            fake = self.framework.synthesize(params, semantics, noise)
            loss, found = base_loss(params, batch, semantics, fake, draws)
            return loss, found | {"loss": loss}
        unseen_semantics = classes.semantics[self.distillation.unseen_labels(classes)]
        # All rows of this update are synthesized in one pass: larger matrix products, and one weight gradient instead of two.
        synthesized = self.framework.synthesize(
            params, jnp.concatenate([semantics, unseen_semantics]), jnp.concatenate([noise, draws.unseen_noise])
        )
        fake, unseen = synthesized[:rows], synthesized[rows:]
        loss, found = base_loss(params, batch, semantics, fake, draws)
        distilled, distilled_terms = self.distillation.loss(params, teacher, classes, batch, unseen)
        total = loss + distilled
        return total, found | distilled_terms | {"distillation": distilled, "loss": total}
