"""How large a gain the epoch that looks best on test rows makes out of nothing: runs that were evaluated on them as they went.

    d3gzsl train --config=cub100_small:wgan,base --config.eval.selection=last --config.eval.every_epochs=2 \\
      --config.classifier.fit=every '--config.seeds=(0,1,2)' --workdir=OUT/base         (and :wgan for OUT/d3)
    python tools/evidence/selection_effect.py --output=docs/results/selection.json CUB100=OUT

By benchmark, framework and predictor, H in percent over seeds: of the last epoch, of the best on test rows, and what the best of
one seed gains over the last of *another* seed of the same method, which is what a reader sees who compares a test-selected figure
with an honest one of the same method. tools/evidence/report.py makes the table <!-- begin selection --> of it. None of it is a
result.
"""

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.studies.tables.cells import UNKNOWN, signed, signed_between, with_deviation
from d3gzsl_jax.studies.tables.command import find
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from d3gzsl_jax.system.terminal import run_command
from tools import named_runs


class Curve(NamedTuple):
    """A run's test rows as training went on: the evaluated epochs (k,), and U, S and H there in percent (k, 3)."""

    epochs: list[int]
    values: np.ndarray


def curves(runs: Path) -> dict[tuple[str, bool, str], dict[int, Curve]]:
    """By framework, D3, predictor and seed.

    Raises:
        UserError: a run was evaluated once only, or at other epochs than another.
    """
    found: dict[tuple[str, bool, str], dict[int, Curve]] = {}
    for path in find([runs]):
        results = json_files.read(path) or {}
        if "seed" not in results:
            continue
        lines = json_files.read_lines(path.parent / "metrics.jsonl")
        evaluated = [line for line in lines if line.get("kind") == "epoch" and line.get("predictions")]
        for predictor in dict.fromkeys(name for line in evaluated for name in line["predictions"]):
            given = [(line["epoch"], line["predictions"].get(predictor)) for line in evaluated]
            of = [(epoch, m["unseen"], m["seen"], harmonic_mean(m["unseen"], m["seen"])) for epoch, m in given if m]
            of_method = found.setdefault((results["framework"], bool(results["distillation"]), predictor), {})
            at = [epoch for epoch, *_ in of]
            if len(at) < 2 or any(other.epochs != at for other in of_method.values()):
                raise UserError(f"{path.parent}: the {predictor} was evaluated at {len(of)} epochs, or not at those of another run")
            of_method[results["seed"]] = Curve(at, 100.0 * np.array([values for _, *values in of]))
    return found


def effect(of_seeds: Mapping[int, Curve]) -> dict[str, Any]:
    """Of one method: how many epochs there were to choose from, H of the last and of the best on test rows, with their U and S and
    the best epoch's number, their difference by seed, and that to the last of every other seed."""
    of = [of_seeds[seed] for seed in sorted(of_seeds)]
    values = np.stack([curve.values for curve in of])
    places = values[:, :, 2].argmax(axis=1)
    unseen_and_seen = {"last": values[:, -1, :2], "best": values[range(len(of)), places, :2]}
    last, best = values[:, -1, 2], values[:, :, 2].max(axis=1)
    others = [best[one] - last[other] for one, other in itertools.permutations(range(len(last)), 2)]
    return {
        "seeds": len(last), "epochs": values.shape[1], "last": last.tolist(), "best": best.tolist(),
        "gain": float((best - last).mean()), "over_other_seeds": [float(min(others)), float(np.mean(others)), float(max(others))]
        if others else None,
        "best_epochs": [curve.epochs[place] for curve, place in zip(of, places, strict=True)],
        "unseen_and_seen": {name: pairs.tolist() for name, pairs in unseen_and_seen.items()},
    }  # fmt: skip


def effects(runs: Path) -> list[dict[str, Any]]:
    """A row a framework, with D3 and without, and predictor."""
    return [
        {"framework": framework, "distillation": with_d3, "predictor": predictor, **effect(of)}
        for (framework, with_d3, predictor), of in sorted(curves(runs).items())
    ]


def table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """A row a benchmark, method and predictor: H of the last epoch and of the one that looks best on test rows."""
    headings = ["benchmark", "method", "predictor", "seeds", "epochs to choose from", "H, last epoch", "H, best on test rows"]
    headings += ["made by the choice", "best of a seed over last of another"]
    headings += ["U, S last", "U, S best", "best epochs"]
    rows = []
    for benchmark, one in ((benchmark, one) for benchmark, of in found.items() for one in of):
        called = FRAMEWORKS[one["framework"]].called + (" + D3" if one["distillation"] else "")
        last, best = (with_deviation(np.array(one[name])) for name in ("last", "best"))
        low, _, high = one["over_other_seeds"] or (math.nan,) * 3  # their mean is the gain
        cells = [benchmark, called, one["predictor"], one["seeds"], one["epochs"], last, best, signed(one["gain"])]
        cells.append(signed_between(low, high))
        means = {name: np.mean(pairs, axis=0) for name, pairs in one.get("unseen_and_seen", {}).items()}
        cells += [", ".join(f"{value:.1f}" for value in means[name]) if means else UNKNOWN for name in ("last", "best")]
        cells.append(", ".join(map(str, sorted(one["best_epochs"]))) if means else UNKNOWN)
        rows.append([Cell.of(cell) for cell in cells])
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def main() -> None:
    """The command line."""
    named_runs.write_json(__doc__ or "", effects)


if __name__ == "__main__":
    sys.exit(run_command(main))
