"""The distillation losses of D3GZSL (arXiv 2402.11424): ID²SD (L_be and L_kl) and O²DBD (L_od); L_cls is in classification.py.
How they are assembled is in distillation/terms.py.

Rows are ordered synthesized first, then real; labels are original class ids. Every function takes arrays only. The two
variants are 'released' (what the published code computes; the default) and 'described' (what the paper writes).
"""

import jax
import jax.numpy as jnp
import optax

from d3gzsl_jax.losses.pairwise import SampledPairs, pair_loss, unit_rows
from d3gzsl_jax.losses.plane_pairs import plane_pair_loss

VARIANTS = ("released", "described")
SCORES = ("msp", "energy", "max_logit")
TARGETS = ("class", "domain")
PAIRED_ROWS = 1024
"""Up to so many rows L_od forms its pairs, which costs little: the sums over rows of its gradient then follow a matrix product,
and a seed has the same bits alone and after others in one program (config.parallel.seeds_as)."""


def embedding_distillation(
    teacher_unit: jax.Array, student_embedding: jax.Array, labels: jax.Array, variant: str = "released"
) -> jax.Array:
    """L_be (ID2SD, embedding space) over real rows: S_ij = (1 + cos(E_o(x_i), E_s(x_j))) / 2 against [y_i = y_j].

    Args:
        teacher_unit: (B, d) teacher embeddings with unit rows: constants of the data, normalised once (`unit_rows`).
        student_embedding: (B, d) student embeddings, not normalised.
        labels: (B,) class ids.
        variant: 'released' or 'described', see `pair_loss`.
    """
    return pair_loss(teacher_unit, unit_rows(student_embedding), labels, variant)


def label_distillation(
    teacher_logits: jax.Array, student_seen_logits: jax.Array, variant: str = "released", temperature: float = 1.0
) -> jax.Array:
    """L_kl (ID2SD, label space) over real rows: (1/B) sum P (log P - log Q), student restricted to the seen columns.

    Args:
        teacher_logits, student_seen_logits: (B, |S|) in seen-index order.
        variant: 'released' applies softmax twice on both sides and ignores the temperature; 'described' uses
            P = softmax(t / tau), Q = softmax(v / tau) and the factor tau^2 (Hinton et al. 2015, arXiv 1503.02531).
        temperature: tau > 0.
    """
    if variant == "released":
        log_p = jax.nn.log_softmax(jax.nn.softmax(teacher_logits))
        log_q = jax.nn.log_softmax(jax.nn.softmax(student_seen_logits))
        scale = 1.0
    elif variant == "described":
        log_p = jax.nn.log_softmax(teacher_logits / temperature)
        log_q = jax.nn.log_softmax(student_seen_logits / temperature)
        scale = temperature**2
    else:
        raise ValueError(f"unknown variant {variant!r}, expected one of {VARIANTS}")
    return scale * jnp.mean(optax.losses.kl_divergence_with_log_targets(log_q, log_p))


def in_distribution_score(teacher_logits: jax.Array, score: str = "msp") -> jax.Array:
    """s_i (n,), larger for rows the teacher finds in-distribution, from its logits (n, |S|).

    Args:
        score: 'msp' = max_k log_softmax(t)_k <= 0 (Hendrycks and Gimpel 2017), 'energy' = logsumexp(t) (Liu et al. 2020),
            'max_logit' = max_k t_k (Hendrycks et al. 2022).
    """
    if score == "msp":
        return jnp.max(jax.nn.log_softmax(teacher_logits), axis=-1)
    if score == "energy":
        return jax.nn.logsumexp(teacher_logits, axis=-1)
    if score == "max_logit":
        return jnp.max(teacher_logits, axis=-1)
    raise ValueError(f"unknown score {score!r}, expected one of {SCORES}")


def batch_ood_distillation(
    confidence: jax.Array, student_ood_logits: jax.Array, groups: jax.Array, classes: int, variant: str = "released",
    sample: SampledPairs | None = None,
) -> jax.Array:
    """L_od (O2DBD) over all rows: R_ij = (1 + cos(softmax(h_i), softmax([c_j, 1 - c_j]))) / 2 against [group_i = group_j].

    Args:
        confidence: (n,) in (0, 1), c(s) of the teacher's score.
        student_ood_logits: (n, 2) logits h of the student's out-of-distribution head.
        groups: (n,) ids in [0, classes) that make a pair match: class ids, or 0/1 for the domain (`pair_groups`).
        classes: how many ids there can be, in `groups` and among the labels of `sample`.
        variant: 'released' or 'described', see `pair_loss`; of more than `PAIRED_ROWS` rows the first is computed in time linear
            in the rows (losses/plane_pairs.py).
        sample: what the rows are a sample of, see `pair_loss`.
    """
    teacher = jax.nn.softmax(jnp.stack([confidence, 1.0 - confidence], axis=-1))
    rows = unit_rows(jax.nn.softmax(student_ood_logits)), unit_rows(teacher)
    if variant == "released" and confidence.shape[0] > PAIRED_ROWS:
        return plane_pair_loss(*rows, groups, classes, sample)
    return pair_loss(*rows, groups, variant, sample)


def pair_groups(labels: jax.Array, synthesized: int, target: str = "class") -> jax.Array:
    """What makes two rows of O2DBD a matching pair, as ids (n,).

    Args:
        labels: (n,) original ids, the synthesized rows first.
        synthesized: how many of the rows are synthesized.
        target: 'class' (same class) or 'domain' (both seen or both unseen).
    """
    if target == "class":
        return labels
    if target != "domain":
        raise ValueError(f"unknown target {target!r}, expected one of {TARGETS}")
    return (jnp.arange(labels.shape[0]) >= synthesized).astype(labels.dtype)
