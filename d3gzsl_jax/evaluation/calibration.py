"""Predictors with calibrated stacking (Chao et al. 2016): gamma taken off the logits of the seen classes."""

import dataclasses
from collections.abc import Callable, Hashable

import jax
import numpy as np

from d3gzsl_jax.evaluation.evaluate import function_of, logits_of


@dataclasses.dataclass(frozen=True)
class CalibratedLogits:
    """Logits less an offset by class, which is an argument: predictors that differ in gamma alone are one compiled program.

    Attributes:
        function, of: what `function_of` makes of the logits without it.
    """

    function: Callable[..., jax.Array]
    of: Hashable

    def logits(self, *arguments: object) -> jax.Array:
        """Of *params, offset (1, C) and features (n, dx): (n, C)."""
        *params, offset, features = arguments
        return logits_of(self.function, self.of, tuple(params), features) - offset  # type: ignore[arg-type, operator]

    def as_they_are(self, *arguments: object) -> jax.Array:
        """Of the same arguments, without a look at the offset: for logits of the unseen classes alone."""
        *params, _, features = arguments
        return logits_of(self.function, self.of, tuple(params), features)  # type: ignore[arg-type]


def calibrated_logits(logits: Callable[..., jax.Array]) -> CalibratedLogits:
    """Those of a method or function of *params and features."""
    return CalibratedLogits(*function_of(logits))


def offset(gamma: float, seen: np.ndarray | jax.Array, classes: int) -> np.ndarray:
    """(1, C) float32, gamma at the ids of the seen classes and 0 at all others."""
    found = np.zeros((1, classes), np.float32)
    found[0, np.asarray(seen)] = gamma
    return found
