"""What D3 adds, drawn: a panel a benchmark with a line a method, and one over all benchmarks with a line a family."""

from collections.abc import Mapping, Sequence
from typing import Any

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.evaluation.mixed_model import Effect
from d3gzsl_jax.evaluation.statistics import paired
from d3gzsl_jax.runs.report.figures import finish, legend_above, panels_of
from tools.evidence.comparisons import Comparison

CHOSEN, STUDENT = "chosen on validation", "student"
_COLOURS = {CHOSEN: "#332288", STUDENT: "#AA4499"}


def draw(of_benchmarks: Mapping[str, Sequence[Comparison]], effects: Mapping[str, Effect]) -> Any:
    """A matplotlib figure. Marks are means over seeds, bars 95 % t-intervals of them; below, those of the model over all."""
    lines = [len(of) for of in of_benchmarks.values()] + [len(effects)] * bool(effects)
    figure, panels = panels_of(len(lines), columns=2, width=8.4, height=0.9 + 0.42 * max(lines))
    for axes, (title, of) in zip(panels, of_benchmarks.items(), strict=False):
        for place, one in enumerate(of):
            for measure, label, shift in (("chosen", CHOSEN, -0.12), ("student", STUDENT, 0.14)):
                found = paired(one.values("ours", measure, "harmonic"), one.values("base", "chosen", "harmonic"))
                _mark(axes, place + shift, found["difference"], found["low"], found["high"], label)
        bases = (float(one.values("base", "chosen", "harmonic").mean()) for one in of)
        called = (FRAMEWORKS[one.framework].called for one in of)
        _finish(axes, title, [f"{name}\nH {base:.1f} without" for name, base in zip(called, bases, strict=True)])
    if effects:
        axes = panels[len(of_benchmarks)]
        for place, effect in enumerate(effects.values()):
            _mark(axes, place, effect.mean, effect.low, effect.high, CHOSEN)
        _finish(axes, "all benchmarks, one model", [f"{name} ({effect.comparisons})" for name, effect in effects.items()])
    legend_above(figure, panels[: len(of_benchmarks)])
    return figure


def _mark(axes: Any, place: float, mean: float, low: float, high: float, label: str) -> None:
    """A mean with its interval, which is NaN for too few seeds; hollow for the student."""
    half = (high - low) / 2
    axes.errorbar(
        [mean], [place], xerr=None if half != half else [half], fmt="o", capsize=3, markersize=5, color=_COLOURS[label],
        mfc=_COLOURS[label] if label == CHOSEN else "white", label=label,
    )  # fmt: skip


def _finish(axes: Any, title: str, names: Sequence[str]) -> None:
    axes.axvline(0.0, color="#777777", linewidth=1.0)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    finish(axes, title=title, x="H with D3 minus H without, points", whole_numbers=False)
    axes.grid(visible=False, axis="y")
