"""The table of runs by configs/own.py in docs/own_pictures.md: each beside the baseline that its folds preferred.

    python tools/figures/own_table.py NAME=RUN NAME=RUN
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.evaluation.advice import CALLED
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command

_HEADING = ("set", "classes, of them unseen", "H of the run on its folds", "U", "S", "H", "baseline", "its H on the folds", "its H")


def row(name: str, folder: Path) -> list[str]:
    """Of a finished run: percent, H recomputed from U and S."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
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
    found = [one.partition("=") for one in parser.parse_args().runs]
    lines = [_HEADING, ["---", *["---:"] * 5, "---", "---:", "---:"], *(row(name, Path(folder)) for name, _, folder in found)]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
