"""What tells early that training goes wrong: norms, learning rates, and how much synthesized rows of a class vary."""

import functools
from typing import Any

import jax
import numpy as np
import optax

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.structures import Classes, Params, TrainState
from d3gzsl_jax.frameworks.synthesis import synthesize_classes
from d3gzsl_jax.keys import stream
from d3gzsl_jax.training.optimizers import Optimization

_ROWS, _CLASSES = 8, 200  # synthesized per class, and at most so many classes: a look that costs next to nothing


def variance_within(features: np.ndarray, labels: np.ndarray) -> float:
    """Mean over dimensions of the variance of rows (n, dx) around the mean of their class, classes of one row left out.

    Returns:
        The pooled variance, 0 where every class has one row.
    """
    _, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, index, features)
    # sum (x - mean)^2 = sum x^2 - n mean^2, over all rows and dimensions at once
    spread = np.einsum("nd,nd->", features, features, dtype=np.float64) - float((sums**2 / counts[:, None]).sum())
    free = int((counts - 1).sum())
    return max(spread, 0.0) / (free * features.shape[1]) if free else 0.0


class TrainingMonitor:
    """Measures a run between its epochs.

    Args:
        framework, optimization, classes: of the run.
        root: its key.
        features, labels: real training rows (n, dx), (n,).
    """

    def __init__(
        self, framework: Framework, optimization: Optimization, classes: Classes, root: jax.Array, features: np.ndarray,
        labels: np.ndarray,
    ) -> None:
        self._optimization, self._real = optimization, variance_within(features, labels)
        unseen = classes.unseen
        looked_at = unseen[np.linspace(0, len(unseen) - 1, min(len(unseen), _CLASSES)).astype(int)] if len(unseen) else unseen
        self.classes = np.asarray(looked_at)
        self._framework, self._key, self._semantics = framework, stream(root, "diversity"), classes.semantics

    def diversity(self, params: Params) -> np.ndarray:
        """By class of `classes`: variance of synthesized rows of the class, as a share of that of real rows within their class."""
        if not len(self.classes) or self._real == 0.0:
            return np.zeros(0)
        return np.asarray(_variances(self._framework, params, self._key, self._semantics, self.classes), np.float64) / self._real

    def measure(self, state: TrainState, norms: dict[str, Any], diversity: np.ndarray) -> dict[str, Any]:
        """Norms, learning rates of the step before this state and diversity, for metrics.jsonl.

        Args:
            state: the run's.
            norms: 'gradient' and 'update' by group, as the loop reported them.
            diversity: as of `diversity`.
        """
        epoch = max(int(state.step) - 1, 0) // self._optimization.steps_per_epoch
        numbers = {
            "norms": dict(norms) | {"parameter": _norms(state.params)},
            "learning_rates": self._optimization.learning_rates_at(epoch),
            "diversity": {"median": np.median(diversity), "lowest": diversity.min()} if len(diversity) else {},
        }
        return jax.tree.map(float, jax.device_get(numbers))


@functools.partial(jax.jit, static_argnums=0)
def _variances(framework: Framework, params: Params, key: jax.Array, semantics: jax.Array, labels: jax.Array) -> jax.Array:
    """By class of `labels` (k,): variance of its synthesized rows, the mean over dimensions."""
    rows = synthesize_classes(framework, params, key, semantics, labels, _ROWS)
    return rows.reshape(len(labels), _ROWS, -1).var(axis=1, ddof=1).mean(axis=-1)


@jax.jit
def _norms(params: Params) -> dict[str, jax.Array]:
    """L2 norm of each group."""
    return {group: optax.tree.norm(tree) for group, tree in params.items()}
