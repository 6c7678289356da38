"""Classes in words or numbers: a CSV of class and description, or of class and attributes, and the semantic vectors of it.

    class,description                               class,stripes,hooves
    zebra,A horse-like animal with black stripes.   zebra,1,1
    zebra,It lives in herds on the savannah.        okapi,0.4,1
    okapi,A brown animal with striped legs.

A class may have several descriptions, a line each.
"""

import itertools
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
    if _WORDS in folded:
        label, text = folded.index(_KEY), folded.index(_WORDS)
        return described([(cells[label], cells[text], line) for line, cells in lines[1:]], str(path))
    return _numbered(path, header, folded, lines[1:])


def described(entries: Sequence[tuple[object, object, int]], path: str = "") -> ClassTable:
    """The table of names with a description each; of a name that comes again it is a further description.

    Args:
        entries: (name, description, line of the file, 0 without one), as they were given.
        path: the file, for messages.

    Raises:
        UserError: there is none, a name or a description is no text or empty, a class has a description twice, or two names differ
            in case, blanks or underscores alone.
    """
    if not entries:
        raise UserError("no new classes are given; give each a name and a description")
    found: dict[str, list[str]] = {}
    names = _cleaned([(name, line) for name, _, line in entries], path)
    for name, (_, given, line) in zip(names, entries, strict=True):
        where, text = _where(path, line), clean_name(given)
        if not isinstance(given, str) and text:
            raise UserError(f"{where}class {shortened(name)}: its description is {shortened(given)}, which is no text; give one")
        if not text:
            raise UserError(f"{where}class {shortened(name)} has no description; say what it looks like")
        if text in found.setdefault(name, []):
            raise UserError(f"{where}class {shortened(name)} has this description twice; drop {'the line' if line else 'one'}")
        found[name].append(text)
    return ClassTable(tuple(found), tuple(map(tuple, found.values())), None, (), path)


def _where(path: str, line: int = 0) -> str:
    """How a message begins."""
    return (f"{path}: line {line}: " if line else f"{path}: ") if path else ""


def _cleaned(names: Sequence[tuple[object, int]], path: str) -> list[str]:
    """Names (name, line) of classes, clean; refused where one is none, or where names differ in case, blanks or underscores alone:
    they would be two classes."""
    first: dict[str, tuple[str, int]] = {}
    for given, line in names:
        name = clean_name(given)
        if not isinstance(given, str) or not name:
            nameless = f"{path}: line {line} names no class" if line else f"{shortened(given)} is no name of a class; give a text"
            raise UserError(nameless)
        other, before = first.setdefault(evened(name), (name, line))
        if name != other:
            place = f" in line {before}" if before else ""
            raise UserError(
                f"{_where(path, line)}class {shortened(name)} is called {shortened(other)}{place}; write it one way, or "
                "give two classes names that differ in more than case, blanks and underscores"
            )
    return [clean_name(name) for name, _ in names]


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


def _numbered(path: Path, header: Sequence[str], folded: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> ClassTable:
    places = [place for place, name in enumerate(folded) if name != _KEY]
    found: dict[str, list[float]] = {}
    named = _cleaned([(cells[folded.index(_KEY)], line) for line, cells in lines], str(path))
    for name, (line, cells) in zip(named, lines, strict=True):
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
    where = _where(table.path)
    if encoder is None or table.descriptions is None:
        raise UserError(f"{where}has descriptions, which need a text encoder; give one")
    pairs = zip(table.names, table.descriptions, strict=True)
    return np.stack([_averaged(encoder, texts, f"{where}class {shortened(name)}") for name, texts in pairs])


def no_descriptions(option: str, table: ClassTable) -> str:
    """What is said of a text encoder that is named for a table of numbers."""
    return f"{option}: {table.path or 'the table'} holds numbers, no descriptions; leave the option out"


def cut_off(table: ClassTable, encoder: "TextEncoder") -> str:
    """What is said of descriptions that are longer than the encoder reads; '' where there is none."""
    count = encoder.too_long(list(itertools.chain(*table.descriptions or ())))
    if not count:
        return ""
    many = f"{count} descriptions are" if count > 1 else "1 description is"
    return (
        f"{many} longer than the text encoder reads ({encoder.notes().get('longest')} tokens, some 3 for 2 words): what is "
        "beyond is cut off; several short ones for a class are averaged"
    )


def _averaged(encoder: "TextEncoder", texts: Sequence[str], where: str) -> np.ndarray:
    return _unit(np.mean([_unit(row, where) for row in encoder.encode(texts).astype(np.float64)], axis=0), where).astype(np.float32)


def _unit(vector: np.ndarray, where: str) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    if not 1e-12 < length < math.inf:
        raise UserError(f"{where}: the text encoder makes no vector of its descriptions that has a direction; say it otherwise")
    return vector / length
