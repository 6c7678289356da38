"""Baselines done over several seeds, or read from what is done already, and their table."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.config import check, saved_config
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.load import load
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents, json_files, unknown_figures
from d3gzsl_jax.runs.display import Console, Display
from d3gzsl_jax.runs.feature_settings import resolved
from d3gzsl_jax.runs.file_schemas import WholeResults
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.runs.sizes import sized
from d3gzsl_jax.studies.baselines.harness import run_baseline
from d3gzsl_jax.studies.baselines.names import NO_SYNTHESIS
from d3gzsl_jax.studies.start import train_on
from d3gzsl_jax.studies.tables import cells
from d3gzsl_jax.studies.tables.runs import METRICS
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table, terminal
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import shortened

_H = list(METRICS).index("H")


def measure(config: ConfigDict, names: Sequence[str], seeds: int, output: Path) -> dict[str, list[dict[str, Any]]]:
    """Results by baseline, one entry a seed, done or read from the folder.

    Args:
        config: checked; of the data and the folds, for no_synthesis of the run.
        names: of baselines, see `names.chosen`.
        seeds: 0 ... seeds - 1.
        output: the folder.

    Raises:
        UserError: data that is wrong, or a folder that holds something else.
    """
    if NO_SYNTHESIS in names:
        check.check(without_synthesis(config, 0))
    data = load(config.dataset, config.data)
    config = resolved(sized(config, data), data)
    with paths.made_folder(output, "--output"):
        for folder in (output / name / f"seed-{seed}" for seed in range(seeds) for name in names):
            if folder.is_dir():
                contents.require_ours(folder, "--output")
        return _measure(data, config, names, seeds, output)


def _measure(
    data: GZSLData, config: ConfigDict, names: Sequence[str], seeds: int, output: Path
) -> dict[str, list[dict[str, Any]]]:
    """`measure` on the data, in the folder."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for seed in range(seeds):
        for name in names:
            folder = output / name / f"seed-{seed}"
            given = data, config, seed, folder
            results = _trained(*given) if name == NO_SYNTHESIS else _fitted(name, *given)
            if results["selection"] != FOLDS_ONLY and not config.eval.retrain:
                raise UserError(
                    f"{folder}: holds figures of the test rows, and config.eval.retrain=False asks for none; name another "
                    "--output, or leave retrain=False out"
                )
            found[name].append(results)
        last = ((name, _percent([_of_folds(of[-1]) or of[-1]])[0]) for name, of in found.items())
        shown = lambda value: cells.UNKNOWN if np.isnan(value) else f"{value:.1f}"  # noqa: E731
        told = (f"{name} {shown(values[_H])}, {shown(values[-1])}" for name, values in last)
        print(f"seed {seed}, H without and with calibration: {'; '.join(told)}", flush=True)
    return found


def without_synthesis(config: ConfigDict, seed: int) -> ConfigDict:
    """The configuration whose student sees real rows only; its epoch is chosen by calibrated H, as without calibration H is 0."""
    own = config.copy_and_resolve_references()
    own.seed, own.distillation.n_syn, own.log.report = seed, 0, False
    own.classifier.fit, own.eval.prediction, own.eval.ensemble = "never", "student", False
    own.eval.selection, own.eval.criterion, own.eval.baselines, own.checkpoint.best = "validation", "calibrated", "", ""
    return own


def _trained(data: GZSLData, config: ConfigDict, seed: int, folder: Path) -> dict[str, Any]:
    results = train_on(data, without_synthesis(config, seed), str(folder), Display(Console(quiet=True)))
    if results["interrupted"]:
        raise KeyboardInterrupt
    return results


def _fitted(name: str, data: GZSLData, config: ConfigDict, seed: int, folder: Path) -> dict[str, Any]:
    """What the folder holds, or what it then will."""
    of = config.eval
    results = RunFolder.reading(folder).read("results.json")
    if results is not None:
        json_files.checked(results, WholeResults, folder / "results.json", "remove it, or name another --output")
    if results is None or (results.get("selection") == FOLDS_ONLY and of.retrain):
        return run_baseline(
            name, data, seed, of.folds, of.fold_classes, of.fold_rows, of.fold_seed, config=config.to_dict(), folder=folder,
            retrain=of.retrain,
        )  # fmt: skip
    if results.get("framework") != name or results.get("seed") != seed or results.get("digests") != data.digests:
        raise UserError(f"{folder}: holds results of another baseline, seed or data; name another --output, or remove it")
    before, now = dict(flat(saved_config.with_added(results["config"]))), dict(flat(config.to_dict()))
    for field in ("data.scaling", "eval.calibration", *(f"eval.{field}" for field in unknown_figures.FOLD_FIELDS)):
        if before.get(field) != now[field]:
            told = f"config.{field}={shortened(before.get(field))}, not {now[field]}"
            raise UserError(f"{folder}: holds results of {told}; name another --output")
    return results


def _percent(runs: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """METRICS of each run without calibration, then its U, S and H with it, (runs, 8) in percent; NaN for what is not known: of
    folds alone U and S with calibration, or, where a run predicts with it, U, S and H without."""
    rows = []
    for of in runs:
        metrics, entry = dict(of["metrics"]), of["predictions"].get(of["prediction"], {})
        at_gamma = entry.get("calibrated") or {METRICS["H"]: metrics.get("calibrated")}
        if check.calibrates(of.get("config") or {}):
            at_gamma = {METRICS[name]: metrics.get(METRICS[name]) for name in "USH"}
            metrics |= entry.get("uncalibrated") or dict.fromkeys(at_gamma)
        rows.append([*(metrics.get(key) for key in METRICS.values()), *(at_gamma.get(METRICS[name]) for name in "USH")])
    return 100.0 * np.array(rows, np.float64)


def _of_folds(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """The results with means over the folds as figures, where there are no test rows of unseen classes; else None."""
    folds = unknown_figures.of_folds(results)
    return {**results, "metrics": folds, "predictions": {}} if folds else None


def table_of(title: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """A line a baseline: the metrics, then U, S and H with calibration, mean ± standard deviation over its seeds; and one of means
    over the folds where there are no test rows of unseen classes."""
    columns = [Column.of("baseline", right=False), *map(Column.of, ("seeds", *METRICS, "calibrated U", "S", "H"))]
    rows = []
    for name, runs in found.items():
        called = [(name, _percent(runs))]
        if folds := [of for of in map(_of_folds, runs) if of]:
            called.append((f"{name}, {unknown_figures.FOLDS}", _percent(folds)))
        for title_of_row, percents in called:
            rows.append([Cell.of(title_of_row), Cell.of(len(runs)), *(cells.mean(of[~np.isnan(of)]) for of in percents.T)])
    return Table(title, columns, rows)


def run(spec: str, config: ConfigDict, names: Sequence[str], seeds: int, output: Path | None) -> None:
    """Measures, and prints the table.

    Args:
        spec: what the configuration is called.
        config, names, seeds: see `measure`.
        output: the folder of the results; None: they are printed only.

    Raises:
        UserError: see `measure`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(config, names, seeds, output or Path(temporary))
    of = "chosen on" if config.eval.retrain else "no test row was looked at: means over"
    # Of what was done: in the configuration it may be 0, for as many as suit the data.
    folds = next(results["config"]["eval"]["folds"] for runs in found.values() for results in runs)
    title = f"{spec}, {config.data.semantics}: {of} {folds} fold(s) of trainval; percent, mean ± std"
    if any(unknown_figures.lacks_unseen(results) for runs in found.values() for results in runs):
        title += "; no test rows of unseen classes: U, H, T1 and AUSUC of them are unknown"
    Console(width=None if sys.stdout.isatty() else 160).print(terminal(table_of(title, found)))
