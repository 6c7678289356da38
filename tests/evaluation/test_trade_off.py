"""The exact curve and its area against brute force: every threshold, predictions made anew from the logits."""

import numpy as np

from d3gzsl_jax.evaluation.curves import Best, area, trade_off
from d3gzsl_jax.evaluation.metrics import mean_over_classes, per_class_accuracy


def best_of(logits, seen, unseen):
    of_seen, of_unseen = logits[:, seen], logits[:, unseen]
    return Best(seen[of_seen.argmax(1)], of_seen.max(1), unseen[of_unseen.argmax(1)], of_unseen.max(1))


def brute_force(logits, labels, seen, unseen):
    """AUSUC: U and S at gammas between and beyond all margins, by argmax over logits with gamma taken from the seen columns."""
    margins = np.concatenate([rows[:, seen].max(1) - rows[:, unseen].max(1) for rows in logits])
    ends = np.unique(margins)
    gammas = np.concatenate([[ends[0] - 1], (ends[:-1] + ends[1:]) / 2, [ends[-1] + 1]])
    found = []
    for gamma in gammas:
        accuracies = []
        for rows, truth, classes in zip(logits, labels, (seen, unseen), strict=True):
            shifted = rows.copy()
            shifted[:, seen] -= gamma
            accuracies.append(mean_over_classes(per_class_accuracy(shifted.argmax(1), truth, classes)))
        found.append(accuracies)
    s, u = np.array(found).T
    return abs(np.sum((u[1:] - u[:-1]) * (s[1:] + s[:-1]) / 2))


def test_ausuc_against_brute_force_on_a_thousand_random_cases():
    rng = np.random.default_rng(7)
    for case in range(1000):
        classes = rng.permutation(rng.integers(3, 8))
        cut = rng.integers(1, len(classes))
        seen, unseen = np.sort(classes[:cut]), np.sort(classes[cut:])
        counts = rng.integers(1, 12, 2)
        # Some classes stay without rows; every other case has whole numbers as logits, which tie within rows and across them.
        labels = [rng.choice(group, n) for group, n in zip((seen, unseen), counts, strict=True)]
        logits = [rng.normal(size=(n, len(classes))) for n in counts]
        if case % 2:
            logits = [np.round(2 * rows) for rows in logits]
        curve = trade_off(best_of(logits[0], seen, unseen), labels[0], best_of(logits[1], seen, unseen), labels[1], seen, unseen)
        assert abs(area(curve["unseen"], curve["seen"]) - brute_force(logits, labels, seen, unseen)) < 1e-9, case
