"""D3 as a part that can be added to any generative base method: the student, the confidence, and L_D3.

The student's embedding is a network of its own on a base without one, and the base's on a base that has one; which of the two is
training/objective.py's business, so embeddings come in as arrays here.
"""

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
    """L_D3 = w_cls L_cls + w_od L_od + w_be L_be + w_kl L_kl (arXiv 2402.11424), with its parameter groups.

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

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each term by its name."""
        return {name: getattr(self, f"weight_{name}") for name in TERM_NAMES}

    @property
    def active(self) -> bool:
        """Whether any term has weight."""
        return any(self.weights.values())

    def groups(self, own_embedding: bool) -> tuple[str, ...]:
        """Parameter groups, stepped in both phases: none unless active; without an embedding of its own, the base's is shared."""
        return (("student_embedding",) if own_embedding else ()) + ("student_head", "confidence") if self.active else ()

    @property
    def embedding(self) -> networks.Embedding:
        """E_s, where it is a network of its own."""
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

    def embed(self, params: Params, features: jax.Array) -> jax.Array:
        """E_s(x) by the student's own embedding: features (n, dx) to (n, width)."""
        with jax.named_scope("student"):
            return self.embedding.apply(params["student_embedding"], features)

    def unseen_labels(self, classes: Classes) -> jax.Array:
        """Original ids (M,) of the synthesized rows, class-major: all n_syn rows of the first unseen class, then the next."""
        return jnp.repeat(classes.unseen, self.n_syn)

    def terms(
        self, params: Params, teacher: Params, classes: Classes, batch: Batch, unseen: jax.Array, embedding: jax.Array,
        names: tuple[str, ...] = TERM_NAMES,
    ) -> Terms:
        """The named unweighted terms of one evaluation.

        Args:
            params: groups 'student_head' and 'confidence'.
            teacher: the frozen teacher's parameters; gradients flow through it to the synthesized rows.
            batch: B real rows.
            unseen: (M, dx) synthesized rows for `unseen_labels`.
            embedding: (M + B, width) the student's embedding of the synthesized rows, then of the real ones.
            names: which of 'cls', 'od', 'be', 'kl' to compute.
        """
        count = unseen.shape[0]
        labels = jnp.concatenate([self.unseen_labels(classes), batch.labels])
        with jax.named_scope("student"):
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
        self, params: Params, teacher: Params, classes: Classes, batch: Batch, unseen: jax.Array, embedding: jax.Array
    ) -> tuple[jax.Array, Terms]:
        """L_D3 and the terms that have weight; arguments as in `terms`."""
        found = self.terms(
            params, teacher, classes, batch, unseen, embedding, tuple(n for n in TERM_NAMES if self.weights[n] != 0.0)
        )
        total = sum((self.weights[name] * value for name, value in found.items()), jnp.float32(0.0))
        return total, found

    def classify(self, params: Params, embedding: jax.Array) -> jax.Array:
        """The student's logits (n, C) for its embeddings (n, width): prediction is their argmax and nothing else."""
        return self.head.apply(params["student_head"], embedding, method="classify")
