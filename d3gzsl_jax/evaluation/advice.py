"""What follows from a run's figures for its user, in words: whether a baseline is ahead, whether to train longer or shorter, and
whether the generator has learned anything.

Every sentence has the figures it follows from. Differences below `_SOME` are left alone.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

_SOME = 0.01  # of a fraction: one point of H
_FALL = 0.03  # by which H on the folds must fall before training is said to have got worse
_LEARNED = 0.1  # of the way from chance to 1 that a generator must have come
_CLEARLY = 0.3  # of that way: what cannot be told from a generator that has come so far is not said to have learned nothing
_ENOUGH = 3  # classes that a fold holds out
_DEVIATIONS = 1.96  # of an interval of 95 %
CALLED = {"eszsl": "ESZSL", "regressor": "the linear regressor", "class_norm": "class normalization", "clip": "zero-shot CLIP"}
"""What baselines are called in a sentence."""

Curve = Sequence[tuple[int, float]]
"""Epochs, and H on the folds."""


def best_baseline(metrics: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> str:
    """The baseline that is ahead of the run on the folds, the first of them; '' for none. Arguments: see `of_baselines`."""
    known = {name: found["calibrated"] for name, found in baselines.items() if not math.isnan(found["calibrated"])}
    own = metrics["harmonic"]
    name = max(known, key=lambda one: known[one], default="")
    return name if name and not math.isnan(own) and known[name] - own >= _SOME else ""


def of_baselines(
    metrics: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]], is_used: bool = False, own_name: str = "classifier"
) -> list[str]:
    """Which is ahead on the folds. What the run predicts with is taken as it predicts, a baseline with calibration, as it does.

    Args:
        metrics: means over the folds of what the run predicts with.
        baselines: the same by baseline.
        is_used: whether the model predicts by the baseline that is ahead (config.eval.model_predicts).
        own_name: what the run itself predicts with.
    """
    known = {name: found["calibrated"] for name, found in baselines.items() if not math.isnan(found["calibrated"])}
    own = metrics["harmonic"]
    if not known or math.isnan(own):
        return []
    name = max(known, key=lambda one: known[one])
    by = known[name] - own
    if not best_baseline(metrics, baselines):
        return [f"On the folds no baseline is ahead of the generator: H {_percent(own)}, {CALLED[name]} {_percent(known[name])}."]
    calibrated = metrics.get("calibrated", math.nan)
    also = f", {_percent(calibrated)} with calibration" if calibrated - own >= _SOME else ""
    told = f"use it, d3gzsl predict --predictor={name}"
    if is_used:
        told = f"the model predicts by it; by the generator with d3gzsl predict --predictor={own_name}"
    return [
        f"{CALLED[name][:1].upper()}{CALLED[name][1:]} is ahead of the generator here by {100 * by:.1f} points of H on the folds "
        f"({_percent(known[name])} against {_percent(own)}{also}): {told}."
    ]


def of_training(curve: Curve, chosen: int, longer: str) -> list[str]:
    """Whether training ended too early, or got worse.

    Args:
        curve: of what the run predicts with, ascending.
        chosen: the epoch that was chosen.
        longer: options for a longer training.
    """
    at, (last, end) = dict(curve), curve[-1]
    if len(curve) < 2 or any(math.isnan(value) for value in at.values()):
        return []
    before = curve[-2][1]
    if chosen == last and end - before >= _SOME:
        return [
            f"H on the folds was still rising at the end, epoch {last} ({_percent(before)} to {_percent(end)}): train longer, "
            f"{longer}."
        ]
    if at[chosen] - end >= _FALL:
        return [
            f"Training got worse after epoch {chosen}: H on the folds fell from {_percent(at[chosen])} to {_percent(end)} at epoch "
            f"{last}. The model is that of epoch {chosen}."
        ]
    return []


def of_generator(nearest_real_class: float | None, classes: int, rows: int, where: str) -> list[str]:
    """Whether synthesized rows lie any nearer to the real ones of their own class than to others.

    Args:
        nearest_real_class: see `generator_quality.quality`; None where it was not measured.
        classes: as many as it was measured between.
        rows: real ones of these. There are as many synthesized ones as one likes, so these say how sure the share is.
        where: of which classes.
    """
    if nearest_real_class is None or math.isnan(nearest_real_class) or classes < 2:
        return []
    chance = 1.0 / classes
    if nearest_real_class >= chance + _LEARNED * (1.0 - chance):
        return []
    measured = (
        f"{_percent(nearest_real_class)} % of the rows it makes of {where} lie nearest to real rows of their own class, by chance "
        f"{_percent(chance)} %"
    )
    if _highest(nearest_real_class, rows) >= chance + _CLEARLY * (1.0 - chance):
        return [f"Whether the generator has learned cannot be told: {measured}, but of {rows} real rows, too few rows to tell."]
    return [
        f"The generator has hardly learned: {measured} (measured on {rows} real rows). What is trained on them can say little of "
        "unseen classes."
    ]


def of_unseen(zsl: float, classes: int) -> list[str]:
    """Whether unseen classes are told apart at all on the folds: else what a model says of them is little more than a guess.

    Args:
        zsl: T1 on the folds of what the model predicts by; NaN where it is not known.
        classes: between so many it is, the fewest of a fold.
    """
    if math.isnan(zsl) or classes < 2 or zsl >= 1.0 / classes + _CLEARLY * (1.0 - 1.0 / classes):
        return []
    return [
        f"Unseen classes are hardly told apart: T1 on the folds is {_percent(zsl)}, by chance {_percent(1.0 / classes)}. Do not "
        "rely on answers of unseen classes; descriptions that say more, attributes, or pictures of more classes may help."
    ]


def _highest(share: float, rows: int) -> float:
    """The upper end of Wilson's interval (95 %) of a share of so many rows, of any number."""
    if not rows:
        return 1.0
    part = _DEVIATIONS**2 / rows
    spread = math.sqrt(part * share * (1.0 - share) + part**2 / 4.0)
    return (share + part / 2.0 + spread) / (1.0 + part)


def of_test_rows(metrics: Mapping[str, float], baselines: Mapping[str, Mapping[str, Any]], predicts: str = "") -> list[str]:
    """How the baseline that the model predicts by does on the test rows, and whether another one is ahead there.

    Args:
        metrics: of what the run predicts with.
        baselines: by name, what results.json holds.
        predicts: the baseline that the model predicts by; '' for the run itself.
    """
    found = {
        (name, how): value
        for name, of in baselines.items()
        for how, key in ((", at the gamma of the folds", "calibrated"), (", without calibration", "metrics"))
        if not math.isnan(value := (of.get(key) or {}).get("harmonic", math.nan))
    }
    if predicts:  # at gamma, as it does
        metrics = baselines[predicts].get("calibrated") or baselines[predicts]["metrics"]
    own, told = metrics.get("harmonic", math.nan), []
    if predicts and not math.isnan(own):
        figures = ", ".join(f"{name} {_percent(metrics[key])}" for name, key in (("U", "unseen"), ("S", "seen"), ("H", "harmonic")))
        told.append(f"On the test rows {CALLED[predicts]}, by which the model predicts, has {figures}.")
    if not found or math.isnan(own) or (by := max(found.values()) - own) < _SOME:
        return told
    name, how = max(found, key=lambda one: found[one])
    told.append(
        f"On the test rows the {'model' if predicts else 'run'} is {100 * by:.1f} points of H below {CALLED[name]} "
        f"({_percent(own)} against {_percent(found[name, how])}{how})."
    )
    return told


def of_few_classes(held_out: int) -> list[str]:
    """Whether folds hold out too few classes to choose by. `held_out`: the fewest of a fold."""
    if held_out >= _ENOUGH:
        return []
    classes = "a single class" if held_out == 1 else f"{held_out} classes"
    return [
        f"A fold holds out {classes} of the seen ones: too few to choose by. Calibration and what predicts may be far off; "
        "pictures of more classes help most."
    ]


def longer_training(train: Mapping[str, Any]) -> str:
    """The options for twice as long a training."""
    steps = f"--config.train.outer_steps={2 * train['outer_steps']} " if train.get("outer_steps") else ""
    return f"{steps}--config.train.epochs={2 * train['epochs']}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
