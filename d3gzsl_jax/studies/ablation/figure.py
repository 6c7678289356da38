"""The results of an ablation as a figure: H by cell and predictor, its 95 % interval, every seed, and what is compared with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from d3gzsl_jax.runs.report.figures import finish, legend_above, panels_of, plain, png, svg
from d3gzsl_jax.studies.ablation.rows import CHOSEN, Row
from d3gzsl_jax.studies.tables.cells import spread
from d3gzsl_jax.text import clean_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# As in the plots of a run: one colour a predictor.
_COLOURS = {"student": "#332288", "classifier": "#AA4499", "ensemble": "#117733", CHOSEN: "#E69F00"}
_OTHER = "#117733"
_ROW = 0.26  # inches


def draw(title: str, rows: Sequence[Row]) -> "Figure":
    """One line a row, cells from top to bottom: the mean of H in percent with its 95 % interval (from three seeds on), a dot a
    seed. The mean of the first cell's result, which others are compared with, is a vertical line.

    Args:
        title: over the axes, with the selection rule.
        rows: of `rows_of`.
    """
    figure, (axes,) = panels_of(1, width=8.0, height=max(1.6, 0.9 + _ROW * len(rows)))
    places, place = [], 0.0
    of_cell: dict[str, list[float]] = {}
    for index, row in enumerate(rows):
        place += 0.0 if index == 0 else 0.62 if row.cell == rows[index - 1].cell else 1.0
        places.append(place)
        of_cell.setdefault(row.cell, []).append(place)
    ticks, labels = [np.mean(of) for of in of_cell.values()], [_short(cell) for cell in of_cell]
    base = next((row for row in rows if row.entries[0].result), None)
    if base is not None and len(base.percent("harmonic")):
        mean = base.percent("harmonic").mean()
        label = f"{_short(base.cell)}, {plain(base.predictor)}: {mean:.1f}"
        axes.axvline(mean, color="#777777", linewidth=1.2, linestyle="--", label=label)
    named: set[str] = set()
    for row, at in zip(rows, places, strict=True):
        kind = row.predictor if row.predictor in _COLOURS else "baseline"
        colour, values = _COLOURS.get(kind, _OTHER), row.percent("harmonic")
        mean, _, half = spread(values)
        axes.plot(values, np.full(len(values), at + 0.2), linestyle="", marker="o", markersize=3.5, alpha=0.5, color=colour, mew=0)
        axes.errorbar(
            [mean], [at], xerr=None if np.isnan(half) else [half], fmt="D", markersize=5, color=colour, capsize=3, linewidth=1.6,
            label=None if kind in named else kind,
        )
        named.add(kind)
    axes.set_xlim(*np.clip(axes.get_xlim(), 0.0, 100.0))  # intervals of few seeds go on beyond what H can be
    axes.set_yticks(ticks, labels)
    axes.set_ylim(places[-1] + 0.7 if places else 1.0, -0.7)
    title = "\n".join(clean_name(line).replace("$", r"\$") for line in title.splitlines())
    finish(axes, title=title, x="H, percent: mean, 95 % interval, each seed", whole_numbers=False)
    axes.grid(visible=False, axis="y")
    legend_above(figure, [axes])
    return figure


def files(figure: "Figure") -> dict[str, bytes]:
    """The figure as PNG and SVG, by extension."""
    return {"png": png(figure), "svg": svg(figure)}


def _short(name: str) -> str:
    """A cell's name on an axis, on several lines where it is long."""
    lines = [""]
    for word in clean_name(name).split(", "):
        lines = [*lines[:-1], f"{lines[-1]}, {word}"] if lines[-1] and len(lines[-1] + word) < 27 else [*lines, word]
    return "\n".join(plain(line) for line in lines if line)
