"""The command line of the figures: benchmarks by name, each with a folder of runs, drawn as one SVG with its figures beside it."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from d3gzsl_jax.runs.report.figures import svg


def run(about: str, measure: Callable[[Path], Any], draw: Callable[[dict[str, Any]], Any]) -> None:
    """Draws what the command line names.

    Args:
        about: what --help says.
        measure: of a folder of runs, its figures.
        draw: a matplotlib figure of the figures by benchmark.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args()
    found = {name: measure(Path(folder)) for name, _, folder in (of.partition("=") for of in arguments.runs)}
    arguments.output.write_bytes(svg(draw(found)))
    arguments.output.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
