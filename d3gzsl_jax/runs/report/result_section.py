"""The first section of the page of a run: its figures, what they mean, the verdict, and what they stand beside."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from d3gzsl_jax.evaluation.advice import CALLED
from d3gzsl_jax.runs.display import UNKNOWN
from d3gzsl_jax.runs.report import comparison, texts
from d3gzsl_jax.runs.report.grid import METRICS, grid, metric_cells, percent
from d3gzsl_jax.runs.report.verdict import against, against_on_folds, verdict
from d3gzsl_jax.runs.results import result_of
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.runs.unknown_figures import FOLDS, explained, means_over_folds, of_folds

if TYPE_CHECKING:
    from d3gzsl_jax.runs.report.comparison import Reference
    from d3gzsl_jax.runs.report.record import Recorded

_EPOCH = {
    "last": "last epoch", "validation": "epoch chosen on validation", "test": "test-selected, no result",
    FOLDS_ONLY: "means over folds inside trainval",
}  # fmt: skip


def result_section(run: "Recorded", references: "Sequence[Reference]", prediction: str) -> dict[str, Any]:
    """The tiles, what they mean, the verdict, and what they stand beside; `prediction`: what the run predicts with."""
    found = result_of(run.predictions.get(prediction) or {}, run.results.get("selection") or "last").get("metrics") or {}
    folds = of_folds(run.results)
    main = "H" if found.get("harmonic") is not None or found.get("zsl") is None else "T1"  # without test rows of seen classes
    epoch = _EPOCH.get(run.results.get("selection") or "", "newest evaluation")
    rows = [["this run", *metric_cells(found)]]
    if folds:  # no test rows of unseen classes
        epoch = f"{FOLDS}: at the epoch chosen on them"
        rows.append([f"this run, {FOLDS}", *metric_cells(folds)])
    whose = f"{prediction}{_at_gamma(run, prediction)}, {epoch}, percent"
    if other := (run.results.get("baselines") or {}).get(predicts := run.results.get("model_predicts") or ""):
        tiles = _tiles(other.get("metrics") or {}, of_folds(other), main)
        by = CALLED.get(predicts, predicts)
        whose = f"{by}, by which the model predicts, percent; below is the run itself, by its {prediction}"
    else:
        tiles = _tiles(found, folds, main)
    for reference in references:
        rows.append([f"{_called(reference)}, seed {reference.seed}", *metric_cells(reference.metrics)])
        if reference.folds:
            rows.append([f"{_called(reference)}, seed {reference.seed}, {FOLDS}", *metric_cells(reference.folds)])
    guess, notes, beside = comparison.chance(run), [], _own_baselines(run, prediction)
    rows += beside
    if references:
        sources = ", ".join(f"{_called(reference)}, of {reference.source}" for reference in references)
        notes.append(f"One run each, on the same data: {sources}.")
    if guess:
        rows.append(["chance", *metric_cells(guess)])
        notes.append(texts.CHANCE)
    if guess_of_folds := comparison.chance_of_folds(run) if folds else None:
        rows.append([f"chance, {FOLDS}", *metric_cells(guess_of_folds)])
    rows = [row for row in rows if not folds or {*row[1:]} != {UNKNOWN}]  # without any test rows there are those of folds alone
    if beside:
        notes.append(texts.OWN_BASELINES)
    if found and not references and not beside:
        notes.append(texts.NO_BASELINE)
    return {
        "tiles": tiles,
        "whose": whose if found else "nothing evaluated yet",
        "meanings": [*texts.MEANINGS.items(), *([(FOLDS, f"{means_over_folds(run.results)}.")] if folds else [])],
        "verdict": [*(run.results.get("advice") or []), *(_verdict(run, prediction, found, references) if found else [])],
        "comparison": grid(["", *METRICS], rows if len(rows) > 1 else [], {0: "own"}),
        "comparison_notes": notes,
    }


def _tiles(found: Mapping[str, Any], folds: Mapping[str, Any] | None, main: str) -> list[dict[str, Any]]:
    """Figures of test rows, and before them those of the folds, where they stand in the place of some that are unknown."""
    tiles = [{"name": name, "value": percent(found.get(key)), "main": name == main} for name, key in METRICS.items()]
    if not folds:
        return tiles
    known = [tile | {"name": f"{tile['name']}, test rows"} for tile in tiles if tile["value"] != UNKNOWN]
    values = {name: percent(folds.get(key)) for name, key in METRICS.items()}
    return [{"name": f"{name}, {FOLDS}", "value": value, "main": name == "H"} for name, value in values.items()] + known


def _own_baselines(run: "Recorded", prediction: str) -> list[list[str]]:
    """Rows of the baselines that were fitted beside the run, and of what predicts with calibration, where there are some."""
    found, rows = run.results.get("baselines") or {}, []
    own = run.predictions.get(prediction) or {}
    if found and own.get("uncalibrated"):
        rows += _calibrated("this run, without calibration", _plain(own))
    elif found:
        rows += _calibrated("this run, calibrated", own)
    for name, of in found.items():
        called = texts.BASELINES.get(name, name)
        if of.get("uncalibrated"):
            rows += [[f"{called}, calibrated", *metric_cells(of.get("metrics"))], *_calibrated(f"{called}, without", _plain(of))]
        else:
            rows += [[called, *metric_cells(of.get("metrics"))], *_calibrated(f"{called}, calibrated", of)]
        if folds := of_folds(of):
            rows.append([f"{called}, {FOLDS}", *metric_cells(folds)])
    return rows


def _at_gamma(run: "Recorded", prediction: str) -> str:
    """Says that what predicts does so with calibration, where it does."""
    found = run.predictions.get(prediction) or {}
    return f" with calibration, gamma {found['calibrated']['gamma']:.3g}" if found.get("uncalibrated") else ""


def _plain(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """A predictor that predicts with calibration, its figures without in the place of those with."""
    return {**found, "calibrated": found["uncalibrated"]}


def _calibrated(called: str, found: Mapping[str, Any]) -> list[list[str]]:
    """The row of U, S and H at gamma: of the test rows, or H alone of folds; none where neither is known."""
    metrics = found.get("metrics") or {}
    at = found.get("calibrated") or {"harmonic": metrics.get("calibrated")}
    told = not found.get("calibrated") and at["harmonic"] == metrics.get("harmonic")  # of folds, by a run that predicts at gamma
    if at.get("harmonic") is None or told:
        return []
    return [[called, *metric_cells({"zsl": metrics.get("zsl"), "ausuc": metrics.get("ausuc"), **at})]]


def _called(reference: "Reference") -> str:
    if reference.is_base:
        return f"{texts.FRAMEWORKS.get(reference.name, reference.name)} without D3"
    return texts.BASELINES.get(reference.name, reference.name)


def _verdict(run: "Recorded", prediction: str, metrics: dict[str, Any], references: "Sequence[Reference]") -> list[str]:
    sentences = [*verdict(run, prediction, metrics), *against(metrics, [(_called(one), one.metrics) for one in references])]
    if folds := of_folds(run.results):
        sentences += against_on_folds(run, folds, [(_called(one), one.folds or {}) for one in references])
    sentences = [*explained(run.results), *sentences]
    selection = run.results.get("selection")
    if selection == "test":
        return [texts.TEST_SELECTED, *sentences]
    return [texts.OF_FOLDS, *sentences] if selection == FOLDS_ONLY and sentences else sentences
