"""The losses of the method in PyTorch: functions of tensors. Rows are ordered synthesized first; labels are original ids."""

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from tools.parity_parts.torch_oracle_networks import SLOPE, TwoLayers

# Bytes of a block of class scores' hidden layer: larger ones leave the caches, much smaller ones do not keep the threads busy.
BLOCK_BYTES = 16 * 2**20


def penalty_gradients(critic: TwoLayers, points: Tensor, semantics: Tensor) -> Tensor:
    """The critic's gradients (B, dx) at the interpolates (B, dx), differentiable once more."""
    points = points.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(critic(points, semantics).sum(), points, create_graph=True)
    return gradients


def penalty_gradients_in_closed_form(critic: TwoLayers, points: Tensor, semantics: Tensor) -> Tensor:
    """The same written out for the two layers, so that one backward pass is enough (torch.compile knows no second one)."""
    hidden = critic.fc1(torch.cat([points, semantics], dim=1))
    slopes = torch.where(hidden > 0, 1.0, SLOPE) * critic.fc2.weight
    return slopes @ critic.fc1.weight[:, : points.shape[1]]


def gradient_penalty(gradients: Tensor) -> Tensor:
    """mean_i (||g_i|| - 1)^2 of gradients (B, dx)."""
    return (torch.linalg.vector_norm(gradients, dim=1) - 1.0).square().mean()


def pair_loss(cosine: Tensor, match: Tensor, variant: str) -> Tensor:
    """Binary cross-entropy of S = (1 + cos) / 2 (n, m), a logit if 'released' and else a probability, against match (n, m) bool."""
    similarity, target = 0.5 * (1.0 + cosine), match.to(cosine.dtype)
    if variant == "released":
        return functional.binary_cross_entropy_with_logits(similarity, target)
    return functional.binary_cross_entropy(similarity.clamp(1e-6, 1.0 - 1e-6), target)


def unit(rows: Tensor) -> Tensor:
    """Rows (n, d) divided by their norm, which is clamped at 1e-8."""
    return functional.normalize(rows, eps=1e-8)


def embedding_distillation(teacher: Tensor, student: Tensor, labels: Tensor, variant: str) -> Tensor:
    """L_be of real rows: teacher (B, width) unit rows, student (B, width), labels (B,)."""
    return pair_loss(teacher @ unit(student).T, labels[:, None] == labels, variant)


def label_distillation(teacher: Tensor, student: Tensor, variant: str, temperature: float) -> Tensor:
    """L_kl of real rows: logits (B, |S|) of teacher and student."""
    if variant == "released":
        teacher, student, scale = teacher.softmax(1), student.softmax(1), 1.0
    else:
        teacher, student, scale = teacher / temperature, student / temperature, temperature**2
    divergence = functional.kl_div(student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True)
    return scale * divergence


def ood_score(logits: Tensor, score: str) -> Tensor:
    """s (n,) of the teacher's logits (n, |S|)."""
    if score == "msp":
        return logits.log_softmax(1).amax(1)
    return logits.logsumexp(1) if score == "energy" else logits.amax(1)


def ood_distillation(confidence: Tensor, ood_logits: Tensor, groups: Tensor, variant: str) -> Tensor:
    """L_od of all rows: confidence (n,), the student's out-of-distribution logits (n, 2), and group ids (n,) that must be equal."""
    teacher = torch.stack([confidence, 1.0 - confidence], dim=1).softmax(1)
    cosine = unit(ood_logits.softmax(1)) @ unit(teacher).T
    return pair_loss(cosine, groups[:, None] == groups, variant)


def instance_contrast(rows: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """L_ins of unit rows (n, d) with labels (n,)."""
    itself = torch.eye(len(labels), dtype=torch.bool, device=rows.device)
    positive = (labels[:, None] == labels) & ~itself
    logits = rows @ rows.T / temperature
    normalizer = logits.masked_fill(itself, -torch.inf).logsumexp(1)
    count = positive.sum(1)
    mean_positive = (logits * positive).sum(1) / count.clamp(min=1)
    anchors = count > 0
    return ((normalizer - mean_positive) * anchors).sum() / anchors.sum().clamp(min=1)


def class_scores(comparator: TwoLayers, embedding: Tensor, semantics: Tensor, blocks: bool) -> Tensor:
    """F([h_i, a_c]) (n, |S|) for all pairs of embeddings (n, width) and seen semantics (|S|, da).

    The first layer is the sum of two projections. With `blocks` its n |S| rows are formed a few at a time and again in the
    backward pass; without, all at once, which is for a compiler that fuses them away.
    """
    weight = comparator.fc1.weight
    of_rows = embedding @ weight[:, : embedding.shape[1]].T
    of_classes = semantics @ weight[:, embedding.shape[1] :].T + comparator.fc1.bias
    if not blocks:
        hidden = functional.leaky_relu(of_rows[:, None] + of_classes, SLOPE)
        return (hidden * comparator.fc2.weight[0]).sum(-1) + comparator.fc2.bias

    def scores(some_rows: Tensor) -> Tensor:
        hidden = functional.leaky_relu_(some_rows[:, None] + of_classes, SLOPE)
        return functional.linear(hidden, comparator.fc2.weight, comparator.fc2.bias)[..., 0]

    size = max(BLOCK_BYTES // (4 * of_classes.numel()), 1)
    return torch.cat([checkpoint(scores, part, use_reentrant=False) for part in of_rows.split(size)])


def class_contrast(scores: Tensor, seen_index: Tensor, temperature: float) -> Tensor:
    """L_cl of scores (n, |S|) with positions (n,) among the seen classes."""
    return functional.cross_entropy(scores / temperature, seen_index)
