"""From options to runs: the cells of an ablation, each a configuration; a cell with a seed is a job, a run folder of its own."""

import ast
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict
from rich.console import Console

from d3gzsl_jax import settings
from d3gzsl_jax.config_file import load_config
from d3gzsl_jax.data.loading import load
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.process import configure
from d3gzsl_jax.runs.console import Display
from d3gzsl_jax.runs.folder import RunFolder, plain
from d3gzsl_jax.runs.resume import FOLDS_ONLY, disagreement, is_finished
from d3gzsl_jax.train import train
from tools.ablation_presets import PRESETS, Choice


class Cell(NamedTuple):
    """One configuration of the grid, to be run with every seed.

    Attributes:
        name: for tables.
        against: name of the cell it is compared with; its own for the first.
        config: with seed 0.
        baseline: name of a baseline that is run instead, on the configuration's data; '' for none.
    """

    name: str
    against: str
    config: ConfigDict
    baseline: str = ""

    @property
    def folder(self) -> str:
        """Name of the folder of its runs."""
        words = re.sub(r"[^A-Za-z0-9.+=_]+", "-", self.name).strip("-")
        return f"baseline-{words}" if self.baseline else words


class Job(NamedTuple):
    """One run.

    Attributes:
        cell: its name.
        seed: of the run.
        folder: the run folder.
        config: resolved, nested, with the seed.
        baseline: name of a baseline, '' for a training run.
        cache: folder of compiled programs, where the environment names none.
        prune: remove its checkpoints once it is finished.
    """

    cell: str
    seed: int
    folder: str
    config: dict[str, Any]
    baseline: str
    cache: str
    prune: bool

    def results(self) -> dict[str, Any] | None:
        """Its results, None while it is not finished.

        Raises:
            UserError: the folder holds a run with other settings, or its results are not readable.
        """
        folder = Path(self.folder)
        path = folder / "results.json"
        if not (path.is_file() or any(folder.glob("checkpoints/*"))):
            return None
        before, found = _read(folder / "config.json"), _read(path) if path.is_file() else None
        before = before or (found or {}).get("config")
        if before and (difference := disagreement(before, plain(self.config))):
            field, old, new = difference
            raise UserError(f"{folder}: holds a run with config.{field}={old!r}, now it is {new!r}; name another --output")
        return found if found and (self.baseline or is_finished(found, self.config)) else None


def value_of(text: str) -> Any:
    """A value on the command line: a Python literal, or a word."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def assignment(option: str, text: str) -> tuple[str, str]:
    """FIELD and VALUE of 'FIELD=VALUE'.

    Raises:
        UserError: it is no such thing.
    """
    field, equals, value = text.partition("=")
    if not (field and equals and value):
        raise UserError(f"{option} {text}: must be FIELD=VALUE, as in distillation.temperature=2")
    return field.removeprefix("config."), value


def cells_of(
    specs: Sequence[str], preset: str, varied: Sequence[str], fixed: Mapping[str, Any], baselines: Sequence[str], report: bool,
    only: Sequence[str] = (),
) -> list[Cell]:
    """The grid: every configuration file with every cell of the preset and every combination of varied values; then baselines.

    A cell of a preset is compared with the one the preset says, at the same file and values; any other with the very first.

    Args:
        specs: configuration files, 'FILE.py' or 'FILE.py:variant'.
        preset: a name in PRESETS, '' for none.
        varied: 'FIELD=VALUE,VALUE,...' each.
        fixed: values by dotted field, for all.
        baselines: their names.
        report: whether runs draw plots and a report.
        only: of the preset's cells, these; () for all.

    Raises:
        UserError: something is not known, makes no sense, or is there twice; or selection rules differ.
    """
    if preset and preset not in PRESETS:
        raise UserError(f"--preset {preset}: expected one of {', '.join(PRESETS)}; --list shows their cells")
    if baselines:
        from d3gzsl_jax.baselines.harness import BASELINES

        if unknown := [name for name in baselines if name not in BASELINES]:
            raise UserError(f"--baselines {unknown[0]}: expected some of {', '.join(BASELINES)}")
    axes = []
    for text in varied:
        field, values = assignment("--vary", text)
        axes.append([Choice(f"{field}={value}", {field: value_of(value)}) for value in values.split(",")])
    found: list[Cell] = []
    for spec in specs:
        label = Path(spec.partition(":")[0]).stem + spec[len(spec.partition(":")[0]) :] if len(specs) > 1 else ""
        starting = _prepared(load_config(spec, fixed), report)
        choices = PRESETS[preset](starting) if preset else [Choice("", {})]
        if unknown := sorted(set(only) - {choice.name for choice in choices}):
            raise UserError(f"--only {unknown[0]}: no cell of the preset; it has {', '.join(choice.name for choice in choices)}")
        for choice, *rest in itertools.product([choice for choice in choices if not only or choice.name in only], *axes):
            values = [other.name for other in rest]
            overrides = dict(fixed) | choice.overrides
            for other in rest:
                overrides |= other.overrides
            name = _named(label, choice.name, *values) or Path(spec).stem
            against = _named(label, choice.against, *values) if choice.against else (found[0].name if found else name)
            found.append(Cell(name, against, _prepared(load_config(spec, overrides), report)))
        for baseline in baselines:
            found.append(Cell(_named(label, baseline), found[0].name, starting, baseline))
    _check(found)
    return found


def jobs_of(cells: Sequence[Cell], seeds: int, output: Path, prune: bool) -> list[Job]:
    """Every cell with every seed, seed by seed, so that there is a whole table early."""
    jobs = []
    for seed in range(seeds):
        for cell in cells:
            config, folder = cell.config.to_dict() | {"seed": seed}, output / cell.folder / f"seed-{seed}"
            if cell.baseline:  # depends on nothing else
                config = {name: config[name] for name in ("dataset", "seed", "data", "eval")}
            jobs.append(Job(cell.name, seed, str(folder), config, cell.baseline, str(output / ".cache"), prune))
    return jobs


def work(job: Job) -> float:
    """Does a job, in whatever process: its folder holds results.json afterwards; returns the seconds it took.

    Raises:
        UserError, DivergenceError: see `train`. KeyboardInterrupt: ctrl-C ended it early.
    """
    configure()
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", job.cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    began = time.monotonic()
    if job.baseline:
        _baseline(job)
    elif train(ConfigDict(job.config), job.folder, Display(Console(quiet=True)))["interrupted"]:
        raise KeyboardInterrupt
    if job.prune:
        shutil.rmtree(Path(job.folder) / "checkpoints", ignore_errors=True)
    return time.monotonic() - began


def _baseline(job: Job) -> None:
    from d3gzsl_jax.baselines.harness import run_baseline

    config = ConfigDict(job.config)
    of, data = config.eval, load(config.dataset, config.data)
    RunFolder(job.folder, data.name).write("config.json", job.config)
    run_baseline(
        job.baseline, data, job.seed, folds=of.folds, classes=of.fold_classes, rows=of.fold_rows, fold_seed=of.fold_seed,
        config=job.config, folder=job.folder,
    )  # fmt: skip


def _prepared(config: ConfigDict, report: bool) -> ConfigDict:
    """Without TensorFlow, which takes seconds to start and orders the same rows; quiet."""
    if config.data.pipeline == "auto":
        config.data.pipeline = "device"
    config.log.report = report
    return config


def _check(cells: Sequence[Cell]) -> None:
    """Refuses what would fail, or could not be tabled, before anything is trained."""
    folders: dict[str, str] = {}
    for cell in cells:
        if (other := folders.get(cell.folder.lower())) is not None:
            raise UserError(f"cells {other!r} and {cell.name!r} would share a folder; leave one out, or run them apart")
        folders[cell.folder.lower()] = cell.name
        try:
            settings.check(cell.config)
        except UserError as error:
            raise UserError(f"cell {cell.name!r}: {error}") from None
    rules = {_rule(cell.config): cell.name for cell in cells}
    if len(rules) > 1:
        told = ", ".join(f"{rule} ({name})" for rule, name in rules.items())
        raise UserError(f"config.eval.selection differs between cells: {told}; one table has one rule, --set eval.selection=last")
    read: set[str] = set()
    for cell in cells:
        key = json.dumps([cell.config.dataset, plain(cell.config.data.to_dict())], sort_keys=True)
        if key not in read:
            load(cell.config.dataset, cell.config.data)
            read.add(key)


def _rule(config: ConfigDict) -> str:
    of = config.eval
    return FOLDS_ONLY if of.selection == "validation" and not of.retrain else of.selection


def _named(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text()) if path.is_file() else None
    except ValueError as error:
        raise UserError(f"{path}: not readable ({error}); remove its folder, or name another --output") from None
