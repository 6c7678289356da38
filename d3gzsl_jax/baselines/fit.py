"""Baselines by name, and their fits to a benchmark's trainval rows."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from d3gzsl_jax import precision
from d3gzsl_jax.baselines import zero_shot_clip
from d3gzsl_jax.baselines.base import Baseline, Training
from d3gzsl_jax.baselines.eszsl import ESZSL
from d3gzsl_jax.baselines.semantic_regressor import SemanticRegressor
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import SplitArrays, scale_splits
from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.evaluation.class_scores import FittedBaseline
from d3gzsl_jax.frameworks.structures import Params

BASELINES: dict[str, Baseline] = {
    "eszsl": ESZSL(),
    "regressor": SemanticRegressor(hidden=0, learning_rates=(2e-3, 1e-2), scales=(4.0,)),
    "class_norm": SemanticRegressor(),
}
"""By name: those that any data can have."""
FAMILIES = {**BASELINES, zero_shot_clip.NAME: zero_shot_clip.ZeroShotClip()}
"""All of them."""


def possible(names: Sequence[str], data: GZSLData) -> list[str]:
    """Those of the names that there can be on this data."""
    return [name for name in names if name != zero_shot_clip.NAME or zero_shot_clip.is_possible(data)]


def fitted(name: str, chosen: Mapping[str, Any], data: GZSLData, seed: int, scaling: str) -> FittedBaseline:
    """A baseline fitted to all of trainval.

    Args:
        name: of `FAMILIES`.
        chosen: what the folds say, as results.json holds it: 'hyperparameters', 'gamma' and 'temperature' are read.
        data: a benchmark; every class of its semantics gets a score.
        seed: of the fit.
        scaling: of the features, the run's.

    Raises:
        DivergenceError: parameters that are not finite.
    """
    baseline = FAMILIES[name]
    with precision.scope("float32"):
        (params,) = fits(baseline, data, scale_splits(data, kind=scaling), [chosen["hyperparameters"]], seed)
        scores, params = baseline.scores(params)
    return FittedBaseline(scores, params, chosen["gamma"], dict(chosen), float(chosen.get("temperature") or 1.0))


def anew(
    baselines: Mapping[str, FittedBaseline], data: GZSLData, semantics: np.ndarray, seed: int, scaling: str
) -> dict[str, FittedBaseline]:
    """Baselines with a score for every class of `semantics` (C, da), fitted as they were: to the same rows, with the same
    hyperparameters and gamma; other arguments and errors as of `fitted`."""
    widened = dataclasses.replace(data, semantics=semantics)
    return {name: fitted(name, of.validation, widened, seed, scaling) for name, of in baselines.items()}


def fits(
    baseline: Baseline, data: GZSLData, arrays: SplitArrays, candidates: Sequence[Mapping[str, Any]], seed: int
) -> Iterator[Params]:
    """Parameters of candidates fitted to the trainval rows of a benchmark; `arrays`: its splits, scaled.

    Raises:
        DivergenceError: parameters that are not finite.
    """
    for candidate, params in zip(candidates, baseline.fits(Training.of(data, arrays), candidates, seed), strict=True):
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
            raise DivergenceError(f"a baseline on {data.name} broke down with {dict(candidate)}")
        yield params
