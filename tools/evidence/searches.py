"""What `d3gzsl search` found for a base method and for D3 with the same budget, and what the best settings are worth on test rows.

    d3gzsl search --config=cub100_small:wgan,base --config=cub100_small:wgan --set eval.folds=3 --trials=N --output=OUT
    (each `d3gzsl train` line that it prints, perhaps with --config.eval.folds=1 '--config.seeds=(0,1,2)')
    python tools/evidence/searches.py --output=docs/results/searches.json CUB100=OUT

By benchmark, an entry a configuration: its trials and their core-seconds, the criterion on folds of its own settings and of the
best trial, those settings, and metrics of the runs that were trained with them, by seed. tools/evidence/report.py makes the
table <!-- begin searches --> of it.
"""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.evaluation.statistics import paired
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.studies.search.table import percent
from d3gzsl_jax.studies.tables.cells import signed, signed_between, with_deviation
from d3gzsl_jax.studies.tables.command import find
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from d3gzsl_jax.system.terminal import run_command
from tools import named_runs

_MEASURES = ("calibrated", "harmonic", "ausuc", "zsl")


def entries(output: Path) -> list[dict[str, Any]]:
    """Of every configuration of a search: what it found, and the runs made of it.

    Args:
        output: --output of `d3gzsl search`.

    Raises:
        UserError: there is no search.json, or a configuration's best settings have not been trained.
    """
    file = output / "search.json"
    if not file.is_file():
        raise UserError(f"{file}: is not there; --output of `d3gzsl search` is meant")
    return [_entry(one, output) for one in json.loads(file.read_text(encoding="utf-8"))]


def _entry(one: Mapping[str, Any], output: Path) -> dict[str, Any]:
    """An entry of search.json as it is kept."""
    workdirs = [word.partition("=")[2] for word in shlex.split(one["train"]) if word.startswith("--workdir=")]
    folder = output.joinpath(*Path(workdirs[0]).parts[-2:]) if workdirs else output
    there = any(folder.rglob("results.json")) if workdirs else False
    runs = [run for path in find([folder]) if "seed" in (run := json_files.read(path) or {})] if there else []
    if not runs:
        raise UserError(f"{folder}: no finished run of {one['configuration']}; train its best settings first:\n  {one['train']}")
    kept = {key: one[key] for key in ("configuration", "criterion", "searched", "own")}
    budget = {key: one["budget"][key] for key in ("trials", "done", "stopped_early", "broke_down", "core_seconds")}
    first = runs[0]
    return {
        **kept, **budget, "best": one["best"]["value"], "settings": one["best"]["settings"],
        "framework": first["framework"], "distillation": bool(first["distillation"]),
        "runs": {str(run["seed"]): _metrics(run) for run in sorted(runs, key=lambda run: run["seed"])},
    }  # fmt: skip


def _metrics(run: Mapping[str, Any]) -> dict[str, Any]:
    """Percent, of what validation chose, and what that is."""
    of, calibrated = run["metrics"], run["calibrated"]
    harmonic = [harmonic_mean(one["unseen"], one["seen"]) for one in (calibrated, of)]
    values = (100.0 * value for value in (*harmonic, of["ausuc"], of["zsl"]))
    return {"prediction": run["prediction"], **dict(zip(_MEASURES, values, strict=True))}


def table(of_benchmarks: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """A row a configuration; D3's with its calibrated H less that of the searched base method, paired by seed."""
    headings = ["benchmark", "method", "trials", "core-hours", "on folds: own settings", "best", "best settings"]
    headings += ["predictor", "seeds", "H calibrated", "H", "AUSUC", "T1", "ΔH calibrated", "95 %"]
    rows = []
    for benchmark, found in of_benchmarks.items():
        bases = {one["framework"]: one["runs"] for one in found if not one["distillation"]}
        for one in found:
            runs, base = one["runs"], bases.get(one["framework"], {}) if one["distillation"] else {}
            cells = [benchmark, FRAMEWORKS[one["framework"]].called + (" + D3" if one["distillation"] else "")]
            cells += [one["done"] + one["stopped_early"] + one["broke_down"], f"{one['core_seconds'] / 3600:.1f}"]
            cells += [percent(one["own"]), percent(one["best"])]
            cells += [_settings(one["settings"]), ", ".join(dict.fromkeys(run["prediction"] for run in runs.values())), len(runs)]
            cells += [with_deviation(_values(runs, measure)) for measure in _MEASURES]
            seeds = [seed for seed in runs if seed in base]
            ours, theirs = (_values({seed: of[seed] for seed in seeds}, "calibrated") for of in (runs, base))
            statistics = paired(ours, theirs) if seeds else {}
            cells += [signed(statistics.get("difference")), signed_between(statistics.get("low"), statistics.get("high"))]
            rows.append([Cell.of(cell) for cell in cells])
    texts = ("benchmark", "method", "best settings", "predictor")
    return Table("", [Column.of(heading, right=heading not in texts) for heading in headings], rows)


def _values(runs: Mapping[str, Mapping[str, Any]], measure: str) -> np.ndarray:
    return np.array([run[measure] for run in runs.values()], np.float64)


def _settings(values: Mapping[str, Any]) -> str:
    """Settings in a cell, by the last part of their names; the weights of D3's terms as one where they are the same."""
    of_terms = {name: value for name, value in values.items() if name.startswith("distillation.weight_")}
    shown = {name.split(".")[-1]: value for name, value in values.items()}
    if len(of_terms) > 1 and len(set(of_terms.values())) == 1:
        shown = {name.split(".")[-1]: value for name, value in values.items() if name not in of_terms}
        shown["weights"] = next(iter(of_terms.values()))
    return ", ".join(f"{name} {value:.2g}" if isinstance(value, float) else f"{name} {value}" for name, value in shown.items())


def main() -> None:
    """The command line."""
    named_runs.write_json(__doc__ or "", entries)


if __name__ == "__main__":
    sys.exit(run_command(main))
