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
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.studies.tables.command import find
from d3gzsl_jax.system.terminal import run_command
from tools import named_runs


def curves(runs: Path) -> dict[tuple[str, bool, str], dict[int, list[float]]]:
    """H in percent at every evaluated epoch, by framework, D3, predictor and seed.

    Raises:
        UserError: a run was evaluated once only, or at other epochs than another.
    """
    found: dict[tuple[str, bool, str], dict[int, list[float]]] = {}
    epochs: dict[tuple[str, bool, str], list[int]] = {}
    for path in find([runs]):
        results = json_files.read(path) or {}
        if "seed" not in results:
            continue
        lines = json_files.read_lines(path.parent / "metrics.jsonl")
        evaluated = [line for line in lines if line.get("kind") == "epoch" and line.get("predictions")]
        for predictor in dict.fromkeys(name for line in evaluated for name in line["predictions"]):
            given = [(line["epoch"], line["predictions"].get(predictor)) for line in evaluated]
            of = [(epoch, 100.0 * harmonic_mean(m["unseen"], m["seen"])) for epoch, m in given if m]
            key = results["framework"], bool(results["distillation"]), predictor
            at = [epoch for epoch, _ in of]
            if len(at) < 2 or epochs.setdefault(key, at) != at:
                raise UserError(f"{path.parent}: the {predictor} was evaluated at {len(of)} epochs, or not at those of another run")
            found.setdefault(key, {})[results["seed"]] = [value for _, value in of]
    return found


def effect(of_seeds: Mapping[int, list[float]]) -> dict[str, Any]:
    """Of one method: how many epochs there were to choose from, H of the last and of the best on test rows, their difference by
    seed, and that to the last of every other seed.

    Args:
        of_seeds: H by evaluated epoch, by seed.
    """
    values = np.array([of_seeds[seed] for seed in sorted(of_seeds)])
    last, best = values[:, -1], values.max(axis=1)
    others = [best[one] - last[other] for one, other in itertools.permutations(range(len(last)), 2)]
    return {
        "seeds": len(last), "epochs": values.shape[1], "last": last.tolist(), "best": best.tolist(),
        "gain": float((best - last).mean()), "over_other_seeds": [float(min(others)), float(np.mean(others)), float(max(others))]
        if others else None,
    }  # fmt: skip


def effects(runs: Path) -> list[dict[str, Any]]:
    """A row a framework, with D3 and without, and predictor."""
    return [
        {"framework": framework, "distillation": with_d3, "predictor": predictor, **effect(of)}
        for (framework, with_d3, predictor), of in sorted(curves(runs).items())
    ]


def main() -> None:
    """The command line."""
    named_runs.write_json(__doc__ or "", effects)


if __name__ == "__main__":
    sys.exit(run_command(main))
