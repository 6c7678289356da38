"""From options to the cells of an ablation, each a configuration: files, presets, varied fields and baselines, checked."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.config.load import split
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.studies.ablation.presets import FILE_PRESETS, PRESETS, Choice, choices_of
from d3gzsl_jax.studies.ablation.source import Source, folds_of
from d3gzsl_jax.studies.configurations import prepared, read
from d3gzsl_jax.studies.overrides import assignment, configured
from d3gzsl_jax.system.options import require_same
from d3gzsl_jax.text import did_you_mean

_BETWEEN = ", "  # parts of a cell's name


class Cell(NamedTuple):
    """One configuration of the grid, to be run with every seed.

    Attributes:
        name: for tables.
        against: name of the cell it is compared with; its own for none.
        config: with seed 0.
        baseline: name of a baseline that is run instead, on the configuration's data; '' for none.
        digests: of the content of its data, see `GZSLData.digests`.
        among: what is the same to the cells it is compared among: of a preset its file and the varied values; '' for all.
    """

    name: str
    against: str
    config: ConfigDict
    baseline: str = ""
    digests: Mapping[str, str] = {}
    among: str = ""

    @property
    def folder(self) -> str:
        """Name of the folder of its runs."""
        words = re.sub(r"[^A-Za-z0-9.+=_]+", "-", self.name).strip("-")
        return f"baseline-{words}" if self.baseline else words


def cells_of(
    specs: Sequence[str], preset: str, varied: Sequence[str], fixed: Mapping[str, Any], baselines: Sequence[str], report: bool,
    only: str = "",
) -> list[Cell]:
    """The grid: `named_cells`, with the digests of their data; then baselines, each once for all that is the same to it: the data
    and its folds.

    A cell of a preset is compared at the same file and values: with the one the preset says, or with the first there. Any other is
    compared with the very first, or, where that is on other data, with the first on its own. So is a baseline.

    Args:
        specs, preset, varied, fixed, report, only: see `named_cells`.
        baselines: their names.

    Raises:
        UserError: see `named_cells`; or data is missing or wrong, or figures would be of test rows here and of folds there.
    """
    cells = _compared(_read(named_cells(specs, preset, varied, fixed, report, only), bool(baselines)))
    cells += _baselines(cells, baselines)
    _check_folders(cells)
    return cells


def named_cells(
    specs: Sequence[str], preset: str, varied: Sequence[str], fixed: Mapping[str, Any], report: bool, only: str = ""
) -> list[Cell]:
    """Every configuration file with every cell of the preset and every combination of varied values, checked; no data is read, and
    JAX is not needed.

    Args:
        specs: configuration files, 'FILE.py' or 'FILE.py:variant'.
        preset: a name in PRESETS or FILE_PRESETS, '' for none.
        varied: 'FIELD=VALUE,VALUE,...' each.
        fixed: values by dotted field, for all; see `overrides.configured`.
        report: whether runs draw plots and a report.
        only: of the preset's cells, these, with commas between; '' for all.

    Raises:
        UserError: something is not known, makes no sense, or is there twice; or selection rules or datasets differ.
    """
    if preset and preset not in (known := (*FILE_PRESETS, *PRESETS)):
        raise UserError(
            f"--preset {preset}: expected one of {', '.join(known)}{did_you_mean(preset, known)}; --list shows their cells"
        )
    if only and not preset:
        raise UserError(f"--only {only}: chooses among the cells of a preset; give --preset, or leave it out")
    axes, lists = [], dict[str, str]()
    for text in varied:
        field, listed = assignment("--vary", text)
        if field in lists:
            require_same(f"--vary {field}", lists[field], f"--vary {field}", listed)
            continue
        lists[field] = listed
        axes.append([Choice(f"{field}={value}", {field: value}) for value in listed.split(",")])
    found: list[Cell] = []
    for spec in specs:
        file, variant = split(spec)
        label = Path(file).stem + (f":{variant}" if variant else "") if len(specs) > 1 else ""
        starting = prepared(configured(spec, fixed), report)
        choices = choices_of(preset, spec, starting) if preset else [Choice("", {})]
        wanted = only_of(only, [choice.name for choice in choices]) if only else {choice.name for choice in choices}
        for choice, *rest in itertools.product([choice for choice in choices if choice.name in wanted], *axes):
            values = [other.name for other in rest]
            overrides = dict(fixed) | choice.overrides
            for other in rest:
                overrides |= other.overrides
            name = _named(label, choice.name, *values) or Path(spec).stem
            against = _named(label, choice.against, *values) if choice.against else ""
            among = _named(label, *values) if preset else ""
            found.append(Cell(name, against, prepared(configured(choice.spec or spec, overrides), report), among=among))
    _check(found)
    return found


def only_of(text: str, names: Sequence[str]) -> set[str]:
    """Some of the names, which may hold commas themselves: of two that fit the longer is meant.

    Raises:
        UserError: what follows is none of them.
    """
    pieces, found = [piece.strip() for piece in text.split(",") if piece.strip()], set()
    if not pieces:
        raise UserError(f"--only {text}: names no cell of the preset; it has {', '.join(map(repr, names))}")
    while pieces:
        lengths = [length for length in range(len(pieces), 0, -1) if _BETWEEN.join(pieces[:length]) in names]
        if not lengths:
            known = ", ".join(map(repr, names))
            raise UserError(f"--only {text}: no cell of the preset is called {pieces[0]!r}; it has {known}")
        found.add(_BETWEEN.join(pieces[: lengths[0]]))
        pieces = pieces[lengths[0] :]
    return found


def _check(cells: Sequence[Cell]) -> None:
    """Refuses what would fail, or could not be tabled, before anything is trained or read."""
    _check_folders(cells)
    for cell in cells:
        try:
            check.check(cell.config)
        except UserError as error:
            raise UserError(f"cell {cell.name!r}: {error}") from None
    rules = {_rule(cell.config): cell.name for cell in cells}
    _check_same("config.eval.selection", rules, "one table has one rule, --set eval.selection=last")
    calibrations = {cell.config.eval.calibration: cell.name for cell in cells}
    _check_same("config.eval.calibration", calibrations, "one table has H with gamma or without, --set eval.calibration=none")
    datasets = {cell.config.dataset: cell.name for cell in cells}
    _check_same("config.dataset", datasets, "one table has one benchmark; run them apart")


def _check_same(field: str, cells: Mapping[str, str], advice: str) -> None:
    if len(cells) > 1:
        told = ", ".join(f"{value} ({name})" for value, name in cells.items())
        raise UserError(f"{field} differs between cells: {told}; {advice}")


def _check_folders(cells: Sequence[Cell]) -> None:
    folders: dict[str, str] = {}
    for cell in cells:
        if (other := folders.get(cell.folder.lower())) is not None:
            raise UserError(f"cells {other!r} and {cell.name!r} would share a folder; leave one out, or run them apart")
        folders[cell.folder.lower()] = cell.name


def _read(cells: Sequence[Cell], with_baselines: bool) -> list[Cell]:
    """The cells with the digests of their data, and with what they leave to be chosen by it: as runs record their configuration.

    Raises:
        UserError: the data is not there, or has no test rows, or folds, that a cell or baselines on its data need.
    """
    found = read({f"cell {cell.name!r}": cell.config for cell in cells}, with_baselines).values()
    rules = {_rule(of.config, of.has_unseen): cell.name for cell, of in zip(cells, found, strict=True)}
    advice = "without test rows of unseen classes they are of folds alone, which must not stand beside the others; run them apart"
    _check_same("what figures are of (config.eval.selection)", rules, advice)
    if with_baselines and FOLDS_ONLY not in rules and not all(of.has_unseen for of in found):
        raise UserError(
            "--baselines: without test rows of unseen classes their figures are of folds, and with config.eval.selection="
            f"{next(iter(rules))} runs have none of folds; --set eval.selection=validation, or leave --baselines out"
        )
    return [cell._replace(config=of.config, digests=of.digests) for cell, of in zip(cells, found, strict=True)]


def _compared(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, each with one it is compared with."""
    sources = [Source.of(cell.digests, cell.config.to_dict()) for cell in cells]
    found = []
    for cell, own in zip(cells, sources, strict=True):
        alike = (one.name for one, of in zip(cells, sources, strict=True) if one.among == cell.among and of.comparable(own))
        first = next(alike)
        found.append(cell._replace(against=cell.against or first))
    return found


def uncompared(cells: Sequence[Cell]) -> list[str]:
    """Of each cell that stands alone because the one it is compared with is not among them, which of the two is which."""
    names = {cell.name for cell in cells}
    return [f"{cell.name} (with {cell.against})" for cell in cells if cell.against not in names]


def _baselines(cells: Sequence[Cell], names: Sequence[str]) -> list[Cell]:
    """The baselines, once for each data, scaling and way to fold it."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        same = dict(cell.digests), cell.config.data.scaling, folds_of(cell.config)
        groups.setdefault(json.dumps(same), []).append(cell)
    firsts = [group[0] for group in groups.values()]
    return [
        Cell(_named(name, level), first.name, first.config, name, first.digests)
        for first, level in zip(firsts, _levels(list(groups.values())), strict=True)
        for name in names
    ]


def _levels(groups: Sequence[Sequence[Cell]]) -> list[str]:
    """What to call each of several groups of cells: what their names have in common, and not with all the others; '' for one."""
    if len(groups) == 1:
        return [""]
    parts = [[cell.name.split(_BETWEEN) for cell in group] for group in groups]
    everywhere = set.intersection(*(set(of) for group in parts for of in group))
    found = []
    for group in parts:
        own = set.intersection(*map(set, group)) - everywhere
        found.append(_named(*(part for part in group[0] if part in own)))
    return found if all(found) and len(set(found)) == len(found) else [group[0].name for group in groups]


def _rule(config: ConfigDict, has_unseen: bool = True) -> str:
    """What the figures of runs are of; `has_unseen`: whether there are test rows of unseen classes."""
    of = config.eval
    return FOLDS_ONLY if of.selection == "validation" and not (of.retrain and has_unseen) else of.selection


def _named(*parts: str) -> str:
    return _BETWEEN.join(part for part in parts if part)
