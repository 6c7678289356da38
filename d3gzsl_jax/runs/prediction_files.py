"""Files of predictions: CSV, and JSON with an object a row; written as the predictions come."""

import contextlib
import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.predictions import Predictions, column_names
from d3gzsl_jax.system import atomic
from d3gzsl_jax.text import csv_row

_BEGINS = re.compile(rb"row,(file,)?class,name,probability,|\[\n\{\"row\": 0, ")
_LONGEST = 100  # bytes that tell

Write = Callable[[Predictions, int], None]
"""Writes predictions of rows, the first of which has this number."""


def output_file(target: str | Path, option: str, inputs: Sequence[Path] = ()) -> Path:
    """Where predictions may be written: nothing is there, or predictions are; see `paths.clean_output`."""
    return contents.output(target, option, _is_predictions, "predictions", inputs)


def _is_predictions(path: Path) -> bool:
    """Whether a file begins as one of predictions does."""
    try:
        with open(path, "rb") as file:
            return bool(_BEGINS.match(file.read(_LONGEST)))
    except OSError:
        return False


@contextlib.contextmanager
def opened(target: Path, top: int, named: bool, known: bool, class_names: Sequence[str], seen: np.ndarray) -> Iterator[Write]:
    """What writes predictions to a file that is whole when the block ends, or not there: JSON by its name, else CSV.

    Args:
        target: the file.
        top: classes per row that are written.
        named, known: whether rows have names, and whether it is known of which classes they are.
        class_names: of all classes, by id.
        seen: ids of the seen ones.

    Raises:
        UserError: it cannot be written.
    """
    with atomic.replacing(target, parents=True) as file:
        if target.suffix.lower() == ".json":
            with _json(file, top, set(np.asarray(seen).tolist())) as write:
                yield write
            return
        writer, names = csv.writer(file), tuple(csv_row(class_names))
        writer.writerow(column_names(top, named, known))

        def write_rows(found: Predictions, first: int) -> None:
            row_names = None if found.row_names is None else tuple(csv_row(found.row_names))
            truth = None if found.truth is None else found.truth._replace(names=tuple(csv_row(found.truth.names)))
            shown = _cut(found, top)._replace(class_names=names, row_names=row_names, truth=truth)
            writer.writerows(zip(*_cells(shown, first), strict=True))

        yield write_rows


def _cut(found: Predictions, top: int) -> Predictions:
    return found._replace(classes=np.asarray(found.classes)[:, :top], probabilities=np.asarray(found.probabilities)[:, :top])


def _cells(found: Predictions, first: int) -> list[list]:
    """The columns of the CSV: numbers as text of six digits, nothing where there is none."""

    def cells(column: np.ndarray) -> list:
        if column.dtype.kind != "f":
            return column.tolist()
        return np.where(np.isnan(column), "", np.char.mod("%.6g", column)).tolist()

    return [cells(column) for column in found.columns(first).values()]


@contextlib.contextmanager
def _json(file: IO[str], top: int, seen: set[int]) -> Iterator[Write]:
    """A list of objects, a line each."""
    between = "[\n"

    def write_rows(found: Predictions, first: int) -> None:
        nonlocal between
        for place, entry in enumerate(_entries(_cut(found, top), seen)):
            file.write(between + json.dumps({"row": first + place} | entry, ensure_ascii=False))
            between = ",\n"

    yield write_rows
    file.write("\n]\n" if between == ",\n" else "[]\n")


def _entries(found: Predictions, seen: set[int]) -> Iterator[dict[str, Any]]:
    """What JSON holds of each row, but for its number."""
    classes, probabilities, mass = found.classes.tolist(), _short(found.probabilities), _short(found.seen)
    like = None if found.in_distribution is None else _short(found.in_distribution)
    for row, (ids, values) in enumerate(zip(classes, probabilities, strict=True)):
        entry: dict[str, Any] = {} if found.row_names is None else {"file": found.row_names[row]}
        entry["predictions"] = [
            {"class": label, "name": found.class_names[label], "probability": value, "seen": label in seen}
            for label, value in zip(ids, values, strict=True)
        ]
        entry |= {"seen_probability": mass[row], "in_distribution": like and like[row]}
        if found.truth is not None:
            label, name = int(found.truth.ids[row]), found.truth.names[row]
            entry["truth"] = {"class": label if label >= 0 else None, "name": name} if name else None
            entry["correct"] = None if label < 0 else label == ids[0]
        yield entry


def _short(values: Any) -> list:
    """Numbers of six digits, as lists."""
    array = np.asarray(values)
    return np.char.mod("%.6g", array).astype(np.float64).tolist()
