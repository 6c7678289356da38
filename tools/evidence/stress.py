"""What D3 adds where training rows of seen classes are few or long-tailed: the studies of d3gzsl ablate, kept small and tabled.

    d3gzsl ablate --config=cub100_small:wgan --preset=imbalance --seeds=3 --data-root=FOLDER --output=OUT/imbalance
    python tools/evidence/stress.py --output=docs/results/stress.json CUB100=OUT

By benchmark and cell of every ablation.csv under its folder: by predictor and seed U, S, H, calibrated H, AUSUC and T1, in percent.
tools/evidence/report.py makes the table <!-- begin stress --> of it, in which 'full, LEVEL' is compared with 'base, LEVEL', paired
by seed.
"""

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.statistics import paired
from d3gzsl_jax.studies.tables.cells import signed, signed_between, with_deviation
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from d3gzsl_jax.system.terminal import run_command
from tools import named_runs

_MEASURES = {"unseen": "U", "seen": "S", "harmonic": "H", "calibrated": "H calibrated", "ausuc": "AUSUC", "zsl": "T1"}
_COMPARED = ("harmonic", "calibrated", "ausuc")
_FULL, _BASE = "full, ", "base, "

Cells = dict[str, dict[str, dict[str, dict[str, float]]]]
"""By cell, predictor, seed and measure: percent."""


def cells(output: Path) -> Cells:
    """What the studies under a folder found.

    Raises:
        UserError: there are none.
    """
    found: Cells = {}
    for file in sorted(output.rglob("ablation.csv")):
        with open(file, encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                of_cell = found.setdefault(row["cell"], {}).setdefault(row["predictor"], {})
                of_cell[row["seed"]] = {name: 100.0 * float(row[name] or "nan") for name in _MEASURES}
    if not found:
        raise UserError(f"{output}: holds no ablation.csv; --output of `d3gzsl ablate` is meant, or a folder of them")
    return found


def table(of_benchmarks: Mapping[str, Cells]) -> Table:
    """A row a cell and predictor; those with D3 with what they differ by from the base method at the same level."""
    rows = []
    for benchmark, found in of_benchmarks.items():
        for cell, predictors in found.items():
            bases = found.get(_BASE + cell.removeprefix(_FULL), {}) if cell.startswith(_FULL) else {}
            for predictor, of_seeds in predictors.items():
                values = {name: np.array([one[name] for one in of_seeds.values()]) for name in _MEASURES}
                texts = [benchmark, cell, predictor, len(of_seeds), *(with_deviation(values[name]) for name in _MEASURES)]
                base = next(iter(bases.values()), {})
                for name in _COMPARED:
                    seeds = [seed for seed in of_seeds if seed in base]
                    ours, theirs = (np.array([of[seed][name] for seed in seeds]) for of in (of_seeds, base))
                    told = paired(ours, theirs) if seeds else {}
                    texts += [signed(told.get("difference")), signed_between(told.get("low"), told.get("high"))]
                rows.append([Cell.of(text) for text in texts])
    headings = ["benchmark", "cell", "predictor", "seeds", *_MEASURES.values()]
    headings += [text for name in _COMPARED for text in (f"Δ{_MEASURES[name]}", "95 %")]
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def main() -> None:
    """The command line."""
    named_runs.write_json(__doc__ or "", cells)


if __name__ == "__main__":
    sys.exit(run_command(main))
