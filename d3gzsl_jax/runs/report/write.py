"""Draws a run's plots and writes its report: plots/*.png and report.html, one file that holds everything it shows."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from d3gzsl_jax.runs.report import comparison, plots
from d3gzsl_jax.runs.report.page import page
from d3gzsl_jax.runs.report.record import Recorded
from d3gzsl_jax.system import atomic
from d3gzsl_jax.text import printable

if TYPE_CHECKING:
    from d3gzsl_jax.runs.report.svg import Drawing


def write_report(folder: Path, concluding: bool = False) -> Path:
    """Draws the plots there is data for and writes the page with them; returns its path. Arguments and errors as of `write_page`.

    Raises:
        UserError: or matplotlib is not installed.
    """
    return write_page(folder, concluding, plots.write_all(folder))


def write_page(folder: Path, concluding: bool = False, drawings: Mapping[str, "Drawing"] | None = None) -> Path:
    """Writes report.html, whole or as it was, of what the folder holds; returns its path.

    Args:
        folder: of the run.
        concluding: whether the report is the last that is due of the run: its results.json says so only afterwards.
        drawings: the plots in it, by name; None for none.

    Raises:
        UserError: the folder holds no run, a file in it is damaged, or the page cannot be written.
    """
    run, path = Recorded.read(folder), Path(folder) / "report.html"
    if concluding:
        run = dataclasses.replace(run, results=run.results | {"concluded": True})
    text = page(run, drawings or {}, comparison.references(Path(folder), run))
    atomic.write_text(path, printable(text))
    return path
