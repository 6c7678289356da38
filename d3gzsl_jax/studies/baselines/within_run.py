"""Baselines beside a run (config.eval.baselines): chosen on its folds, fitted to all of trainval, handed to it to be stored."""

from collections.abc import Mapping, Sequence
from typing import Any

from d3gzsl_jax import precision
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.evaluation.class_scores import FittedBaseline
from d3gzsl_jax.studies.baselines import zero_shot_clip
from d3gzsl_jax.studies.baselines.harness import BASELINES, choose, fits

FAMILIES = {**BASELINES, zero_shot_clip.NAME: zero_shot_clip.ZeroShotClip()}
_CRITERION = "calibrated"  # without calibration H is near 0 for every candidate of some


def possible(names: Sequence[str], data: GZSLData) -> list[str]:
    """Those of the names that there can be on this data."""
    return [name for name in names if name != zero_shot_clip.NAME or zero_shot_clip.is_possible(data)]


def chosen_on_folds(
    name: str, benchmarks: Sequence[GZSLData], seed: int, scaling: str, calibrates: bool = False
) -> dict[str, Any]:
    """What results.json holds of the choice: 'hyperparameters', 'gamma', and 'metrics', means over the folds.

    Args:
        name: of a baseline.
        benchmarks: the folds.
        seed: of the fits.
        scaling: of the features, the run's.
        calibrates: whether U, S and H are told at gamma, as the run's are.

    Raises:
        DivergenceError: parameters that are not finite.
    """
    with precision.scope("float32"):
        found = choose(FAMILIES[name], benchmarks, seed, _CRITERION, scaling, calibrates)
    return {"hyperparameters": dict(found.hyperparameters), "gamma": found.gamma, "metrics": found.metrics}


def fitted(name: str, chosen: Mapping[str, Any], data: GZSLData, seed: int, scaling: str) -> FittedBaseline:
    """The baseline with what `chosen_on_folds` said, fitted to all of trainval.

    Raises:
        DivergenceError: parameters that are not finite.
    """
    baseline = FAMILIES[name]
    with precision.scope("float32"):
        (params,) = fits(baseline, data, scale_splits(data, kind=scaling), [chosen["hyperparameters"]], seed)
        scores, params = baseline.scores(params)
    return FittedBaseline(scores, params, chosen["gamma"], dict(chosen))
