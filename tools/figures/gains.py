"""What D3 adds to each framework: H of runs with D3 minus H of runs without, paired by seed, a panel a benchmark, as one SVG.

    python tools/figures/gains.py --output=docs/gains.svg FLO=RUNS CUB100=RUNS

RUNS is a folder with the runs of all frameworks and seeds, with and without D3, as `d3gzsl table` reads it. Filled marks: the
predictor that validation chose; hollow ones: D3's student. Bars are 95 % t-intervals of the mean difference. A JSON of
the same figures is written beside the SVG.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.evaluation.statistics import paired
from d3gzsl_jax.runs.report.figures import finish, legend_above, panels_of
from d3gzsl_jax.studies.tables.command import find
from tools.figures.command import run

CHOSEN, STUDENT = "chosen on validation", "student"
_COLOURS = {CHOSEN: "#332288", STUDENT: "#AA4499"}


def harmonics(folder: Path) -> dict[tuple[str, bool, str], dict[int, float]]:
    """H in percent by seed, of (framework, with D3, predictor); the predictor is `CHOSEN`, or D3's student."""
    found: dict[tuple[str, bool, str], dict[int, float]] = {}
    for path in find([folder]):
        results = json.loads(path.read_text(encoding="utf-8"))
        if "seed" not in results or results["framework"] not in FRAMEWORKS:
            continue
        name, with_d3, seed = results["framework"], bool(results["distillation"]), results["seed"]
        found.setdefault((name, with_d3, CHOSEN), {})[seed] = 100 * results["metrics"]["harmonic"]
        if student := results["predictions"].get("student"):
            found.setdefault((name, with_d3, STUDENT), {})[seed] = 100 * student["metrics"]["harmonic"]
    return found


def gains(folder: Path) -> dict[str, dict[str, Any]]:
    """By framework, in the order of the registry, and predictor: 'base', 'with', 'n' and what `statistics.paired` says of them."""
    found, rows = harmonics(folder), {}
    for name in FRAMEWORKS:
        base = found.get((name, False, CHOSEN), {})
        for predictor in (CHOSEN, STUDENT):
            ours = found.get((name, True, predictor), {})
            if seeds := sorted(base.keys() & ours.keys()):
                values = [np.array([of[seed] for seed in seeds]) for of in (ours, base)]
                row = {"with": float(values[0].mean()), "base": float(values[1].mean()), **paired(*values)}
                rows.setdefault(name, {})[predictor] = row
    return rows


def draw(of_benchmarks: dict[str, dict[str, dict[str, Any]]]) -> Any:
    """A panel a benchmark, a line a framework."""
    most = max(len(rows) for rows in of_benchmarks.values())
    figure, panels = panels_of(len(of_benchmarks), columns=2, width=8.4, height=0.9 + 0.42 * most)
    for axes, (title, rows) in zip(panels, of_benchmarks.items(), strict=True):
        axes.axvline(0.0, color="#777777", linewidth=1.0)
        for place, row in enumerate(rows.values()):
            for predictor, shift in ((CHOSEN, -0.12), (STUDENT, 0.14)):
                if (one := row.get(predictor)) is None:
                    continue
                half = (one["high"] - one["low"]) / 2 if one.get("low") is not None else None
                axes.errorbar(
                    [one["difference"]], [place + shift], xerr=None if half is None else [half], fmt="o", capsize=3, markersize=5,
                    color=_COLOURS[predictor], mfc=_COLOURS[predictor] if predictor == CHOSEN else "white", label=predictor,
                )
        labels = [f"{FRAMEWORKS[name].called}\nH {next(iter(row.values()))['base']:.1f} without" for name, row in rows.items()]
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        finish(axes, title=title, x="H with D3 minus H without, points", whole_numbers=False)
        axes.grid(visible=False, axis="y")
    legend_above(figure, panels)
    return figure


if __name__ == "__main__":
    run(__doc__ or "", gains, draw)
