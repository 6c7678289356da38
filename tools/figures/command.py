"""The command line of the figures: benchmarks by name, each with a folder of runs, drawn as one SVG with its figures beside it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from d3gzsl_jax.runs.report.figures import svg
from tools import named_runs


def run(about: str, measure: Callable[[Path], Any], draw: Callable[[dict[str, Any]], Any]) -> None:
    """Draws what the command line names.

    Args:
        about: what --help says.
        measure: of a folder of runs, its figures.
        draw: a matplotlib figure of the figures by benchmark.
    """
    given = named_runs.read(about, "FILE.svg")
    found = {name: measure(folder) for name, folder in given.runs}
    given.output.write_bytes(svg(draw(found)))
    given.output.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
