"""results.json: what it holds, and the table a person sees of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.config import saved_config
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.evaluation.advice import CALLED
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.environment import environment
from d3gzsl_jax.runs.unknown_figures import explained, is_known, rows_of_folds
from d3gzsl_jax.text import one_line

RESTRICTED = "restricted"
_TEST_SELECTED = "A test-selected row picks its epoch on the test set, as published code does: it is no result."
_CHOSEN = "Epoch, final classifier's epochs and gamma were chosen on folds inside trainval (validation.json)"
_RULES = {
    "last": f"It is the last epoch's. {_TEST_SELECTED}",
    "test": f"As asked for (config.eval.selection=test), it is the test-selected one. {_TEST_SELECTED}",
    "validation": f"{_CHOSEN}; the test rows were looked at once.",
}


def assemble(
    config: Mapping[str, Any], data: GZSLData, predictions: dict[str, dict[str, Any]], distillation: bool,
    teacher: dict[str, float] | None, epochs: int, steps: int, prediction: str, **further: Any,
) -> dict[str, Any]:
    """The content of results.json.

    Args:
        config: resolved, nested.
        data: the benchmark.
        predictions: by predictor, see `Predictors.results`; of the one that is the result, `result_of` stands at the top level too.
        distillation: whether D3 was on.
        teacher: its figures, None without.
        epochs, steps: done.
        prediction: whose figures are the result.
        further: more entries.
    """
    provenance = dict(data.provenance) | environment()
    return _plain({
        saved_config.KEY: saved_config.FORMAT,
        "dataset": data.name,
        "framework": config["framework"],
        "distillation": distillation,
        "features": provenance["feature_file"],
        "semantics": provenance["semantics"],
        "seed": config["seed"],
        "epochs": epochs,
        "selection": (selection := config["eval"]["selection"]),
        "prediction": prediction,
        **result_of(predictions.get(prediction, {}), selection),
        "predictions": predictions,
        "zsl_rule": zsl_rules(config, predictions),
        "classes": {"seen": data.seen_classes.tolist(), "unseen": data.unseen_classes.tolist()},
        "teacher": teacher,
        "steps": steps,
        **further,
        "digests": data.digests,
        "provenance": provenance,
        "config": dict(config),
    })  # fmt: skip


def zsl_rules(config: Mapping[str, Any], predictors: Iterable[str]) -> dict[str, str]:
    """By predictor, what its T1 is by, see config.classifier.zsl: 'restricted', its logits of the unseen classes, or 'own', a
    second softmax."""
    of_classifier = (config.get("classifier") or {}).get("zsl", RESTRICTED)
    return {name: of_classifier if name == "classifier" else RESTRICTED for name in predictors}


def _plain(value: Any) -> Any:
    """Python's own numbers in place of numpy's."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


def result_of(predicted: Mapping[str, Any], selection: str) -> dict[str, Any]:
    """A predictor's entries that are the result of a run with this rule.

    All of them are of one epoch. Where the rule is the test and an epoch was selected, that epoch's metrics are the result, and
    nothing else is known of it: accuracies by class, which are of the last epoch, are left to the predictor's own entry.
    """
    if selection == "test" and (selected := predicted.get("test_selected")):
        return {"metrics": selected["metrics"], "test_selected": selected}
    return {name: entry for name, entry in predicted.items() if name != "selection"}  # of a run it is the rule it was asked for


def method(config: Mapping[str, Any]) -> str:
    """What a run is of, for people: the base method, and D3 where it is on."""
    weights = config.get("distillation") or {}
    active = any(isinstance(value, int | float) and value > 0.0 for field, value in weights.items() if field.startswith("weight_"))
    return f"{config.get('framework')} {'+' if active else 'without'} D3"


def summarize(results: Mapping[str, Any], folder: Path, display: Display) -> None:
    """Prints the table and what it means."""
    display.stop()
    interrupted = results.get("interrupted")
    rule = "validation" if results["selection"] == "validation" else "last"
    ended = f"{rule} ({results['epochs']}{', interrupted' if interrupted else ''})"
    rows = []
    for name, found in results["predictions"].items():
        rows += _rows(name, ended, found)
    for name, found in (results.get("baselines") or {}).items():
        rows += _rows(f"baseline {name}", "validation", found)
    display.results(f"{method(results['config'])} on {one_line(results['dataset'])}, seed {results['seed']}, percent", rows)
    looked = any(is_known(value) for value in (results.get("metrics") or {}).values())  # at test rows: whether there are any
    told = _RULES[results["selection"]] if looked or rule == "last" else f"{_CHOSEN}."
    by = CALLED.get(results.get("model_predicts") or "", "")
    predicts = f"; the model predicts by {by}, which is ahead on the folds (config.eval.model_predicts)" if by else ""
    display.say(f"The result is the {results['prediction']}'s (config.eval.prediction){predicts}. {told}")
    for sentence in explained(results):
        display.say(sentence)
    if (results.get("zsl_rule") or {}).get("classifier", RESTRICTED) != RESTRICTED:
        display.say("T1 of the classifier is by a softmax of its own over the unseen classes (config.classifier.zsl=own).")
    for sentence in results.get("advice") or []:
        display.say(sentence)
    begins = "interrupted; " if interrupted else ""
    before = f", {results['fold_seconds']:.0f} s on the folds before" if results.get("fold_seconds") else ""
    took = f"{results.get('seconds') or 0.0:.0f} s of training and evaluation{before}"
    display.say(f"{begins}{took}; wrote {folder / 'results.json'}")
    if interrupted:
        display.say("the same command goes on from here")


def _rows(name: str, ended: str, found: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Rows of the table on the screen, of a predictor or a baseline as results.json holds it."""
    rows = [(name, ended, found["metrics"])]
    at, plain = found.get("calibrated"), found.get("uncalibrated")
    if at and (is_known(at["unseen"]) or is_known(at["seen"])):
        if plain:  # it predicts with calibration
            rows = [(name, f"{ended}, gamma {at['gamma']:.3g}", found["metrics"])]
        called = "without calibration" if plain else f"calibrated, gamma {at['gamma']:.3g}"
        rows.append(("", called, {"zsl": found["metrics"]["zsl"]} | (plain or at)))
    if selected := found.get("test_selected"):
        rows.append(("", f"test-selected ({selected.get('epochs', '?')})", selected["metrics"]))
    return rows + rows_of_folds(found)
