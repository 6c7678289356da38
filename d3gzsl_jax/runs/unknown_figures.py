"""Which figures of a run are unknown for want of test rows of unseen classes, and those of the folds that stand in their place."""

import math
from collections.abc import Mapping
from typing import Any

from d3gzsl_jax.runs.resume import FOLDS_ONLY

FOLDS = "folds"
"""What figures are called that are means over validation folds, wherever they stand beside those of test rows."""

FOLD_FIELDS = ("folds", "fold_classes", "fold_rows", "fold_seed")
"""The fields of config.eval that folds follow from."""


def is_known(value: Any) -> bool:
    """Whether a figure, of a run or read from its files, is there."""
    return value is not None and not math.isnan(value)


def lacks_unseen(predicted: Mapping[str, Any]) -> bool:
    """Whether no test row of an unseen class was there to evaluate a predictor on: its U is unknown. `predicted`: its entry in
    results.json, or the file itself, which has the same keys."""
    metrics = predicted.get("metrics") or {}
    return bool(metrics) and predicted.get("selection") != FOLDS_ONLY and not is_known(metrics.get("unseen"))


def of_folds(predicted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The means over the folds, as fractions, at what was chosen on them, where they stand in the place of test figures that are
    unknown; 'calibrated' is H at the gamma that was chosen. None where test figures are known, or no folds were asked."""
    return (predicted.get("validation") or {}).get("metrics") if lacks_unseen(predicted) else None


def rows_of_folds(predicted: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Rows of a table on the screen for what `of_folds` gives; [] where it gives none."""
    if not (found := of_folds(predicted)):
        return []
    of = predicted["validation"]
    rows = [("", FOLDS if of.get("epoch") is None else f"{FOLDS} ({of['epoch']})", found)]
    at_gamma = found.get("calibrated")
    further = is_known(at_gamma) and at_gamma != found["harmonic"]  # equal where the run predicts with calibration
    return [*rows, ("", f"{FOLDS}, calibrated, gamma {of['gamma']:.3g}", {"harmonic": at_gamma})] if further else rows


def explained(results: Mapping[str, Any]) -> list[str]:
    """What to say, in sentences, of a run's figures that are unknown for want of test rows of unseen classes; [] where none is.
    `results`: what its results.json holds."""
    if not lacks_unseen(results):
        return []
    if is_known(results["metrics"].get("seen")):
        told = "U, H, T1 and AUSUC are unknown: the data has no test rows of unseen classes."
    else:
        told = "U, S, H, T1 and AUSUC are unknown: the data has no test rows, neither of unseen nor of seen classes."
    if of_folds(results) is None:
        return [
            f"{told} Set config.eval.selection=validation: it measures them on folds inside trainval, with seen classes held out "
            "as if they were unseen."
        ]
    return [told, f"In their place stand figures called {FOLDS}: {means_over_folds(results)}."]


def means_over_folds(results: Mapping[str, Any]) -> str:
    """What figures of the folds are, in words; `results`: what results.json holds."""
    count = ((results.get("config") or {}).get("eval") or {}).get("folds")
    over = "of one fold" if count == 1 else f"means over {count or 'the'} folds"
    return f"{over} inside trainval, with seen classes held out as if they were unseen"
