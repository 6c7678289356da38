"""The method's training in PyTorch, written from its description: what this package is compared with and measured against.

Both bases, with and without D3. Eager PyTorch as its users would write it for speed: all rows of an update in few products,
torch.optim.Adam, derivatives by autograd, the gradient penalty's by autograd.grad(create_graph=True). It imports torch and numpy
only, nothing of this package, so that a mistake has to be made twice to go unseen.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.parity_parts import torch_oracle_losses as losses
from tools.parity_parts.torch_oracle_networks import Sizes, TeacherOutputs, array_names, build_networks, load_arrays
from tools.parity_parts.torch_oracle_options import Options


class Classes(NamedTuple):
    """semantics (C, da); seen (S,) and unseen (U,) original ids, ascending."""

    semantics: np.ndarray
    seen: np.ndarray
    unseen: np.ndarray


class Batch(NamedTuple):
    """Real rows: features (B, dx) float32, labels (B,) int64 original ids, the teacher on them (None without D3)."""

    features: Tensor
    labels: Tensor
    teacher: TeacherOutputs | None


class Draws(NamedTuple):
    """z (B, dz), alpha (B, 1) (unused by the generator's update), z_u (M, dz) (unused without D3)."""

    noise: Tensor
    interpolation: Tensor
    unseen_noise: Tensor


Terms = dict[str, Tensor]


class Oracle:
    """Networks, optimisers and updates of one run, in torch's default dtype.

    Args:
        sizes, options, classes: see there.
        init: parameters by their names in the recordings; the teacher's among them where D3 is on.
    """

    build = staticmethod(build_networks)

    def __init__(self, sizes: Sizes, options: Options, classes: Classes, init: dict[str, np.ndarray]) -> None:
        self.options, self.sizes, self.epoch = options, sizes, 0
        self.networks = self.build(options.base, options.d3, sizes)
        load_arrays(self.networks, init)
        self._shared = options.base == "cegzsl"  # D3's student embedding is the base's
        self._semantics = torch.tensor(classes.semantics, dtype=torch.get_default_dtype())
        self._seen = torch.tensor(np.array(classes.seen, np.int64))
        self._seen_index = torch.full((len(self._semantics),), -1).scatter(0, self._seen, torch.arange(len(self._seen)))
        self._unseen_labels = torch.tensor(np.array(classes.unseen, np.int64)).repeat_interleave(options.n_syn)
        for name in ("teacher_embed", "teacher_head"):
            if name in self.networks:
                self.networks[name].requires_grad_(False)
        self.optimizers, self._factors = self._make_optimizers()
        students = [name for name in ("student_embed", "student_head", "confidence") if name in self.optimizers]
        self.phases = {"critic": ["critic", *students], "generator": ["generator", *students]}
        self._losses: dict[str, Callable[..., tuple[Tensor, Terms]]] = {
            "critic": self._critic_loss, "generator": self._generator_loss,
        }
        if options.compile:
            self._losses = {phase: torch.compile(loss, dynamic=False) for phase, loss in self._losses.items()}

    def _make_optimizers(self) -> tuple[dict[str, torch.optim.Adam], dict[str, float]]:
        o = self.options
        networks = {"generator": ["generator"], "critic": ["critic"]}
        factors = {"generator": o.factor_generator, "critic": o.factor_critic}
        if self._shared:
            networks["critic"] += ["embed", "comparator"]  # one Adam over the three
        if o.d3:
            own = [] if self._shared else ["student_embed"]
            networks |= {name: [name] for name in [*own, "student_head", "confidence"]}
            factors |= {"student_embed": o.factor_student, "student_head": o.factor_student, "confidence": o.factor_confidence}
        adam = {
            group: torch.optim.Adam(
                [parameter for name in names for parameter in self.networks[name].parameters()], lr=o.learning_rate,
                betas=(o.beta1, o.beta2), eps=1e-8, fused=True,
            )
            for group, names in networks.items()
        }
        return adam, factors

    @torch.no_grad()
    def batch(self, features: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> Batch:
        """Real rows with the frozen teacher on them: constants, which a run computes once for all its rows."""
        features = torch.as_tensor(features, dtype=torch.get_default_dtype())
        teacher = self._teach(features) if self.options.d3 else None
        return Batch(features, torch.as_tensor(labels, dtype=torch.int64), teacher)

    def _teach(self, features: Tensor) -> TeacherOutputs:
        embedding = self.networks["teacher_embed"](features)
        return TeacherOutputs(losses.unit(embedding), self.networks["teacher_head"](embedding))

    def critic_update(self, batch: Batch, draws: Draws) -> Terms:
        """One update of critic (with CE-GZSL's embedding and comparator), student and confidence; returns the loss's terms."""
        return self._update("critic", batch, draws)

    def generator_update(self, batch: Batch, draws: Draws) -> Terms:
        """One update of generator, student and confidence; returns the loss's terms."""
        return self._update("generator", batch, draws)

    def outer_step(self, batches: list[Batch], draws: list[Draws]) -> list[Terms]:
        """A critic update per batch, then a generator update on the last; draws has one more entry than batches."""
        terms = [self.critic_update(*pair) for pair in zip(batches, draws[:-1], strict=True)]
        return [*terms, self.generator_update(batches[-1], draws[-1])]

    def end_epoch(self) -> None:
        """Moves the learning rates where an epoch ends that is due, and clears the comparator's gradient."""
        self.epoch += 1
        if self.epoch % self.options.decay_every == 0:
            for group, optimizer in self.optimizers.items():
                optimizer.param_groups[0]["lr"] *= self._factors[group]
        if self._shared:
            self.networks["comparator"].zero_grad()

    def parameters(self) -> dict[str, np.ndarray]:
        """All parameters by their names in the recordings, copied."""
        return {name: parameter.detach().numpy().copy() for name, parameter in array_names(self.networks).items()}

    def gradients(self) -> dict[str, np.ndarray]:
        """What the last update of each parameter fed to its Adam, copied."""
        named = array_names(self.networks).items()
        return {name: parameter.grad.numpy().copy() for name, parameter in named if parameter.grad is not None}

    def learning_rates(self) -> dict[str, float]:
        """By optimiser: 'generator', 'critic' and, with D3, 'student_embed', 'student_head', 'confidence'."""
        return {group: optimizer.param_groups[0]["lr"] for group, optimizer in self.optimizers.items()}

    @torch.no_grad()
    def student_logits(self, features: Tensor) -> Tensor:
        """(n, dx) to (n, C)."""
        return self.networks["student_head"](self._student_embed(features))

    @property
    def _student_embed(self) -> torch.nn.Module:
        return self.networks["embed" if self._shared else "student_embed"]

    def _update(self, phase: str, batch: Batch, draws: Draws) -> Terms:
        optimizers = [self.optimizers[group] for group in self.phases[phase]]
        summed = self._shared and self.options.comparator_gradient == "released"
        keep = set(self.networks["comparator"].parameters()) if summed else set()
        trained = [parameter for optimizer in optimizers for parameter in optimizer.param_groups[0]["params"]]
        for parameter in trained:
            if parameter not in keep:
                parameter.grad = None
        loss, terms = self._losses[phase](batch, draws)
        loss.backward(inputs=trained)
        for optimizer in optimizers:
            optimizer.step()
        return {name: value.detach() for name, value in terms.items()} | {"loss": loss.detach()}

    def _synthesize(self, batch: Batch, draws: Draws) -> tuple[Tensor, Tensor]:
        """Rows of the batch's classes (B, dx) and of the unseen ones (M, dx; none without D3), in one pass."""
        labels, noise = batch.labels, draws.noise
        if self.options.d3:
            labels, noise = torch.cat([labels, self._unseen_labels]), torch.cat([noise, draws.unseen_noise])
        rows = self.networks["generator"](noise, self._semantics[labels])
        return rows[: len(batch.labels)], rows[len(batch.labels) :]

    def _critic_loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Terms]:
        o, critic, real = self.options, self.networks["critic"], batch.features
        semantics = self._semantics[batch.labels]
        with torch.no_grad():
            fake, unseen = self._synthesize(batch, draws)
            points = draws.interpolation * real + (1.0 - draws.interpolation) * fake
        closed = o.explicit_penalty or o.compile
        if closed:
            scores = critic(torch.cat([real, fake]), semantics.repeat(2, 1))
            wasserstein = scores[: len(real)].mean() - scores[len(real) :].mean()
        else:
            # Two passes, so that what cancels between them cancels exactly: Adam turns a gradient that is zero but for rounding
            # into a step that can be seen.
            wasserstein = critic(real, semantics).mean() - critic(fake, semantics).mean()
        of_points = losses.penalty_gradients_in_closed_form if closed else losses.penalty_gradients
        penalty = o.penalty_weight * losses.gradient_penalty(of_points(critic, points, semantics))
        loss, terms = penalty - wasserstein, {"wasserstein": wasserstein, "gradient_penalty": penalty}
        student = None
        if o.d3 or self._shared:
            student = self._student_embed(torch.cat([unseen, real]))
        if self._shared:
            contrasts = self._contrasts(student[len(unseen) :], None, batch.labels)
            loss, terms = loss + sum(contrasts.values()), terms | contrasts
        return self._with_d3(loss, terms, batch, unseen, student)

    def _generator_loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Terms]:
        o, count = self.options, len(batch.labels)
        fake, unseen = self._synthesize(batch, draws)
        adversarial = -self.networks["critic"](fake, self._semantics[batch.labels]).mean()
        loss, terms, student = adversarial, {"adversarial": adversarial}, None
        if self._shared:  # the embedding is held fixed: nothing of it is stepped, and real rows carry no gradient
            with torch.no_grad():
                of_real = self.networks["embed"](batch.features)
            of_fake = self.networks["embed"](torch.cat([fake, unseen]))
            contrasts = self._contrasts(of_fake[:count], of_real, batch.labels)
            loss = loss + o.weight_instance * contrasts["instance_contrast"] + o.weight_class * contrasts["class_contrast"]
            terms, student = terms | contrasts, torch.cat([of_fake[count:], of_real])
        elif o.d3:
            student = self._student_embed(torch.cat([unseen, batch.features]))
        return self._with_d3(loss, terms, batch, unseen, student)

    def _contrasts(self, embedding: Tensor, constant: Tensor | None, labels: Tensor) -> Terms:
        """CE-GZSL's two, unweighted, of embeddings (B, width); `constant` ones (B, width) of the same labels join the first."""
        o, embed = self.options, self.networks["embed"]
        projected, repeated = embed.project(embedding), labels
        if constant is not None:
            with torch.no_grad():
                fixed = embed.project(constant)
            projected, repeated = torch.cat([projected, fixed]), labels.repeat(2)
        seen = self._semantics[self._seen]
        scores = losses.class_scores(self.networks["comparator"], embedding, seen, blocks=not o.compile)
        return {
            "instance_contrast": losses.instance_contrast(projected, repeated, o.temperature_instance),
            "class_contrast": losses.class_contrast(scores, self._seen_index[labels], o.temperature_class),
        }

    def _with_d3(
        self, loss: Tensor, terms: Terms, batch: Batch, unseen: Tensor, student: Tensor | None
    ) -> tuple[Tensor, Terms]:
        """Adds L_D3 of M synthesized rows, the real ones and the student's embedding (M + B, width) of both."""
        o, count = self.options, len(unseen)
        if not o.d3:
            return loss, terms
        head, found = self.networks["student_head"], {}
        labels = torch.cat([self._unseen_labels, batch.labels])
        logits = head(student)
        if o.weight_cls:
            found["cls"] = functional.cross_entropy(logits, labels)
        if o.weight_od:
            teacher = torch.cat([self.networks["teacher_head"](self.networks["teacher_embed"](unseen)), batch.teacher.logits])
            confidence = self.networks["confidence"](losses.ood_score(teacher, o.score))
            groups = labels if o.target == "class" else torch.arange(len(labels)) < count
            found["od"] = losses.ood_distillation(confidence, head.ood(logits), groups, o.variant)
        if o.weight_be:
            found["be"] = losses.embedding_distillation(batch.teacher.embedding, student[count:], batch.labels, o.variant)
        if o.weight_kl:
            of_seen = logits[count:].index_select(1, self._seen)
            found["kl"] = losses.label_distillation(batch.teacher.logits, of_seen, o.variant, o.temperature)
        distillation = sum(getattr(o, f"weight_{name}") * term for name, term in found.items())
        return loss + distillation, terms | found | {"distillation": distillation}
