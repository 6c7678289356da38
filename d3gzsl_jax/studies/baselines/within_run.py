"""Baselines beside a run (config.eval.baselines): what its folds choose of each."""

from collections.abc import Sequence
from typing import Any

from d3gzsl_jax import precision
from d3gzsl_jax.baselines.fit import FAMILIES
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.studies.baselines.harness import choose

_CRITERION = "calibrated"  # without calibration H is near 0 for every candidate of some


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
