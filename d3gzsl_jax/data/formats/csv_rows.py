"""Lines of text with commas between their cells, as rows of numbers."""

import contextlib
import csv
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import shortened

NAME_HEADINGS = ("file", "row_names")
"""How a column of names of rows may be headed; any heading will do where the names are no numbers."""


def numbered_rows(path: Path, file: Iterable[str], columns: int) -> tuple[bool, Iterator[tuple[int, str]]]:
    """The lines of a file that are rows, with their numbers, from 1, and whether each has a name before its `columns` numbers.

    Args:
        path: of the file, for messages.
        file: its lines; a header and blank ones are passed over.
        columns: numbers of a row.

    Raises:
        UserError: the first line has another number of cells, or there is no row.
    """
    lines = ((number, line) for number, line in enumerate(file, 1) if not line.isspace())
    number, line = next(lines, (0, ""))
    first, at = cells(line), number
    is_wider = len(first) == columns + 1

    def refused(hint: str) -> UserError:
        return UserError(f"{path}: line {at} has {len(first)} values, but the model takes {columns} features a row{hint}")

    if len(first) not in (0, columns) and not is_wider:
        transposed = 1 + sum(1 for _ in itertools.islice(lines, columns)) == columns > 1
        commas = "; values must be separated by commas" + (", not semicolons" if ";" in line else "")
        raise refused("; it looks transposed" if transposed else commas if len(first) == 1 or ";" in line else "")
    if is_header(first[is_wider:]):
        number, line = next(lines, (0, ""))
    if not line:
        raise UserError(f"{path}: holds no rows")
    are_named = is_wider and (first[0].strip() in NAME_HEADINGS or not is_number(split_name(line)[0]))
    if is_wider and not are_named:
        raise refused(f"; a column of names of rows is the first one, headed {NAME_HEADINGS[0]}")
    return are_named, itertools.chain([(number, line)], lines)


def split_name(line: str) -> tuple[str, str]:
    """The first cell of a line, and the line after it."""
    if not line.lstrip().startswith('"'):
        name, _, rest = line.partition(",")
        return name, rest
    name, *others = cells(line) or [""]
    return name, ",".join(others)


def parse(path: Path, lines: list[tuple[int, str]], columns: int, are_named: bool = False) -> np.ndarray:
    """Numbered lines of a file as (lines, columns) float64; `are_named`: with a name before the numbers, which is passed over.

    Raises:
        UserError: a line is no row of so many numbers.
    """
    if not lines:
        return np.empty((0, columns))
    if are_named:
        lines = [(number, split_name(line)[1]) for number, line in lines]
    with contextlib.suppress(ValueError):
        block = np.loadtxt([line for _, line in lines], delimiter=",", comments=None, quotechar='"', ndmin=2)
        if block.shape == (len(lines), columns):
            return block
    for number, line in lines:  # slow, but only to say where
        found = cells(line)
        if len(found) != columns:
            raise UserError(f"{path}: line {number} has {len(found)} values, a row has {columns} features; correct it or drop it")
        for column, cell in enumerate(found, 1 + are_named):
            if not is_number(cell):
                where = f"{path}: line {number}, column {column}"
                raise UserError(f"{where}: {shortened(cell)} is no number; correct it or drop the line")
    raise UserError(f"{path}: lines {lines[0][0]} to {lines[-1][0]} are no rows of {columns} plain numbers; correct them")


def cells(line: str) -> list[str]:
    """The cells of a line."""
    return next(csv.reader([line]), [])


def is_number(cell: str) -> bool:
    """Whether a cell of text is a number; nan and inf are (and are refused later, as such)."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def is_header(cells: list[str]) -> bool:
    """Whether cells name columns: none is a number and all differ ('NA,NA' misses values), or at least 8 count from 0 or 1."""
    counting = len(cells) >= 8 and any(cells == [str(first + i) for i in range(len(cells))] for first in (0, 1))
    return counting or (len(set(cells)) == len(cells) > 0 and not any(map(is_number, cells)))
