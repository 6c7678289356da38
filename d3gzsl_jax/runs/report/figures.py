"""What all plots of a run have in common: panels, lines over epochs, axes, legends, and the PNG they become."""

import io
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from d3gzsl_jax.text import clean_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150  # pixels an inch
SVG_SALT = "d3gzsl"
"""Of the ids in an SVG file, which are drawn by chance otherwise."""
_MANY = 40  # from so many points on, a line has no markers


def panels_of(
    count: int, columns: int = 1, width: float | None = None, height: float = 3.0, **shared: Any
) -> tuple["Figure", list["Axes"]]:
    """A figure, `width` inches wide, of `count` panels, each `height` inches tall, in at most `columns` columns; and the panels in
    reading order. `shared`: see matplotlib's Figure.subplots.

    No panel is wider than 5.4 inches if `width` is left to this: on a narrow screen it must be legible, see svg.py.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # not pyplot, which holds figures in a global state and asks for a display

    columns = min(columns, count)
    rows = math.ceil(count / columns)
    width = width or (5.4 if columns == 1 else 8.0)
    figure = Figure(figsize=(width, height * rows + 0.4), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)  # keeps what texts are measured with, which is made anew for each otherwise
    panels = figure.subplots(rows, columns, squeeze=False, **shared).ravel().tolist()
    for axes in panels[count:]:
        axes.remove()
    return figure, panels[:count]


def lay_out(figure: "Figure") -> None:
    """Makes the layout of a figure that is complete, once: each of the files that are made of it would make it twice."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        if engine := figure.get_layout_engine():
            engine.execute(figure)
    figure.set_layout_engine(None)


def svg(figure: "Figure") -> bytes:
    """The figure as an SVG file, the same bytes for the same figure."""
    import matplotlib

    buffer = io.BytesIO()
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.hashsalt": SVG_SALT}):
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(buffer, format="svg", dpi=DPI, metadata={"Date": None})
    return buffer.getvalue()


def png(figure: "Figure", dpi: int = DPI) -> bytes:
    """The figure as a PNG file, `dpi` pixels an inch."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a class name in letters the font lacks shows as boxes
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def line(axes: "Axes", x: np.ndarray, y: np.ndarray, **style: Any) -> None:
    """A line over epochs; with markers where points are few, so that one point is seen too."""
    if len(x):
        axes.plot(x, y, marker="o" if len(x) < _MANY else "", markersize=4, linewidth=1.5, **style)


def finish(
    axes: "Axes", title: str = "", x: str = "", y: str = "", log_over: float = 0, grid: bool = True, whole_numbers: bool = True
) -> None:
    """Titles, a light grid, no frame.

    Args:
        title, x, y: of the panel and its axes; '' for none.
        log_over: a logarithmic y axis where all values of lines are positive and the largest is more than so many times the
            smallest, which a linear axis would hide; 0 for never.
        grid: whether there is one.
        whole_numbers: x counts epochs, from 0.
    """
    axes.set_title(title, fontsize=10, y=1.0)  # said, it is not looked for among the ticks in every pass: a sixth of all the time
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(color="#e5e5e5", linewidth=0.8)
        axes.set_axisbelow(True)
    values = np.concatenate([np.zeros(0), *(line.get_ydata() for line in axes.lines)]) if log_over else np.zeros(0)
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() > log_over * values.min():
        axes.set_yscale("log")
        subs = (1, 2, 5) if values.max() < 100 * values.min() else (1,)
        axes.yaxis.get_major_locator().set_params(subs=subs)  # type: ignore[call-arg] # that of a logarithmic axis
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    elif log_over:
        axes.ticklabel_format(axis="y", scilimits=(-3, 5))  # not as mathematics: a second of parsing over all plots
    if whole_numbers:
        axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg] # that of a linear axis
        axes.set_xlim(left=0)


def legend_above(figure: "Figure", panels: Sequence["Axes"], **options: Any) -> None:
    """One legend for all panels, each label once."""
    entries = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if entries:
        longest = max(map(len, entries))
        columns = max(1, min(len(entries), 5, 80 // (longest + 8)))  # of letters, so that a narrow screen holds it
        figure.legend(entries.values(), entries, loc="outside upper center", ncols=columns, frameon=False, fontsize=9, **options)


def label_bottom(panels: Sequence["Axes"], columns: int, text: str) -> None:
    """Names the x axis under the lowest panel of each column."""
    for axes in panels[-columns:]:
        axes.set_xlabel(text, fontsize=9)


def plain(name: object) -> str:
    """A name on one line, at most 28 characters, without its dollar signs meaning mathematics."""
    text = clean_name(name).replace("_", " ")
    return (text if len(text) <= 28 else f"{text[:27]}…").replace("$", r"\$")
