"""results.json: what it holds, and the table a person sees of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.runs.console import Display
from d3gzsl_jax.runs.environment import environment


def assemble(
    config: Mapping[str, Any], data: GZSLData, predictions: dict[str, dict[str, Any]], distillation: bool,
    teacher: dict[str, float] | None, epochs: int, steps: int, **further: Any,
) -> dict[str, Any]:
    """The content of results.json.

    Args:
        config: resolved, nested.
        data: the benchmark.
        predictions: by predictor, see `Predictors.results`.
        distillation: whether D3 was on.
        teacher: its figures, None without.
        epochs, steps: done.
        further: more entries.
    """
    provenance = dict(data.provenance) | environment()
    prediction = config["eval"]["prediction"]
    return {
        "dataset": data.name,
        "framework": config["framework"],
        "distillation": distillation,
        "features": provenance["feature_file"],
        "semantics": provenance["semantics"],
        "seed": config["seed"],
        "epochs": epochs,
        "selection": "last",
        "prediction": prediction,
        **predictions.get(prediction, {}),
        "predictions": predictions,
        "classes": {"seen": data.seen_classes.tolist(), "unseen": data.unseen_classes.tolist()},
        "teacher": teacher,
        "steps": steps,
        **further,
        "provenance": provenance,
        "config": dict(config),
    }


def method(config: Mapping[str, Any]) -> str:
    """What a run is of, for people: the base method, and D3 where it is on."""
    weights = config["distillation"]
    active = any(value > 0.0 for field, value in weights.items() if field.startswith("weight_"))
    return f"{config['framework']} {'+' if active else 'without'} D3"


def summarize(results: Mapping[str, Any], folder: Path, display: Display) -> None:
    """Prints the table and what it means."""
    display.stop()
    interrupted = results["interrupted"]
    ended = f"last ({results['epochs']}{', interrupted' if interrupted else ''})"
    rows = []
    for name, found in results["predictions"].items():
        rows.append((name, ended, found["metrics"]))
        if selected := found["test_selected"]:
            rows.append(("", f"test-selected ({selected['epochs']})", selected["metrics"]))
    display.results(f"{method(results['config'])} on {results['dataset']}, seed {results['seed']}, percent", rows)
    display.say(
        f"The result is the {results['prediction']}'s last epoch (config.eval.prediction). A test-selected row picks its epoch "
        "on the test set, as published code does: it is no result."
    )
    begins = "interrupted; " if interrupted else ""
    display.say(f"{begins}{results['seconds']:.0f} s of training and evaluation; wrote {folder / 'results.json'}")
    if interrupted:
        display.say("the same command goes on from here")
