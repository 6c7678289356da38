"""ESZSL: a bilinear map from features and semantics to scores, in closed form."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.baselines.base import Training
from d3gzsl_jax.evaluation.class_scores import ClassScores, parameters
from d3gzsl_jax.frameworks.structures import Params


@dataclasses.dataclass(frozen=True)
class Bilinear:
    """The problem of ESZSL (Romera-Paredes and Torr 2015), decomposed once for all ridges g and l:

    V = (X^T X + g I)^-1 X^T Y S (S^T S + l I)^-1, the minimum of
    ||X V S^T - Y||^2 + l ||X V||^2 + g ||V S^T||^2 + g l ||V||^2,

    with training features X (n, dx), Y (n, k) that is 1 for the row's class and -1 elsewhere, and seen semantics S (k, da).

    Attributes:
        feature_values, feature_vectors: eigenvalues (dx,) and eigenvectors (dx, dx) of X^T X, float64.
        semantic_values, semantic_vectors: those of S^T S, (da,) and (da, da).
        middle: X^T Y S in both bases, (dx, da).
    """

    feature_values: np.ndarray
    feature_vectors: np.ndarray
    semantic_values: np.ndarray
    semantic_vectors: np.ndarray
    middle: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, labels: np.ndarray, semantics: np.ndarray) -> "Bilinear":
        """Decomposes.

        Args:
            features: X (n, dx).
            labels: (n,) positions into `semantics`.
            semantics: S (k, da).
        """
        import scipy.linalg  # takes a while, and few runs have baselines

        x, s = features.astype(np.float64), semantics.astype(np.float64)
        of_classes = np.zeros((len(s), x.shape[1]))
        np.add.at(of_classes, labels, x)
        # Y = 2 (one-hot) - 1, so X^T Y is twice the sums of rows by class, less the sum of all of them.
        product = (2.0 * of_classes - of_classes.sum(axis=0)).T @ s
        feature_values, feature_vectors = scipy.linalg.eigh(x.T @ x)
        semantic_values, semantic_vectors = scipy.linalg.eigh(s.T @ s)
        middle = feature_vectors.T @ product @ semantic_vectors
        # Rounding leaves the smallest eigenvalues of a Gram matrix below 0.
        return cls(np.maximum(feature_values, 0.0), feature_vectors, np.maximum(semantic_values, 0.0), semantic_vectors, middle)

    def solve(self, feature_ridge: float, semantic_ridge: float) -> np.ndarray:
        """V (dx, da) float64, of ridges g > 0 and l > 0."""
        scaled = self.middle / np.outer(self.feature_values + feature_ridge, self.semantic_values + semantic_ridge)
        return self.feature_vectors @ scaled @ self.semantic_vectors.T


@dataclasses.dataclass(frozen=True)
class ESZSL:
    """ESZSL over a grid of its two ridges. Class c scores x^T V a_c.

    Attributes:
        exponents: the ridges are these powers of 10, each with each.
    """

    exponents: tuple[int, ...] = tuple(range(-3, 4))

    @property
    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """'feature_ridge' and 'semantic_ridge'."""
        ridges = [10.0**exponent for exponent in self.exponents]
        return [{"feature_ridge": g, "semantic_ridge": s} for g in ridges for s in ridges]

    def fits(self, training: Training, candidates: Sequence[Mapping[str, Any]], seed: int) -> Iterator[Params]:
        """{'weights': V A^T (dx, C) float32} of each candidate; nothing is drawn."""
        del seed
        problem = Bilinear.of(training.features, training.labels, training.semantics[training.seen])
        for candidate in candidates:
            weights = problem.solve(candidate["feature_ridge"], candidate["semantic_ridge"]) @ training.semantics.T
            yield {"weights": jnp.asarray(weights, jnp.float32)}

    def logits(self, params: Params, features: jax.Array) -> jax.Array:
        """Scores (n, C) of features (n, dx)."""
        return features @ params["weights"]

    def scores(self, params: Params) -> tuple[ClassScores, Params]:
        """The same, to be stored."""
        return ClassScores(normalized=False), parameters(params["weights"].T)
