"""H against training time: how far each framework is after so many minutes on one machine, a panel a benchmark, as one SVG.

    python tools/figures/training_time.py --output=docs/training_time.svg FLO=RUNS CUB100=RUNS

RUNS is a folder with one run a framework, all on the same idle machine, with config.classifier.fit=every. H is of the final
classifier on the *fold* of each run (RUN/validation/fold-0): nothing here is read off test rows. Time is that of training and
evaluation, of both stages where a framework has two: its curve begins where the first one ends. A JSON of the same figures is
written beside the SVG.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.runs.report.figures import finish, legend_above, panels_of, svg

_COLOURS = ("#332288", "#88CCEE", "#117733", "#999933", "#DDCC77", "#CC6677", "#AA4499", "#882255")


def lines(folder: Path) -> list[dict[str, Any]]:
    """The evaluations in a run folder's metrics.jsonl."""
    path = folder / "metrics.jsonl"
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    return [line for line in found if line.get("kind") == "epoch"]


def curves(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """By framework, (minutes, H in percent) of each evaluation of the fold."""
    found = {}
    for config in sorted(folder.glob("*/config.json")):
        name, fold = json.loads(config.read_text(encoding="utf-8"))["framework"], config.parent / "validation" / "fold-0"
        before = lines(fold / "first_stage")
        spent = before[-1]["clock"]["seconds"] if before else 0.0
        found[name] = [
            ((spent + line["clock"]["seconds"]) / 60, 100 * line["predictions"]["classifier"]["harmonic"]) for line in lines(fold)
        ]
    return {name: found[name] for name in FRAMEWORKS if found.get(name)}


def draw(of_benchmarks: dict[str, dict[str, list[tuple[float, float]]]]) -> Any:
    """A panel a benchmark, a line a framework."""
    figure, panels = panels_of(len(of_benchmarks), columns=2, width=8.4, height=3.2)
    colours = dict(zip(FRAMEWORKS, _COLOURS, strict=False))
    for axes, (title, found) in zip(panels, of_benchmarks.items(), strict=True):
        for name, points in found.items():
            minutes, harmonic = np.array(points).T
            label = FRAMEWORKS[name].called
            axes.plot(minutes, harmonic, marker="o", markersize=3, linewidth=1.5, color=colours[name], label=label)
        finish(axes, title=title, x="minutes of training", y="H on the fold, percent", whole_numbers=False)
        axes.set_xlim(left=0)
    legend_above(figure, panels)
    return figure


def main() -> None:
    """Draws what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args()
    found = {name: curves(Path(folder)) for name, _, folder in (of.partition("=") for of in arguments.runs)}
    arguments.output.write_bytes(svg(draw(found)))
    arguments.output.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
