"""Zero-shot CLIP: the cosine of a picture's embedding and a text's, where one CLIP encoder made both."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from d3gzsl_jax.baselines.base import Training
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.evaluation.class_scores import ClassScores, parameters
from d3gzsl_jax.frameworks.structures import Params

NAME = "clip"
_SCALE = 100.0  # of the cosines, as CLIP's own


def is_possible(data: GZSLData) -> bool:
    """Whether features and semantics are of one CLIP encoder, as the data's provenance has it."""
    encoders = data.provenance.get("encoders")
    if not isinstance(encoders, Mapping) or data.feature_size != data.semantic_size:
        return False
    image, text = encoders.get("image"), encoders.get("text")
    if not (isinstance(image, Mapping) and isinstance(text, Mapping)) or encoders.get("semantics") != "descriptions":
        return False
    return image.get("kind") == text.get("kind") == "clip" and image.get("name") == text.get("name")


@dataclasses.dataclass(frozen=True)
class ZeroShotClip:
    """Logits 100 cos(x, a) of raw features x and semantics a; nothing is fitted."""

    @property
    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """One, without hyperparameters."""
        return [{}]

    def fits(self, training: Training, candidates: Sequence[Mapping[str, Any]], seed: int) -> Iterator[Params]:
        """Parameters of `ClassScores`, which turn scaled rows into raw ones again."""
        del seed
        assert training.scaling is not None
        ends = np.array([[0.0], [1.0]], np.float32).repeat(training.features.shape[1], axis=1)
        raw_zero, raw_one = training.scaling.invert(ends)
        semantics = training.semantics.astype(np.float64)
        directions = semantics / np.maximum(np.linalg.norm(semantics, axis=1, keepdims=True), 1e-12)
        for _ in candidates:
            yield parameters(_SCALE * directions, raw_one - raw_zero, raw_zero)

    def logits(self, params: Params, features: jax.Array) -> jax.Array:
        """Logits (n, C) of features (n, dx)."""
        return ClassScores(normalized=True).logits(params, features)

    def scores(self, params: Params) -> tuple[ClassScores, Params]:
        """The same, to be stored."""
        return ClassScores(normalized=True), params
