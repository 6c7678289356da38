"""What is chosen on validation folds: the epoch, the final classifier's epochs, and gamma of calibrated stacking."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from d3gzsl_jax.evaluation.evaluate import Evaluation
from d3gzsl_jax.evaluation.metrics import harmonic_mean, harmonic_means

CRITERIA = ("harmonic", "calibrated", "ausuc", "zsl")


@dataclasses.dataclass(frozen=True)
class Trial:
    """One candidate on one fold: metrics as in `Evaluation`, and the fold's curve of `curves.trade_off`."""

    metrics: dict[str, float]
    curve: dict[str, np.ndarray]


Candidate = tuple[int, int]  # epoch, and epochs of the final classifier (0 for a predictor that is not one)


@dataclasses.dataclass(frozen=True)
class Choice:
    """What was chosen for a predictor.

    Attributes:
        epoch: of training, whole epochs.
        classifier_epochs: of the final classifier, 0 where the predictor is not one.
        gamma: of calibrated stacking, in units of the predictor's logits.
        metrics: means over the folds, fractions in [0, 1]; 'calibrated' is H at gamma. Where the run predicts with calibration,
            U, S and H are at gamma too.
    """

    epoch: int
    classifier_epochs: int
    gamma: float
    metrics: dict[str, float]

    def described(self) -> dict[str, Any]:
        """For a JSON file."""
        return dataclasses.asdict(self)


def at_gamma(curve: Mapping[str, np.ndarray], gamma: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """U and S, each (k,), at any gammas (k,): of the curve's next point above, since between two points no prediction changes.

    Args:
        curve: of `curves.trade_off`, gammas descending.
        gamma: (k,) floats.
    """
    above = np.searchsorted(-curve["gamma"], -np.asarray(gamma, np.float64), side="right") - 1
    index = np.maximum(above, 0)  # over the largest, where nothing is predicted seen either
    return curve["unseen"][index], curve["seen"][index]


def best_gamma(curves: Sequence[Mapping[str, np.ndarray]]) -> tuple[float, float]:
    """The gamma with the highest mean H over the folds, and that H: exact, and from the middle of the gammas that reach it (the
    stretch with the largest of them, where there are several).

    Args:
        curves: of `curves.trade_off`, one a fold.
    """
    gammas = np.unique(np.concatenate([curve["gamma"] for curve in curves]))[::-1]
    means = np.mean([harmonic_means(*at_gamma(curve, gammas)) for curve in curves], axis=0)
    if np.isnan(means).any():
        return 0.0, float("nan")
    first = int(np.argmax(means))
    last = first
    while last + 1 < len(means) and means[last + 1] == means[first]:
        last += 1
    # What holds at a gamma holds down to the next one, which is left out.
    low = gammas[last + 1] if last + 1 < len(gammas) else gammas[last]
    return float((gammas[first] + low) / 2.0), float(means[first])


def means_over_folds(trials: Sequence[Trial], calibrates: bool = False) -> tuple[float, dict[str, float]]:
    """Gamma of calibrated stacking, and the mean of every metric over the folds, 'calibrated' (H at gamma) among them;
    `calibrates`: U, S and H are those at gamma."""
    gamma, calibrated = best_gamma([trial.curve for trial in trials])
    found = {name: float(np.mean([trial.metrics[name] for trial in trials])) for name in trials[0].metrics}
    if calibrates:
        unseen, seen = np.mean([at_gamma(trial.curve, gamma) for trial in trials], axis=0)
        found |= {"unseen": float(unseen), "seen": float(seen), "harmonic": calibrated}
    return gamma, found | {"calibrated": calibrated}


def choose(trials: Mapping[Candidate, Sequence[Trial]], criterion: str, calibrates: bool = False) -> Choice:
    """The candidate with the highest mean of the criterion over the folds; the shortest training among equals.

    Args:
        trials: by candidate, one trial a fold.
        criterion: one of `CRITERIA`.
        calibrates: whether what is chosen predicts at the gamma that is chosen with it; H is at it then.
    """
    found = []
    for (epoch, classifier_epochs), of in sorted(trials.items()):
        gamma, metrics = means_over_folds(of, calibrates)
        found.append(Choice(epoch=epoch, classifier_epochs=classifier_epochs, gamma=gamma, metrics=metrics))
    return max(found, key=lambda choice: merit(choice.metrics, criterion))


def merit(metrics: Mapping[str, float], criterion: str) -> float:
    """What choices go by: the criterion, below everything where it could not be measured."""
    return float(np.nan_to_num(metrics[criterion], nan=-1.0))


def by_calibration(found: Evaluation, gamma: float, is_applied: bool) -> dict[str, dict[str, Any]]:
    """U, S and H under calibrated stacking at the gamma that validation chose, as results.json holds them: 'calibrated', and
    'uncalibrated' where the predictor has gamma in it already.

    Args:
        found: its evaluation.
        gamma: that was chosen.
        is_applied: whether what was evaluated is at it.
    """
    unseen, seen = (float(values) for values in at_gamma(found.curve, np.asarray(-gamma if is_applied else gamma)))
    other = {"unseen": unseen, "seen": seen, "harmonic": harmonic_mean(unseen, seen)}
    of_gamma: dict[str, Any] = {"selection": "validation", "gamma": gamma}
    if not is_applied:
        return {"calibrated": of_gamma | other}
    return {"calibrated": of_gamma | {key: found.metrics[key] for key in other}, "uncalibrated": other}
