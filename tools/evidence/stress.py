"""What D3 adds where training rows of seen classes are few or long-tailed: the studies of d3gzsl ablate, kept small and tabled.

    d3gzsl ablate --config=cub100_small:wgan --preset=imbalance --seeds=3 --data-root=FOLDER --output=OUT/imbalance
    python tools/evidence/stress.py --output=docs/results/stress.json CUB100=OUT

By benchmark and cell of every ablation.csv under its folder: the digest of the stressed data, and by predictor and seed U, S, H,
calibrated H, AUSUC and T1, in percent. tools/evidence/report.py makes the table <!-- begin stress --> of it, in which every cell is
compared with 'base, LEVEL', or the base method on the same data, paired by seed.
"""

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
_DATA, _PREDICTORS, _CHOSEN = "data", "predictors", "chosen"

Cells = dict[str, dict[str, Any]]
"""By cell 'data', a digest, and 'predictors': by predictor, seed and measure percent, and whether validation chose it."""


def cells(output: Path) -> Cells:
    """What the studies under a folder found.

    Raises:
        UserError: there are none, or two cells of one name are of different data.
    """
    found: Cells = {}
    for file in sorted(output.rglob("ablation.csv")):
        with open(file, encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                of_cell = found.setdefault(row["cell"], {_DATA: row["data"], _PREDICTORS: {}})
                if of_cell[_DATA] != row["data"]:
                    raise UserError(f"{file}: another study has the cell {row['cell']!r} too, of other data; keep them apart")
                measured = {name: 100.0 * float(row[name] or "nan") for name in _MEASURES} | {_CHOSEN: row["result"] == "True"}
                of_cell[_PREDICTORS].setdefault(row["predictor"], {})[row["seed"]] = measured
    if not found:
        raise UserError(f"{output}: holds no ablation.csv; --output of `d3gzsl ablate` is meant, or a folder of them")
    return found


def table(of_benchmarks: Mapping[str, Cells]) -> Table:
    """A row a cell and predictor, with what it differs by from the base method on the same data."""
    rows = []
    for benchmark, found in of_benchmarks.items():
        # What is of the same data stands together.
        data = list(dict.fromkeys(of[_DATA] for of in found.values()))
        for cell in sorted(found, key=lambda cell: data.index(found[cell][_DATA])):
            base = _base_of(cell, found)
            for predictor, of_seeds in found[cell][_PREDICTORS].items():
                values = {name: np.array([one[name] for one in of_seeds.values()], np.float64) for name in _MEASURES}
                chosen = sum(one[_CHOSEN] for one in of_seeds.values())
                texts = [benchmark, cell, predictor, len(of_seeds), chosen, *(with_deviation(values[name]) for name in _MEASURES)]
                for name in _COMPARED:
                    seeds = [seed for seed in of_seeds if seed in base]
                    ours, theirs = (np.array([of[seed][name] for seed in seeds], np.float64) for of in (of_seeds, base))
                    told = paired(ours, theirs) if seeds else {}
                    texts += [signed(told.get("difference")), signed_between(told.get("low"), told.get("high"))]
                rows.append([Cell.of(text) for text in texts])
    headings = ["benchmark", "cell", "predictor", "seeds", "chosen in", *_MEASURES.values()]
    headings += [text for name in _COMPARED for text in (f"Δ{_MEASURES[name]}", "95 %")]
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def _base_of(cell: str, found: Cells) -> dict[str, dict[str, Any]]:
    """By seed what a cell is compared with: of 'full, LEVEL' that of 'base, LEVEL', of others the base method on the same data,
    where there is one alone."""
    if cell.startswith(_BASE):
        return {}
    named = found.get(_BASE + cell.removeprefix(_FULL)) if cell.startswith(_FULL) else None
    same = [of for other, of in found.items() if other.startswith(_BASE) and of[_DATA] == found[cell][_DATA]]
    of = named or (same[0] if len(same) == 1 else None)
    return next(iter(of[_PREDICTORS].values())) if of else {}


def main() -> None:
    """The command line."""
    named_runs.write_json(__doc__ or "", cells)


if __name__ == "__main__":
    sys.exit(run_command(main))
