"""D3 as a part that can be added to any generative base method: the student, the confidence, and L_D3."""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax import networks
from d3gzsl_jax.losses import distillation as terms
from d3gzsl_jax.training.randomness import stream
from d3gzsl_jax.training.structures import Batch, Classes, Params, Terms
from d3gzsl_jax.training.teacher import Teacher

TERM_NAMES = ("cls", "od", "be", "kl")


@dataclasses.dataclass(frozen=True)
class Distillation:
    """L_D3 = w_cls L_cls + w_od L_od + w_be L_be + w_kl L_kl (arXiv 2402.11424), with its three parameter groups.

    A term of weight 0 is not computed in training; with all four at 0 nothing of D3 is, and no unseen row is synthesized.
    """

    teacher: Teacher
    classes: int
    embedding_width: int
    n_syn: int
    weight_cls: float
    weight_od: float
    weight_be: float
    weight_kl: float
    variant: str = "released"
    score: str = "msp"
    target: str = "class"
    temperature: float = 1.0

    groups = ("student_embedding", "student_head", "confidence")

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each term by its name."""
        return {name: getattr(self, f"weight_{name}") for name in TERM_NAMES}

    @property
    def active(self) -> bool:
        """Whether any term has weight."""
        return any(self.weights.values())

    @property
    def embedding(self) -> networks.Embedding:
        """E at the width of this part."""
        return networks.Embedding(width=self.embedding_width)

    @property
    def head(self) -> networks.StudentHead:
        """The classifier on top of the embedding."""
        return networks.StudentHead(classes=self.classes)

    @property
    def confidence(self) -> networks.Confidence:
        """c(s)."""
        return networks.Confidence()

    def init(self, key: jax.Array, feature_size: int) -> Params:
        """Fresh parameters of 'student_embedding', 'student_head' and 'confidence'."""
        embedding = jnp.zeros((1, self.embedding_width))
        return {
            "student_embedding": self.embedding.init(stream(key, "student_embedding"), jnp.zeros((1, feature_size))),
            "student_head": self.head.init(stream(key, "student_head"), embedding),
            "confidence": self.confidence.init(stream(key, "confidence"), jnp.zeros((1,))),
        }

    def unseen_labels(self, classes: Classes) -> jax.Array:
        """Original ids (M,) of the synthesized rows, class-major: all n_syn rows of the first unseen class, then the next."""
        return jnp.repeat(classes.unseen, self.n_syn)

    def terms(
        self, params: Params, teacher: Params, classes: Classes, batch: Batch, unseen: jax.Array,
        names: tuple[str, ...] = TERM_NAMES,
    ) -> Terms:
        """The named unweighted terms of one evaluation.

        Args:
            params: groups 'student_embedding', 'student_head', 'confidence'.
            teacher: the frozen teacher's parameters; gradients flow through it to the synthesized rows.
            batch: B real rows.
            unseen: (M, dx) synthesized rows for `unseen_labels`.
            names: which of 'cls', 'od', 'be', 'kl' to compute.
        """
        count = unseen.shape[0]
        labels = jnp.concatenate([self.unseen_labels(classes), batch.labels])
        with jax.named_scope("student"):
            embedding = self.embedding.apply(params["student_embedding"], jnp.concatenate([unseen, batch.features]))
            logits, ood_logits = self.head.apply(params["student_head"], embedding)
        found = {}
        if "cls" in names:
            found["cls"] = terms.classification_loss(logits, labels)
        if "od" in names:
            with jax.named_scope("teacher"):
                unseen_logits = self.teacher.logits(teacher, unseen)
            score = terms.in_distribution_score(jnp.concatenate([unseen_logits, batch.teacher.logits]), self.score)
            confidence = self.confidence.apply(params["confidence"], score)
            groups = terms.pair_groups(labels, count, self.target)
            found["od"] = terms.batch_ood_distillation(confidence, ood_logits, groups, self.variant)
        if "be" in names:
            found["be"] = terms.embedding_distillation(
                batch.teacher.unit_embedding, embedding[count:], batch.labels, self.variant
            )
        if "kl" in names:
            seen_logits = logits[count:][:, classes.seen]
            found["kl"] = terms.label_distillation(batch.teacher.logits, seen_logits, self.variant, self.temperature)
        return found

    def loss(
        self, params: Params, teacher: Params, classes: Classes, batch: Batch, unseen: jax.Array
    ) -> tuple[jax.Array, Terms]:
        """L_D3 and the terms that have weight; arguments as in `terms`."""
        found = self.terms(
            params, teacher, classes, batch, unseen, tuple(n for n in TERM_NAMES if self.weights[n] != 0.0)
        )
        total = sum((self.weights[name] * value for name, value in found.items()), jnp.float32(0.0))
        return total, found

    def logits(self, params: Params, features: jax.Array) -> jax.Array:
        """The student's logits (n, C) for features (n, dx): prediction is their argmax and nothing else."""
        embedding = self.embedding.apply(params["student_embedding"], features)
        return self.head.apply(params["student_head"], embedding, method=self.head.classify)
