"""L_D3 = w_cls L_cls + w_od L_od (O²DBD) + w_be L_be + w_kl L_kl (ID²SD): its terms, for any generative base method.

The student's embedding is a network of its own on a base without one, and the base's on a base that has one; which of the two is
distillation/objective.py's business, so embeddings come in as arrays here.
"""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax.distillation import student
from d3gzsl_jax.distillation.teacher import Teacher
from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Synthesized, TeacherOutputs, Terms
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses import distillation as terms
from d3gzsl_jax.losses.classification import negative_log_likelihood
from d3gzsl_jax.losses.pairwise import SampledPairs

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
    unseen_per_step: int = 0  # unseen classes sampled for an outer step, see distillation/unseen_sampling.py; 0: all of them
    head: str = "all"

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
    def confidence(self) -> student.Confidence:
        """c(s)."""
        return student.Confidence()

    def init(self, key: jax.Array, feature_size: int) -> Params:
        """Fresh parameters of 'student_embedding', 'student_head' and 'confidence'."""
        embedding = jnp.zeros((1, self.embedding_width))
        return {
            "student_embedding": self.embedding.init(stream(key, "student_embedding"), jnp.zeros((1, feature_size))),
            "student_head": student.StudentHead(classes=self.classes).init(stream(key, "student_head"), embedding),
            "confidence": self.confidence.init(stream(key, "confidence"), jnp.zeros((1,))),
        }

    def embed(self, params: Params, rows: jax.Array) -> jax.Array:
        """E_s(x) by the student's own embedding: rows that begin with features (n, dx), see `networks.embed`, to (n, width)."""
        with jax.named_scope("student"):
            return networks.embed(self.embedding_width, params["student_embedding"], rows)

    def unseen_labels(self, classes: Classes) -> jax.Array:
        """Original ids (M,) of the synthesized rows, class-major: all n_syn rows of the first unseen class, then the next."""
        return jnp.repeat(classes.unseen, self.n_syn)

    def teacher_logits(self, teacher: Params, unseen: jax.Array) -> jax.Array | None:
        """The teacher's logits (..., M, S) of synthesized rows; None where no term needs them."""
        if not self.weight_od:
            return None
        with jax.named_scope("teacher"):
            return self.teacher.logits(teacher, unseen)

    def narrows(self, classes: Classes) -> bool:
        """Whether a step on these classes narrows the head to them."""
        return self.active and self.head == "sampled" and classes.unseen.shape[0] < self.classes - self.teacher.seen

    def terms(
        self, params: Params, teacher: Params, classes: Classes, batch: Batch, unseen: jax.Array, embedding: jax.Array,
        names: tuple[str, ...] = TERM_NAMES, unseen_logits: jax.Array | None = None,
    ) -> Terms:
        """The named unweighted terms of one evaluation.

        With a sample of the unseen classes, synthesized rows and pairs are weighted by one over the chance that they are in it: the
        expectation of L_cls and L_od is then their value over all unseen classes (L_be and L_kl see real rows only). With a
        narrowed head, a sampled column also stands for u / n classes in the softmax's normalizer and in H. Its expectation is
        right, that of its logarithm is not: L_cls is then low by about half the relative variance of the normalizer.

        Args:
            params: groups 'student_head' and 'confidence'.
            teacher: the frozen teacher's parameters; gradients flow through it to the synthesized rows.
            batch: B real rows.
            unseen: (M, dx) synthesized rows for `unseen_labels`.
            embedding: (M + B, width) the student's embedding of the synthesized rows, then of the real ones.
            names: which of 'cls', 'od', 'be', 'kl' to compute.
            unseen_logits: (M, S) the teacher's logits of the synthesized rows, if they are there already.
        """
        count = unseen.shape[0]
        labels = jnp.concatenate([self.unseen_labels(classes), batch.labels])
        sample, weights, columns = self._sample(params, classes, labels, count)
        with jax.named_scope("student"):
            logits, log_probabilities, ood_logits = networks.apply(self._head(params), params["student_head"], embedding, columns)
        found = {}
        if "cls" in names:
            rows = labels.shape[0] if sample is None else sample.count
            found["cls"] = negative_log_likelihood(log_probabilities, labels, weights, rows)
        if "od" in names:
            if unseen_logits is None:
                with jax.named_scope("teacher"):
                    unseen_logits = self.teacher.logits(teacher, unseen)
            # Apart, then together: the same bits row by row. XLA compiles no concatenation fused into a softmax for some GPUs.
            scores = [terms.in_distribution_score(logits, self.score) for logits in (unseen_logits, _known(batch.teacher).logits)]
            score = jnp.concatenate(scores)
            confidence = networks.apply(self.confidence, params["confidence"], score)
            groups = terms.pair_groups(labels, count, self.target)
            width = self._head(params).classes  # no label is as large, of a narrowed head either
            found["od"] = terms.batch_ood_distillation(confidence, ood_logits, groups, width, self.variant, sample)
        if "be" in names:
            found["be"] = terms.embedding_distillation(
                _known(batch.teacher).unit_embedding, embedding[count:], batch.labels, self.variant
            )
        if "kl" in names:
            seen_logits = logits[count:][:, classes.seen]
            found["kl"] = terms.label_distillation(_known(batch.teacher).logits, seen_logits, self.variant, self.temperature)
        return found

    def loss(
        self, params: Params, teacher: Params, classes: Classes, batch: Batch, made: Synthesized, embedding: jax.Array
    ) -> tuple[jax.Array, Terms]:
        """L_D3 and the terms that have weight; arguments as in `terms`."""
        names = tuple(name for name in TERM_NAMES if self.weights[name] != 0.0)
        found = self.terms(params, teacher, classes, batch, made.unseen, embedding, names, made.teacher_logits)
        total = sum((self.weights[name] * value for name, value in found.items()), jnp.float32(0.0))
        return total, found

    def classify(self, params: Params, embedding: jax.Array) -> jax.Array:
        """The student's logits (n, C) for its embeddings (n, width): prediction is their argmax and nothing else."""
        return networks.apply(self._head(params), params["student_head"], embedding, method="classify")

    def _head(self, params: Params) -> student.StudentHead:
        """The head at the width of its parameters, which a step may have narrowed."""
        return student.StudentHead(classes=params["student_head"]["params"]["classifier"]["linear"]["bias"].shape[0])

    def _sample(
        self, params: Params, classes: Classes, labels: jax.Array, count: int
    ) -> tuple[SampledPairs | None, jax.Array | None, jax.Array | None]:
        """Weights of pairs, rows and the head's columns where the unseen classes are a sample; None each where they are all."""
        total, drawn, real = self.classes - self.teacher.seen, classes.unseen.shape[0], labels.shape[0] - count
        if drawn == total:
            return None, None, None
        once, twice = total / drawn, total * (total - 1) / (drawn * (drawn - 1)) if drawn > 1 else 0.0
        synthesized = jnp.arange(labels.shape[0]) < count
        sample = SampledPairs(labels, synthesized, once, twice, self.n_syn * total + real)
        width = self._head(params).classes
        columns = jnp.where(jnp.arange(width) < classes.seen.shape[0], 1.0, once) if width < self.classes else None
        return sample, jnp.where(synthesized, once, 1.0), columns


def _known(outputs: TeacherOutputs | None) -> TeacherOutputs:
    """The teacher's outputs, which are there wherever a term is computed."""
    assert outputs is not None
    return outputs
