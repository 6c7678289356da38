"""What a baseline is: fitted to real seen rows and semantics, one linear or cosine score a class."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import Scaling, SplitArrays
from d3gzsl_jax.evaluation.class_scores import ClassScores
from d3gzsl_jax.frameworks.structures import Params


@dataclasses.dataclass(frozen=True)
class Training:
    """What a baseline may look at.

    Attributes:
        features: (n, dx) float32, scaled rows of trainval.
        labels: (n,) int32 positions in `seen`.
        semantics: (C, da) float32 by original id; those of unseen classes serve prediction alone.
        seen: (S,) int32 ascending original ids.
        scaling: what raw features went through.
    """

    features: np.ndarray
    labels: np.ndarray
    semantics: np.ndarray
    seen: np.ndarray
    scaling: Scaling | None = None

    @classmethod
    def of(cls, data: GZSLData, arrays: SplitArrays) -> "Training":
        """Of a benchmark and its scaled splits."""
        labels = np.searchsorted(data.seen_classes, arrays.train_labels).astype(np.int32)
        return cls(arrays.train_features, labels, data.semantics, data.seen_classes, arrays.scaling)


class Baseline(Protocol):
    """A family of fits, a candidate being one setting of its hyperparameters."""

    @property
    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """Hyperparameters to choose from, by name; of two that are equally good the earlier is taken."""

    def fits(self, training: Training, candidates: Sequence[Mapping[str, Any]], seed: int) -> Iterator[Params]:
        """What `logits` takes, for each of the candidates in their order.

        Args:
            training: rows and semantics.
            candidates: some of `self.candidates`.
            seed: every draw follows from it.
        """

    def logits(self, params: Params, features: jax.Array) -> jax.Array:
        """Logits (n, C) by original id of scaled features (n, dx)."""

    def scores(self, params: Params) -> tuple[ClassScores, Params]:
        """The same scores as `logits`, in the form that is stored with a model."""
