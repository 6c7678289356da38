"""What the page of a run shows, section by section, as plain values that page.html lays out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from d3gzsl_jax.runs.display import UNKNOWN
from d3gzsl_jax.runs.report import texts
from d3gzsl_jax.runs.report.grid import METRICS, Grid, grid, metric_cells, percent, short
from d3gzsl_jax.runs.report.html import render
from d3gzsl_jax.runs.report.result_section import result_section
from d3gzsl_jax.runs.report.verdict import confusions
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.runs.unknown_figures import FOLDS, of_folds

if TYPE_CHECKING:
    from d3gzsl_jax.runs.report.comparison import Reference
    from d3gzsl_jax.runs.report.record import ClassAccuracy, Recorded
    from d3gzsl_jax.runs.report.svg import Drawing

_SHOWN = 10  # so many classes at either end of the table, and confusions


def page(run: "Recorded", drawings: "Mapping[str, Drawing]", references: "Sequence[Reference]" = ()) -> str:
    """The whole page.

    Args:
        run: what the folder holds.
        drawings: plots by name; those of texts.PLOTS are shown.
        references: what the run is compared with, besides chance.
    """
    prediction = _prediction(run)
    return render(
        "runs/report/page.html", title=f"{_method(run)}, {_dataset(run)}", dataset=_dataset(run), method=_method(run),
        prediction=prediction, warnings=run.results.get("warnings") or [], plots=list(_plots(drawings)),
        teacher=_teacher(run), classes=_classes(run), **result_section(run, references, prediction), facts=_facts(run),
        **_predictors(run), **_confusions(run), **_losses(run), **_config(run), **_environment(run),
    )  # fmt: skip


def _facts(run: "Recorded") -> list[tuple[str, str]]:
    facts = {
        "state": _state(run),
        "seed": run.setting("seed"),
        "features": run.results.get("features"),
        "semantics": run.results.get("semantics"),
        "outer steps": run.results.get("steps") or max((line.get("step") or 0 for line in run.lines), default=None),
        "training and evaluation": _duration(run.results.get("seconds")),
        "outer steps a second": _newest(run, "clock", "steps_per_second"),
    }
    return [(name, short(value)) for name, value in facts.items() if value is not None]


def _state(run: "Recorded") -> str:
    """Finished or not, and how often resumed."""
    wanted = run.setting("train", "epochs")
    done = run.results.get("epochs", max((line.get("epoch") or 0 for line in run.lines), default=0))
    if not run.results:
        state = f"not finished: no results.json yet, evaluated up to epoch {done}"
    elif run.results.get("interrupted"):
        state = f"interrupted after epoch {done}"
    elif not run.results.get("concluded", True):
        state = f"not finished: stopped at its end, after epoch {done}; the same command goes on"
    else:
        state = f"finished, epoch {done}"
    resumed = [str(start.get("from_step", "?")) for start in run.starts[1:]]
    times = "once" if len(resumed) == 1 else f"{len(resumed)} times"
    return f"{state} of {wanted or '?'}" + (f"; resumed {times}, from outer step {', '.join(resumed)}" if resumed else "")


def _predictors(run: "Recorded") -> dict[str, Any]:
    rows, muted = [], {}
    epoch = "mean over folds" if run.results.get("selection") == FOLDS_ONLY else "last"
    for name, found in run.predictions.items():
        rows.append([name, epoch, *metric_cells(found.get("metrics"))])
        if selected := found.get("test_selected"):
            muted[len(rows)] = "muted"
            rows.append(["", f"test-selected ({selected.get('epochs', '?')})", *metric_cells(selected.get("metrics"))])
        if folds := of_folds(found):
            rows.append(["", FOLDS, *metric_cells(folds)])
    headings = ["predictor", "epoch reported", *(f"{heading} (%)" for heading in METRICS)]
    return {"predictors": grid(headings, rows, muted), "no_result": texts.NO_RESULT if muted else ""}


def _confusions(run: "Recorded") -> dict[str, Any]:
    """The largest shares of a class's rows that go to one other; single rows are left out where others are not."""
    found = confusions(run, _prediction(run))
    found = [one for one in found if one.lost > 1] or found
    domains, rows = run.domains, []
    for one in found[:_SHOWN]:
        sides = [f"{run.class_name(label)} ({domains.get(label, '?')})" for label in (one.label, one.taken_for)]
        rows.append([*sides, f"{100 * one.share:.1f}", f"{one.lost} of {one.rows}"])
    note = texts.CONFUSIONS + (texts.LAST_EPOCH if run.results.get("selection") == "test" else "")
    return {"confusions": grid(["class", "taken for", "share (%)", "test rows"], rows), "confusions_note": note}


def _teacher(run: "Recorded") -> Grid:
    found = run.results.get("teacher") or {}
    return grid(
        ["", "%", ""], [[name, percent(found[key]), means] for key, (name, means) in texts.TEACHER.items() if key in found]
    )


def _plots(drawings: "Mapping[str, Drawing]") -> Iterator[dict[str, Any]]:
    from markupsafe import Markup  # what svg.py made is HTML already

    for name, (title, reading) in texts.PLOTS.items():
        if name in drawings:
            legend, panels = drawings[name]
            yield {"title": title, "reading": reading, "legend": Markup(legend), "panels": [Markup(panel) for panel in panels]}


def _classes(run: "Recorded") -> dict[str, Grid | None] | None:
    prediction = _prediction(run)
    classes = sorted(run.accuracies(prediction), key=lambda one: one.accuracy) if prediction in run.predictions else []
    if not classes:
        return None
    if len(classes) <= 2 * _SHOWN:
        return {"all": _class_grid(classes), "worst": None}
    ends: dict[str, Grid | None] = {"worst": _class_grid(classes[:_SHOWN]), "best": _class_grid(classes[: -_SHOWN - 1 : -1])}
    return ends | {"all": _class_grid(classes)}


def _class_grid(classes: "Sequence[ClassAccuracy]") -> Grid:
    return grid(["class", "", "accuracy (%)"], [[one.name, one.domain, percent(one.accuracy)] for one in classes])


def _losses(run: "Recorded") -> dict[str, Any]:
    line = next((line for line in reversed(run.lines) if line.get("losses")), None)
    if not line:
        return {"losses": grid([], []), "losses_title": ""}
    phases = {phase: terms or {} for phase, terms in line["losses"].items()}
    terms = dict.fromkeys(term for found in phases.values() for term in found)
    rows = []
    for term in terms:
        name = texts.TERMS.get(term) or term.replace("_", " ")
        rows.append([name, *(short(found[term]) if term in found else "" for found in phases.values())])
    headings = ["term", *(f"{phase} phase" for phase in phases)]
    return {"losses": grid(headings, rows), "losses_title": f"Losses up to epoch {line.get('epoch')}"}


def _config(run: "Recorded") -> dict[str, Grid]:
    given = [[field, short(value)] for field, value in run.overrides.items()]
    fields = [[field, short(value)] for field, value in _flat(run.config)]
    return {"given": grid(["set on the command line", "value"], given), "fields": grid(["field", "value"], fields)}


def _environment(run: "Recorded") -> dict[str, Grid]:
    rows = []
    for start in run.starts:
        device = start.get("device") or {}
        devices = f"{device.get('count', '?')} x {device.get('kind', '?')} ({device.get('platform', '?')})"
        told = [UNKNOWN if start.get(key) is None else start[key] for key in ("time", "from_step", "machine", "git", "python")]
        rows.append([*told[:2], devices, *told[2:]])
    packages = sorted({package for start in run.starts for package in start.get("versions") or {}})
    versions = [[package, *((start.get("versions") or {}).get(package, "") for start in run.starts)] for package in packages]
    headings = ["package", *(f"start {number}" for number in range(1, len(run.starts) + 1))]
    starts = ["started", "from outer step", "devices", "machine", "revision", "Python"]
    return {"starts": grid(starts, rows), "packages": grid(headings, versions)}


def _prediction(run: "Recorded") -> str:
    """What the run predicts with; of several seeds, nothing."""
    found = run.results.get("prediction") or run.setting("eval", "prediction")
    return found if isinstance(found, str) else ""


def _method(run: "Recorded") -> str:
    base = run.setting("framework") or run.results.get("framework") or "a run"
    weights = (value for name, value in (run.setting("distillation") or {}).items() if name.startswith("weight_"))
    name = texts.FRAMEWORKS.get(base, base)
    return f"D3 on {name}" if run.results.get("distillation", any(weights)) else f"{name} without D3"


def _dataset(run: "Recorded") -> str:
    return str(run.results.get("dataset") or run.setting("dataset") or "")


def _newest(run: "Recorded", *keys: str) -> float | None:
    values = run.series(*keys)[1]
    return float(values[-1]) if len(values) and math.isfinite(values[-1]) else None


def _duration(seconds: float | None) -> str | None:
    if seconds is None or seconds < 120:
        return None if seconds is None else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value

