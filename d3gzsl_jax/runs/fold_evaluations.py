"""The evaluations of a fold, left in its folder for validation to choose from."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.errors import UserError, cannot_write
from d3gzsl_jax.evaluation.predictors import Predictors
from d3gzsl_jax.evaluation.selection import CRITERIA, Candidate, Trial
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.runs.display import METRICS
from d3gzsl_jax.system import atomic
from d3gzsl_jax.text import one_line

_SNAPSHOTS = 5  # numbers of epochs of the final classifier that are tried, evenly spaced


def classifier_snapshots(epochs: int) -> tuple[int, ...]:
    """The numbers of epochs of the final classifier that validation chooses from, ascending, up to `epochs`."""
    return tuple(sorted({math.ceil(epochs * part / _SNAPSHOTS) for part in range(1, _SNAPSHOTS + 1)}))


def write_trials(folder: Path, epoch: int, predictors: Predictors) -> None:
    """Leaves the newest evaluation of a fold where `read_trials` finds it."""
    arrays: dict[str, Any] = {}
    for (name, epochs), evaluation in predictors.trials.items():
        prefix = f"{name}/{epochs}"
        arrays |= {f"{prefix}/curve/{key}": values for key, values in evaluation.curve.items()}
        arrays |= {f"{prefix}/metrics/{key}": np.float64(value) for key, value in evaluation.metrics.items()}
    target = folder / "trials" / f"{epoch}.npz"
    try:
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from None
    with atomic.replacing(target, "wb") as file:
        np.savez_compressed(file, **arrays)


def read_trials(folder: Path, epochs: Iterable[int]) -> dict[str, dict[Candidate, Trial]]:
    """By predictor and candidate, what a fold's run in `folder` left at these epochs.

    Raises:
        UserError: a file is missing or damaged.
    """
    found: dict[str, dict[Candidate, Trial]] = {}
    for epoch in epochs:
        path = folder / "trials" / f"{epoch}.npz"
        parts: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
        try:
            for key, values in (json_files.read_arrays(path) or {}).items():
                name, classifier_epochs, kind, field = key.split("/")
                parts.setdefault((name, int(classifier_epochs)), {}).setdefault(kind, {})[field] = values
            for (name, epochs_of_classifier), part in parts.items():
                found.setdefault(name, {})[epoch, epochs_of_classifier] = _trial(part)
        except (UserError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: damaged ({one_line(error)}); remove {folder} to validate anew") from None
        if not parts:
            raise UserError(f"{path}: missing or empty; remove {folder} to validate anew")
    return found


def _trial(part: Mapping[str, Mapping[str, np.ndarray]]) -> Trial:
    """What one file says of a candidate; ValueError, KeyError, TypeError: it says something else."""
    metrics, curve = {name: float(part["metrics"][name]) for name in part["metrics"]}, dict(part["curve"])
    sizes = {curve[name].shape for name in ("unseen", "seen", "gamma")}
    if len(sizes) != 1 or len(*sizes) != 1 or not {*CRITERIA, *METRICS.values()} - {"calibrated"} <= metrics.keys():
        raise ValueError("its arrays do not belong together")
    return Trial(metrics, curve)
