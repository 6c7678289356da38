"""The table of runs by configs/own.py in docs/own_pictures.md: each beside the baseline that its folds preferred.

    python tools/figures/own_table.py NAME=RUN NAME=RUN
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.advice import CALLED
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools import named_runs

_HEADING = ("set", "classes, of them unseen", "H of the run on its folds", "U", "S", "H", "baseline", "its H on the folds", "its H")


def row(name: str, folder: Path) -> list[str]:
    """Of a finished run: percent, H recomputed from U and S.

    Raises:
        UserError: it has no results, or not what the table holds.
    """
    path = folder / "results.json"
    if (results := json_files.read(path)) is None:
        raise UserError(f"{folder}: has no results.json; name the folder of a finished run")
    if not results.get("baselines"):
        raise UserError(f"{path}: has no baselines; name a run by configs/own.py, or one with config.eval.baselines")
    try:
        return _cells(name, results)
    except (KeyError, TypeError):  # a figure that is missing, or null
        raise UserError(f"{path}: lacks a figure of the table; name a run with folds and test rows of unseen classes") from None


def _cells(name: str, results: dict[str, Any]) -> list[str]:
    baselines: dict[str, Any] = results["baselines"]
    best = max(baselines, key=lambda one: baselines[one]["validation"]["metrics"]["calibrated"])
    seen, unseen = (len(results["classes"][kind]) for kind in ("seen", "unseen"))
    u, s = results["metrics"]["unseen"], results["metrics"]["seen"]
    of_best = baselines[best]["metrics"]
    percent = lambda value: f"{100 * value:.1f}"  # noqa: E731
    return [
        name, f"{seen + unseen}, {unseen}",
        percent(results["predictions"][results["prediction"]]["validation"]["metrics"]["calibrated"]), percent(u), percent(s),
        percent(harmonic_mean(u, s)), CALLED[best], percent(baselines[best]["validation"]["metrics"]["calibrated"]),
        percent(harmonic_mean(of_best["unseen"], of_best["seen"])),
    ]  # fmt: skip


def main() -> int:
    """Prints the table; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN", help="a name, and the folder of a run with baselines beside it")
    found = named_runs.folders(parser.parse_args().runs)
    lines = [_HEADING, ["---", *["---:"] * 5, "---", "---:", "---:"], *(row(name, folder) for name, folder in found)]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
