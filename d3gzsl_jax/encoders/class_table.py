"""Classes in words or numbers: a CSV of class and description, or of class and attributes, and the semantic vectors of it.

    class,description                               class,stripes,hooves
    zebra,A horse-like animal with black stripes.   zebra,1,1
    zebra,It lives in herds on the savannah.        okapi,0.4,1
    okapi,A brown animal with striped legs.

A class may have several descriptions, a line each.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from d3gzsl_jax.data.formats.csv_lines import csv_lines
from d3gzsl_jax.data.formats.csv_rows import is_number
from d3gzsl_jax.data.semantics import value_problem
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import clean_name, clean_names, evened, listed, shortened

if TYPE_CHECKING:
    from d3gzsl_jax.encoders.texts import TextEncoder

_KEY, _WORDS = "class", "description"


class ClassTable(NamedTuple):
    """C classes in the order of the file, either with descriptions or with numbers.

    Attributes:
        names: C different names.
        descriptions: for each class one or more; None in a table of numbers.
        attributes: (C, k) float32; None in a table of descriptions.
        attribute_names: k names; () in a table of descriptions.
        path: the file, for messages.
    """

    names: tuple[str, ...]
    descriptions: tuple[tuple[str, ...], ...] | None
    attributes: np.ndarray | None
    attribute_names: tuple[str, ...]
    path: str = ""


def read_class_table(path: str | Path, option: str = "--classes") -> ClassTable:
    """Reads a CSV: a column `class`, and either `description` or columns of numbers.

    Raises:
        UserError: it is no such table; file, line and column are named.
    """
    path = paths.clean(path, option)
    if not path.is_file():
        what = "is no file" if path.exists() else "no such file"
        raise UserError(f"{option}={path}: {what}; give a CSV of class,description")
    if path.suffix.lower() not in (".csv", ".tsv"):
        raise UserError(f"{option}={path}: need a .csv (class,description), found {path.suffix or 'a file without a suffix'}")
    lines = csv_lines(path, has_header=True)
    header = [clean_name(cell) for cell in lines[0][1]]
    folded = [name.casefold() for name in header]
    _check_header(path, header, folded)
    if len(lines) < 2:
        raise UserError(f"{path}: holds no classes, only the names of its columns; give each class a line")
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            hint = "; a text with a comma needs double quotes around it" if len(cells) > len(header) and _WORDS in folded else ""
            raise UserError(f"{path}: line {line} has {len(cells)} cells, needs {len(header)} ({listed(header)}){hint}")
        if not clean_name(cells[folded.index(_KEY)]):
            raise UserError(f"{path}: line {line} names no class")
    _require_one_spelling(path, [(line, clean_name(cells[folded.index(_KEY)])) for line, cells in lines[1:]])
    return (_described if _WORDS in folded else _numbered)(path, header, folded, lines[1:])


def _require_one_spelling(path: Path, names: Sequence[tuple[int, str]]) -> None:
    """Refuses names that differ in case, blanks or underscores alone: they would be two classes."""
    first: dict[str, tuple[int, str]] = {}
    for line, name in names:
        before, other = first.setdefault(evened(name), (line, name))
        if name != other:
            raise UserError(
                f"{path}: line {line}: class {shortened(name)} is called {shortened(other)} in line {before}; write it one way, or "
                "give two classes names that differ in more than case, blanks and underscores"
            )


def _check_header(path: Path, header: Sequence[str], folded: Sequence[str]) -> None:
    need = "need a column class, and either description or columns of numbers"
    if _KEY not in folded:
        raise UserError(f"{path}: its first line is {shortened(','.join(header))}, which has no column class; {need}")
    if len(header) < 2:
        raise UserError(f"{path}: has the names of classes alone; {need}")
    for place, name in enumerate(folded):
        if not name:
            raise UserError(f"{path}: column {place + 1} has no name in the first line; give it one")
        if name in folded[:place]:
            raise UserError(f"{path}: there are two columns {shortened(header[place])}; give each a name of its own")
    if _WORDS in folded and len(header) > 2:
        other = next(name for name, key in zip(header, folded, strict=True) if key not in (_KEY, _WORDS))
        raise UserError(
            f"{path}: has the column {shortened(other)} beside description; classes are told apart by descriptions or by "
            "numbers, not both: drop the one or the other"
        )


def _described(path: Path, header: Sequence[str], folded: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> ClassTable:
    found: dict[str, list[str]] = {}
    for line, cells in lines:
        name, text = clean_name(cells[folded.index(_KEY)]), clean_name(cells[folded.index(_WORDS)])
        if not text:
            raise UserError(f"{path}: line {line}: class {shortened(name)} has no description; say what it looks like")
        if text in found.setdefault(name, []):
            raise UserError(f"{path}: line {line}: class {shortened(name)} has this description twice; drop the line")
        found[name].append(text)
    return ClassTable(tuple(found), tuple(map(tuple, found.values())), None, (), str(path))


def _numbered(path: Path, header: Sequence[str], folded: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> ClassTable:
    places = [place for place, name in enumerate(folded) if name != _KEY]
    found: dict[str, list[float]] = {}
    for line, cells in lines:
        name = clean_name(cells[folded.index(_KEY)])
        if name in found:
            raise UserError(f"{path}: line {line}: class {shortened(name)} is there twice; of numbers a class has one line")
        for place in places:
            if problem := value_problem(float(cells[place]) if is_number(cells[place]) else math.nan):
                is_text = len(places) == 1 and not is_number(cells[place])
                hint = "is it the description? call the column so" if is_text else "correct it or drop the column"
                where = f"{path}: line {line}, column {header[place]}"
                raise UserError(f"{where}: {shortened(cells[place])} is {problem}; {hint}")
        found[name] = [float(cells[place]) for place in places]
    names = clean_names(header[place] for place in places)
    return ClassTable(tuple(found), None, np.array(list(found.values()), np.float32), names, str(path))


def class_semantics(table: ClassTable, encoder: "TextEncoder | None") -> np.ndarray:
    """(C, da) float32 vectors of the classes: the attributes as they are; of descriptions what the encoder makes of each,
    brought to unit length, averaged, and brought to unit length again.

    Args:
        table: the classes.
        encoder: of texts; not asked for a table of numbers.

    Raises:
        UserError: descriptions without an encoder; or a vector is not finite, or zero.
    """
    if table.attributes is not None:
        return table.attributes
    if encoder is None or table.descriptions is None:
        raise UserError(f"{table.path}: has descriptions, which need a text encoder; give one")
    pairs = zip(table.names, table.descriptions, strict=True)
    return np.stack([_averaged(encoder, texts, f"{table.path}: class {shortened(name)}") for name, texts in pairs])


def _averaged(encoder: "TextEncoder", texts: Sequence[str], where: str) -> np.ndarray:
    return _unit(np.mean([_unit(row, where) for row in encoder.encode(texts).astype(np.float64)], axis=0), where).astype(np.float32)


def _unit(vector: np.ndarray, where: str) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    if not 1e-12 < length < math.inf:
        raise UserError(f"{where}: the text encoder makes no vector of its descriptions that has a direction; say it otherwise")
    return vector / length
