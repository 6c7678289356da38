"""The command line of the figures: benchmarks by name, each with a folder of runs, drawn as one SVG with its figures beside it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents, json_files
from d3gzsl_jax.runs.report.figures import svg
from d3gzsl_jax.studies.own_outputs import picture
from d3gzsl_jax.system.atomic import replacing, write_text
from tools import named_runs


def run(about: str, measure: Callable[[Path], Any], draw: Callable[[dict[str, Any]], Any]) -> None:
    """Draws what the command line names.

    Args:
        about: what --help says.
        measure: of a folder of runs, its figures.
        draw: a matplotlib figure of the figures by benchmark.

    Raises:
        UserError: bad options, a place that cannot be written to or holds something else, or what `measure` raises.
    """
    given = named_runs.read(about, "FILE.svg")
    runs, output = named_runs.by_name(given), contents.output(given.output, "--output", picture, "figure of this tool")
    if output.suffix != ".svg":
        raise UserError(f"--output={output}: the name must end in .svg; the figures are written beside it, as .json")
    beside = output.with_suffix(".json")
    json_files.read(beside, dict[str, Any], "name another file for --output")  # refused before the work
    found = {name: measure(folder) for name, folder in runs.items()}
    with replacing(output, "wb", parents=True) as file:
        file.write(svg(draw(found)))
    write_text(beside, json.dumps(found, indent=1) + "\n")
