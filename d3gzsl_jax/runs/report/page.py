"""What the page of a run's report says, section by section. All text is escaped; what is missing from the folder is left out."""

import base64
import html
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from d3gzsl_jax.runs.display import METRICS, UNKNOWN
from d3gzsl_jax.runs.report.figures import DPI
from d3gzsl_jax.runs.report.template import PAGE
from d3gzsl_jax.runs.results import result_of
from d3gzsl_jax.runs.resume import FOLDS_ONLY

if TYPE_CHECKING:
    from d3gzsl_jax.runs.report.record import ClassAccuracy, Recorded

NO_RESULT = "A test-selected row picks its epoch on the test set, as published code does: it is no result."
PICTURES = {
    "metrics": (
        "Accuracy over training",
        "U and S are top-1 accuracies averaged over unseen and over seen classes, H is their harmonic mean, T1 is the accuracy "
        "of unseen rows where only unseen classes may be predicted. U far below T1 means that unseen rows are taken for seen "
        "classes.",
    ),
    "curve": (
        "Seen-unseen trade-off",
        "A constant gamma subtracted from all seen logits moves a predictor along its curve (calibrated stacking); the dot is "
        "the predictor as evaluated, dotted lines join points of equal H. A dot away from the corner of its curve loses H to "
        "the balance of seen and unseen, a low corner loses it to confusion within them. AUSUC is the area under the curve: it "
        "does not depend on the balance.",
    ),
    "confusion": (
        "Seen taken for unseen, and the reverse",
        "Whether test rows are taken for any class of their own side. Much blue in the lower bar of a predictor: unseen rows "
        "drown in seen classes. Much orange in the upper one: the reverse.",
    ),
    "per_class": (
        "Accuracy by class",
        "How evenly classes are recognised: U and S are the means of the unseen and of the seen ones. An unseen class near 0 "
        "often has a semantic vector close to that of another class.",
    ),
    "scores": (
        "The teacher's scores",
        "How sure the teacher is that a row is of a seen class. Seen rows should lie to the right of unseen ones; synthesized "
        "rows serve best where they lie like the unseen test rows they stand for.",
    ),
    "projection": (
        "Real and synthesized features of unseen classes",
        "Both on the two main axes of the real rows; what these axes do not show stays hidden. Synthesized rows should cover "
        "the real ones of their class. A tight dot is a collapsed generator.",
    ),
    "losses": (
        "Loss terms",
        "Means over the steps since the evaluation before. 'variance, synthesized / real' is that of synthesized rows of an unseen "
        "class as a share of that of real rows of a class: it falls towards 0 when the generator collapses.",
    ),
    "norms": (
        "Norms and learning rates",
        "By parameter group. An update norm that grows against its parameter norm, or a gradient norm that climbs without end, "
        "comes before divergence.",
    ),
}
"""Title and how to read it, by name of the picture, in the order of the page."""

_BASES = {"wgan": "WGAN-GP", "fclswgan": "f-CLSWGAN", "cegzsl": "CE-GZSL"}
_TEACHER = {
    "seen_accuracy": ("accuracy on seen test rows", "mean over classes, among seen classes only"),
    "auroc": ("AUROC", "of its score, seen against unseen test rows; 50 is chance"),
    "fpr_at_95": ("FPR@95", "unseen rows accepted where 95 % of seen rows are; lower is better"),
    "id_accuracy": ("seen rows over the threshold", "of its score, config.teacher.threshold"),
    "ood_accuracy": ("unseen rows at or under it", "the same threshold"),
}
_TERMS = {"cls": "L_cls", "od": "L_od", "be": "L_be", "kl": "L_kl", "distillation": "L_D3, weighted sum"}
_SHOWN = 10  # so many classes at either end of the table


def page(run: "Recorded", pictures: Mapping[str, bytes]) -> str:
    """The whole page.

    Args:
        run: what the folder holds.
        pictures: PNG files by name; those of PICTURES are shown.
    """
    sections = [
        _head(run), _warnings(run), _predictors(run), _teacher(run), *_pictures(pictures), _classes(run), _losses(run),
        _config(run), _environment(run),
    ]  # fmt: skip
    return PAGE.substitute(title=_text(f"{_method(run)}, {_dataset(run)}"), body="\n".join(filter(None, sections)))


_EPOCH = {
    "last": "last epoch", "validation": "epoch chosen on validation", "test": "test-selected, no result",
    FOLDS_ONLY: "means over folds inside trainval",
}  # fmt: skip


def _head(run: "Recorded") -> str:
    prediction = run.results.get("prediction") or run.setting("eval", "prediction")
    found = result_of(run.predictions.get(prediction) or {}, run.results.get("selection", "last")).get("metrics") or {}
    main = "H" if found.get("harmonic") is not None or found.get("zsl") is None else "T1"  # without test rows of seen classes
    numbers = "".join(
        f'<div class="number{" main" if heading == main else ""}"><b>{_percent(found.get(key))}</b><span>{heading}</span></div>'
        for heading, key in METRICS.items()
    )
    epoch = _EPOCH.get(run.results.get("selection"), "newest evaluation")
    whose = f"{prediction}, {epoch}, percent" if found else "nothing evaluated yet"
    facts = {
        "state": _state(run),
        "seed": run.setting("seed"),
        "features": run.results.get("features"),
        "semantics": run.results.get("semantics"),
        "outer steps": run.results.get("steps") or max((line.get("step") or 0 for line in run.lines), default=None),
        "training and evaluation": _duration(run.results.get("seconds")),
        "outer steps a second": _newest(run, "clock", "steps_per_second"),
    }
    items = "".join(f"<dt>{_text(name)}</dt><dd>{_text(_short(value))}</dd>" for name, value in facts.items() if value is not None)
    return (
        f'<header><p class="over">{_text(_dataset(run))}</p><h1>{_text(_method(run))}</h1><div class="numbers">{numbers}</div>'
        f'<p class="note">{_text(whose)}</p><dl>{items}</dl></header>'
    )


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


def _warnings(run: "Recorded") -> str:
    items = "".join(f"<li>{_text(warning)}</li>" for warning in run.results.get("warnings") or [])
    return _section("Warnings", f"<ul>{items}</ul>", "warnings") if items else ""


def _predictors(run: "Recorded") -> str:
    rows, muted = [], set()
    epoch = "mean over folds" if run.results.get("selection") == FOLDS_ONLY else "last"
    for name, found in run.predictions.items():
        rows.append([name, epoch, *_metrics(found.get("metrics"))])
        if selected := found.get("test_selected"):
            muted.add(len(rows))
            rows.append(["", f"test-selected ({selected.get('epochs', '?')})", *_metrics(selected.get("metrics"))])
    if not rows:
        return ""
    note = f'<p class="note">{NO_RESULT}</p>' if muted else ""
    return _section("What predicts", _table(["predictor", "epoch reported", *(f"{h} (%)" for h in METRICS)], rows, muted) + note)


def _teacher(run: "Recorded") -> str:
    found = run.results.get("teacher") or {}
    rows = [[name, _percent(found[key]), means] for key, (name, means) in _TEACHER.items() if key in found]
    return _section("Teacher", _table(["", "%", ""], rows)) if rows else ""


def _pictures(pictures: Mapping[str, bytes]) -> Iterator[str]:
    for name, (title, reading) in PICTURES.items():
        if name in pictures:
            data = base64.b64encode(pictures[name]).decode()
            width = int.from_bytes(pictures[name][16:20]) * 100 // DPI  # where a PNG has it; 100 pixels of the page are an inch
            image = f'<div class="plot"><img alt="{_text(title)}" width="{width}" src="data:image/png;base64,{data}"></div>'
            yield _section(title, f"<figure>{image}<figcaption>{_text(reading)}</figcaption></figure>")


def _classes(run: "Recorded") -> str:
    prediction = run.results.get("prediction")
    classes = sorted(run.accuracies(prediction), key=lambda one: one.accuracy) if prediction in run.predictions else []
    if not classes:
        return ""
    if len(classes) <= 2 * _SHOWN:
        return _section(f"Classes, {prediction}", _class_table(classes))
    ends = [("worst", classes[:_SHOWN]), ("best", classes[: -_SHOWN - 1 : -1])]
    tables = "".join(f"<div><h3>{_SHOWN} {which}</h3>{_class_table(some)}</div>" for which, some in ends)
    everything = _details(f"all {len(classes)} classes, worst first", _class_table(classes))
    return _section(f"Classes, {prediction}", f'<div class="pair">{tables}</div>{everything}')


def _class_table(classes: Sequence["ClassAccuracy"]) -> str:
    return _table(["class", "", "accuracy (%)"], [[one.name, one.domain, _percent(one.accuracy)] for one in classes])


def _losses(run: "Recorded") -> str:
    line = next((line for line in reversed(run.lines) if line.get("losses")), None)
    if not line:
        return ""
    phases = {phase: terms or {} for phase, terms in line["losses"].items()}
    terms = dict.fromkeys(term for found in phases.values() for term in found)
    rows = [
        [_TERMS.get(term) or term.replace("_", " "), *(_short(found[term]) if term in found else "" for found in phases.values())]
        for term in terms
    ]
    headings = ["term", *(f"{phase} phase" for phase in phases)]
    return _section(f"Losses up to epoch {line.get('epoch')}", _table(headings, rows))


def _config(run: "Recorded") -> str:
    given = [[field, _short(value)] for field, value in run.overrides.items()]
    first = _table(["set on the command line", "value"], given) if given else "<p>Nothing was set on the command line.</p>"
    everything = _table(["field", "value"], [[field, _short(value)] for field, value in _flat(run.config)])
    return _section("Configuration", first + _details("all fields", everything))


def _environment(run: "Recorded") -> str:
    rows = []
    for start in run.starts:
        device = start.get("device") or {}
        devices = f"{device.get('count', '?')} x {device.get('kind', '?')} ({device.get('platform', '?')})"
        told = lambda key, start=start: UNKNOWN if start.get(key) is None else start[key]  # noqa: E731
        rows.append([told("time"), told("from_step"), devices, *map(told, ("machine", "git", "python"))])
    if not rows:
        return ""
    table = _table(["started", "from outer step", "devices", "machine", "revision", "Python"], rows)
    packages = sorted({package for start in run.starts for package in start.get("versions") or {}})
    versions = [[package, *((start.get("versions") or {}).get(package, "") for start in run.starts)] for package in packages]
    starts = ["package", *(f"start {number}" for number in range(1, len(run.starts) + 1))]
    return _section("Where it ran", table + (_details("packages", _table(starts, versions)) if versions else ""))


def _method(run: "Recorded") -> str:
    base = run.setting("framework") or run.results.get("framework") or "a run"
    weights = (value for name, value in (run.setting("distillation") or {}).items() if name.startswith("weight_"))
    name = _BASES.get(base, base)
    return f"D3 on {name}" if run.results.get("distillation", any(weights)) else f"{name} without D3"


def _dataset(run: "Recorded") -> str:
    return str(run.results.get("dataset") or run.setting("dataset") or "")


def _newest(run: "Recorded", *keys: str) -> float | None:
    values = run.series(*keys)[1]
    return float(values[-1]) if len(values) and math.isfinite(values[-1]) else None


def _metrics(found: Mapping[str, Any] | None) -> list[str]:
    return [_percent((found or {}).get(key)) for key in METRICS.values()]


def _percent(value: Any) -> str:
    return f"{100 * value:.1f}" if isinstance(value, int | float) and math.isfinite(value) else UNKNOWN


def _short(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return UNKNOWN
    return f"{value:.4g}" if isinstance(value, float) else str(value)


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


def _section(title: str, content: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{_text(title)}</h2>{content}</section>'


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{_text(summary)}</summary>{content}</details>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[Any]], muted: Container[int] = ()) -> str:
    """A table of plain values, all escaped; columns of numbers stand to the right, rows whose position is in `muted` stand back."""
    columns = list(zip(*rows, strict=True)) or [()] * len(headings)
    kinds = [" class=n" if place and all(map(_is_number, column)) else "" for place, column in enumerate(columns)]
    head = "".join(f"<th{kind}>{_text(heading)}</th>" for heading, kind in zip(headings, kinds, strict=True))
    body = "".join(
        f"<tr{' class=muted' if position in muted else ''}>"
        + "".join(f"<td{kind}>{_text(value)}</td>" for value, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for position, row in enumerate(rows)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (ValueError, TypeError):
        return value in ("", UNKNOWN)
    return True


def _text(value: Any) -> str:
    return html.escape(str(value))
