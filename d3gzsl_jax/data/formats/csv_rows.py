"""Lines of text with commas between their cells, as rows of numbers."""

import contextlib
import csv
from pathlib import Path

import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import shortened


def parse(path: Path, lines: list[tuple[int, str]], columns: int) -> np.ndarray:
    """Numbered lines of a file as (lines, columns) float64.

    Raises:
        UserError: a line is no row of so many numbers.
    """
    if not lines:
        return np.empty((0, columns))
    with contextlib.suppress(ValueError):
        block = np.loadtxt([line for _, line in lines], delimiter=",", comments=None, quotechar='"', ndmin=2)
        if block.shape == (len(lines), columns):
            return block
    for number, line in lines:  # slow, but only to say where
        found = cells(line)
        if len(found) != columns:
            raise UserError(f"{path}: line {number} has {len(found)} values, a row has {columns} features; correct it or drop it")
        for column, cell in enumerate(found, 1):
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
