"""One score a class, linear in a row or in its direction: what a baseline without synthesis leaves behind to predict with."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.evaluation.evaluate import Evaluation
from d3gzsl_jax.frameworks.structures import Params


@dataclasses.dataclass(frozen=True)
class ClassScores:
    """Scores w_c . f(x) + b_c of scaled rows x, with f(x) = factor x + offset, divided by its norm or not.

    Attributes:
        normalized: whether it is.
    """

    normalized: bool

    def logits(self, params: Params, features: jax.Array) -> jax.Array:
        """(n, C) of rows (n, dx or more), whose features come first, before representations; params: 'weights' (C, dx), 'bias'
        (C,), 'factor' and 'offset' (dx,)."""
        rows = features[:, : params["factor"].shape[0]] * params["factor"][None] + params["offset"][None]
        if self.normalized:
            rows = rows * jax.lax.rsqrt(jnp.sum(rows * rows, axis=-1, keepdims=True) + 1e-12)
        return rows @ params["weights"].T + params["bias"][None]


def parameters(weights: Any, factor: Any = 1.0, offset: Any = 0.0) -> Params:
    """Those of `ClassScores`, without a bias: `weights` (C, dx); `factor` and `offset` (dx,) or a number."""
    weights = jnp.asarray(weights, jnp.float32)
    classes, size = weights.shape
    wide = lambda value: jnp.broadcast_to(jnp.asarray(value, jnp.float32), (size,))  # noqa: E731
    return {"weights": weights, "bias": jnp.zeros(classes), "factor": wide(factor), "offset": wide(offset)}


class FittedBaseline(NamedTuple):
    """A baseline fitted to all of trainval.

    Attributes:
        scores, params: what scores scaled rows.
        gamma: of calibrated stacking, in units of the scores, chosen on folds.
        validation: what the folds chose, as results.json holds it: 'hyperparameters', 'gamma', 'metrics' and 'temperature'.
        temperature: by which scores are divided for probabilities.
    """

    scores: ClassScores
    params: Params
    gamma: float
    validation: dict[str, Any]
    temperature: float = 1.0

    def calibrated(self, seen: np.ndarray) -> Params:
        """Its parameters with gamma taken off the scores of the classes `seen`."""
        return {**self.params, "bias": self.params["bias"].at[jnp.asarray(seen)].add(-self.gamma)}

    def predicting(self, seen: np.ndarray) -> Params:
        """`calibrated`, its scores divided by the temperature."""
        found = self.calibrated(seen)
        return {**found, **{name: found[name] / self.temperature for name in ("weights", "bias")}}


def entry(
    of: FittedBaseline, found: Evaluation, by_calibration: dict[str, Any], names: tuple[str, ...]
) -> dict[str, Any]:
    """What results.json holds of a baseline on the test rows.

    Args:
        of: the baseline.
        found: its evaluation.
        by_calibration: see `selection.by_calibration`.
        names: of the classes.
    """
    return {
        "metrics": found.metrics, "selection": "validation", "per_class": found.by_name(names), **by_calibration,
        "validation": of.validation,
    }  # fmt: skip
