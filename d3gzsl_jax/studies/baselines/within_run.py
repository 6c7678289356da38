"""Baselines beside a run (config.eval.baselines): what its folds choose of each."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from d3gzsl_jax import precision
from d3gzsl_jax.baselines.base import Baseline
from d3gzsl_jax.baselines.fit import FAMILIES, fits
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.evaluation.temperature import best_temperature
from d3gzsl_jax.studies.baselines.harness import CRITERION, choose

_ROWS = 2048  # of seen and of held-out classes each, that a temperature is chosen by


def chosen_on_folds(
    name: str, benchmarks: Sequence[GZSLData], seed: int, scaling: str, calibrates: bool = False
) -> dict[str, Any]:
    """What results.json holds of the choice: 'hyperparameters', 'gamma', 'metrics', means over the folds, and 'temperature', by
    which scores are divided for probabilities.

    Args:
        name: of a baseline.
        benchmarks: the folds.
        seed: of the fits.
        scaling: of the features, the run's.
        calibrates: whether U, S and H are told at gamma, as the run's are.

    Raises:
        DivergenceError: parameters that are not finite.
    """
    baseline = FAMILIES[name]
    # A run that is chosen by T1 may have folds without a row of a seen class, and H is known of no candidate there.
    criterion = CRITERION if all(len(of.test_seen) for of in benchmarks) else "zsl"
    with precision.scope("float32"):
        found = choose(baseline, benchmarks, seed, criterion, scaling, calibrates)
        scored = [_scored(baseline, of, found.hyperparameters, found.gamma, seed, scaling) for of in benchmarks]
    return {
        "hyperparameters": dict(found.hyperparameters), "gamma": found.gamma, "metrics": found.metrics,
        "temperature": best_temperature(scored),
    }


def _scored(
    baseline: Baseline, data: GZSLData, candidate: Mapping[str, Any], gamma: float, seed: int, scaling: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the test rows of a fold, of many a part: scores of its classes at gamma, positions of the right ones, whether they are
    held out."""
    arrays = scale_splits(data, kind=scaling)
    (params,) = fits(baseline, data, arrays, [candidate], seed)
    parts = (arrays.test_seen_features, arrays.test_seen_labels), (arrays.test_unseen_features, arrays.test_unseen_labels)
    picked = [np.linspace(0, len(labels) - 1, min(len(labels), _ROWS)).astype(int) for _, labels in parts]
    rows, labels = (np.concatenate([np.asarray(part[of])[at] for part, at in zip(parts, picked, strict=True)]) for of in (0, 1))
    classes = np.concatenate([data.seen_classes, data.unseen_classes])
    scores = np.array(baseline.logits(params, jnp.asarray(rows)), np.float64)[:, classes]
    scores[:, : len(data.seen_classes)] -= gamma
    place = {int(label): position for position, label in enumerate(classes)}
    right = np.array([place[int(label)] for label in labels], np.int64)
    return scores, right, right >= len(data.seen_classes)
