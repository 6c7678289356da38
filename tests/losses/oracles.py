"""Every loss again, written from the equations with plain numpy loops in double precision."""

import math

import numpy as np


def softmax(v):
    e = [math.exp(x - max(v)) for x in v]
    return [x / sum(e) for x in e]


def cosine(a, b):
    return float(a @ b) / (max(np.linalg.norm(a), 1e-8) * max(np.linalg.norm(b), 1e-8))


def entropy_of_logit(s, y):
    return max(s, 0) - s * y + math.log(1 + math.exp(-abs(s)))


def entropy_of_probability(p, y):
    p = min(max(p, 1e-6), 1 - 1e-6)
    return -(y * math.log(p) + (1 - y) * math.log(1 - p))


def pairs(a, b, groups, variant):
    entropy = entropy_of_logit if variant == "released" else entropy_of_probability
    n = len(groups)
    values = [entropy((1 + cosine(a[i], b[j])) / 2, float(groups[i] == groups[j])) for i in range(n) for j in range(n)]
    return sum(values) / n**2


def classification(logits, labels):
    return -sum(math.log(softmax(row)[y]) for row, y in zip(logits, labels, strict=True)) / len(labels)


def label_distillation(t, v, variant, tau):
    total = 0.0
    for ti, vi in zip(t, v, strict=True):
        if variant == "released":
            p, q, scale = softmax(softmax(list(ti))), softmax(softmax(list(vi))), 1.0
        else:
            p, q, scale = softmax([x / tau for x in ti]), softmax([x / tau for x in vi]), tau**2
        total += scale * sum(pk * (math.log(pk) - math.log(qk)) for pk, qk in zip(p, q, strict=True))
    return total / len(t)


def score(t, kind):
    if kind == "msp":
        return [math.log(max(softmax(list(row)))) for row in t]
    if kind == "energy":
        return [math.log(sum(math.exp(x) for x in row)) for row in t]
    return [max(row) for row in t]


def batch_ood(confidence, ood_logits, groups, variant):
    student = np.array([softmax(list(row)) for row in ood_logits])
    teacher = np.array([softmax([c, 1 - c]) for c in confidence])
    return pairs(student, teacher, groups, variant)


def gradient_penalty(gradients):
    return sum((math.sqrt(sum(x * x for x in g)) - 1) ** 2 for g in gradients) / len(gradients)


def instance_contrast(z, labels, tau):
    n, anchors = len(z), []
    for i in range(n):
        others = [k for k in range(n) if k != i]
        positives = [k for k in others if labels[k] == labels[i]]
        if positives:
            probabilities = softmax([float(z[i] @ z[k]) / tau for k in others])
            anchors.append(-sum(math.log(probabilities[others.index(p)]) for p in positives) / len(positives))
    return sum(anchors) / len(anchors) if anchors else 0.0


def pair_scores(rows, columns, weights, slope):
    leaky = lambda x: x if x > 0 else slope * x  # noqa: E731
    return np.array([[sum(w * leaky(a + b) for w, a, b in zip(weights, r, c, strict=True)) for c in columns] for r in rows])


def binary_cross_entropy(reconstructed, features):
    log = lambda p: max(math.log(p), -100.0) if p > 0 else -100.0  # noqa: E731
    cells = zip(np.ravel(reconstructed), np.ravel(features), strict=True)
    return -sum(x * log(p) + (1 - x) * log(1 - p) for p, x in cells) / len(features)


def mean_squared(predicted, semantics):
    entries = [(x - y) ** 2 for p, a in zip(predicted, semantics, strict=True) for x, y in zip(p, a, strict=True)]
    return sum(entries) / len(entries)


def mutual_learning(w0, wt, wc, u):
    rows = [2 * (k * ((a - b) ** 2 + (c - b) ** 2) + (a - c) ** 2) for a, b, c, k in zip(w0, wt, wc, u, strict=True)]
    return sum(rows) / len(rows)


def semantic_reconstruction(predicted, semantics, variant):
    total = 0.0
    for p, a in zip(predicted, semantics, strict=True):
        d = [x - y for x, y in zip(p, a, strict=True)]
        norm = math.sqrt(sum(x * x for x in d))
        total += sum(abs(x) * (x * x / norm if variant == "released" else 1.0) for x in d) if norm > 0 else 0.0
    return total / len(semantics)


def center_loss(points, table, own, other, margin, share):
    """`other` None: the nearest centre of another class."""
    total = 0.0
    for i, (m, y) in enumerate(zip(points, own, strict=True)):
        distances = [sum((a - b) ** 2 for a, b in zip(m, c, strict=True)) for c in table]
        far = min(d for k, d in enumerate(distances) if k != y) if other is None else distances[other[i]]
        total += max(0.0, margin + share * distances[y] - (1 - share) * far)
    return total / len(points)


def summed_difference(reconstructed, given, power):
    return sum(abs(p - x) ** power for p, x in zip(np.ravel(reconstructed), np.ravel(given), strict=True))


def gaussian_kl(mean, log_variance):
    """Summed over rows: with sigma = exp(v / 2), sum log(1 / sigma) + (sigma^2 + mu^2 - 1) / 2."""
    cells = zip(np.ravel(mean), np.ravel(log_variance), strict=True)
    return sum(-math.log(math.exp(v / 2)) + (math.exp(v / 2) ** 2 + m * m - 1) / 2 for m, v in cells)


def distribution_alignment(mean_x, log_variance_x, mean_a, log_variance_a):
    total = 0.0
    for m, v, n, w in zip(mean_x, log_variance_x, mean_a, log_variance_a, strict=True):
        squares = [(a - b) ** 2 for a, b in zip(m, n, strict=True)]
        squares += [(math.exp(a / 2) - math.exp(b / 2)) ** 2 for a, b in zip(v, w, strict=True)]
        total += math.sqrt(sum(squares))
    return total


def gradient(loss, *arrays):
    """Central differences of an oracle in double precision, by each array."""
    arrays = [np.array(array, dtype=np.float64) for array in arrays]
    found = [np.zeros(array.shape) for array in arrays]
    for array, slopes in zip(arrays, found, strict=True):
        for cell in np.ndindex(array.shape):
            middle, values = array[cell], []
            for array[cell] in (middle + 1e-6, middle - 1e-6):
                values.append(loss(*arrays))
            array[cell] = middle
            slopes[cell] = (values[0] - values[1]) / 2e-6
    return found
