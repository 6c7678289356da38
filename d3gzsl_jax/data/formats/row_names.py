"""Names of the rows of a file of features, and the classes they are known to be of.

| where | names | classes |
|---|---|---|
| `.npz`, `.h5`, `.hdf5` | `row_names` (N,) | `labels` (N,): names of classes, or numbers of them, by `class_names` (C,) if there |
| `.csv`, `.txt` | a first column of text, or one headed `file` or `row_names` | |
| a list beside any file | a line each; of a CSV the column `file`, or the first | a column `class`, empty where it is not known |
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from d3gzsl_jax.data.formats import forms, hdf5_files, npy_files
from d3gzsl_jax.data.formats.csv_lines import csv_lines
from d3gzsl_jax.data.formats.csv_rows import cells, numbered_rows, split_name
from d3gzsl_jax.data.formats.feature_files import FeatureFile
from d3gzsl_jax.errors import UserError, cannot_read, reason
from d3gzsl_jax.text import clean_name

_KEYS = ("row_names", "labels", "class_names")


class RowNames(NamedTuple):
    """Of the rows of a file, in order.

    Attributes:
        names: of the rows; None where the file has none.
        classes: a name or a number each, None for a row of which it is not known; None where the file has none.
        note: why classes that are there are of no use, '' where they are.
    """

    names: tuple[str, ...] | None = None
    classes: tuple[str | int | None, ...] | None = None
    note: str = ""


def row_names(features: FeatureFile, beside: Path | None = None) -> RowNames:
    """Names and classes of the rows of a checked file.

    Args:
        features: the file.
        beside: a list of names; None for what the file itself has.

    Raises:
        UserError: they cannot be read, or are not one a row.
    """
    if beside is not None:
        return _require_one_each(_listed(beside), features.rows, str(beside))
    suffix = features.path.suffix.lower()
    if suffix in (".csv", ".txt"):
        return RowNames(_first_column(features))
    if suffix in (".npz", ".h5", ".hdf5"):
        return _of_arrays(features)
    return RowNames()


def _first_column(features: FeatureFile) -> tuple[str, ...] | None:
    try:
        with open(features.path, encoding="utf-8-sig") as file:
            are_named, lines = numbered_rows(features.path, file, features.columns)
            return tuple(clean_name(split_name(line)[0]) for _, line in lines) if are_named else None
    except OSError as error:
        raise cannot_read(features.path, error) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{features.path}: not readable as UTF-8 text with commas ({reason(error)}); save it so") from None


def _of_arrays(features: FeatureFile) -> RowNames:
    path = features.path
    reader = npy_files if path.suffix.lower() == ".npz" else hdf5_files
    _, found = reader.read_arrays(path, _KEYS)
    names = forms.name_list(found["row_names"], f"{path}: 'row_names'") if "row_names" in found else None
    _require_one_each(RowNames(names), features.rows, f"{path}: 'row_names'")
    if "labels" not in found:
        return RowNames(names)
    if np.size(found["labels"]) != features.rows:
        return RowNames(names, None, f"{path}: 'labels' holds {np.size(found['labels'])} values for {features.rows} rows")
    try:
        return RowNames(names, _classes(found, f"{path}: 'labels'", f"{path}: 'class_names'"))
    except UserError as error:  # rows can be predicted whatever is said of their classes
        return RowNames(names, None, str(error))


def _classes(found: dict[str, np.ndarray], where: str, where_names: str) -> tuple[str | int, ...]:
    """Names of classes where the file has any, else their numbers."""
    labels, known = found["labels"], None
    if labels.dtype.kind in "US":
        return forms.name_list(labels, where)
    if "class_names" in found:
        known = forms.name_list(found["class_names"], where_names)
    ids = forms.label_list(labels, where, known)
    if known is None:
        return tuple(ids.tolist())
    if len(ids) and not 0 <= ids.min() <= ids.max() < len(known):
        raise UserError(f"{where}: ids go from {ids.min()} to {ids.max()}, and there are {len(known)} class_names")
    return tuple(known[label] for label in ids)


def _listed(path: Path) -> RowNames:
    lines = [found for _, found in csv_lines(path)]
    headings = [cell.strip().casefold() for cell in lines[0]] if lines else []
    if "file" not in headings:
        is_table = path.suffix.lower() in (".csv", ".tsv")
        return RowNames(tuple(clean_name(line[0]) for line in lines) if is_table else _whole_lines(path))
    names = _column(lines[1:], headings.index("file"))
    if "class" not in headings:
        return RowNames(names)
    return RowNames(names, tuple(name or None for name in _column(lines[1:], headings.index("class"))))


def _whole_lines(path: Path) -> tuple[str, ...]:
    """The lines of a plain list, where a comma is part of the name, quoted or not."""
    lines = [line for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    found = ((line, cells(line)) for line in lines)
    return tuple(clean_name(parts[0] if len(parts) == 1 else line) for line, parts in found)


def _column(lines: Sequence[Sequence[str]], place: int) -> tuple[str, ...]:
    return tuple(clean_name(line[place]) if place < len(line) else "" for line in lines)


def _require_one_each(found: RowNames, rows: int | None, where: str) -> RowNames:
    if found.names is not None and rows not in (None, len(found.names)):
        raise UserError(f"{where}: {len(found.names)} names for {rows} rows; give one for each")
    return found
