"""Semantic vectors of new classes from a file, and lists of classes from the command line.

| format | holds |
|---|---|
| `.npz`, `.h5`, `.hdf5` | `semantics` (k, da) and optionally `class_names` (k,) |
| `.npy` | (k, da), without names |
| `.csv` | UTF-8, one class per line: its name, then da numbers; a first line with other names than numbers is a header |
| `.mat` | `att` (da, k), sparse or not, and optionally `allclasses_names`, as in the xlsa17 files |

Classes without names are called 'new 0', 'new 1', ...
"""

import csv
import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d3gzsl_jax.data.benchmark import class_text
from d3gzsl_jax.data.formats import hdf5_files, npy_files
from d3gzsl_jax.data.formats.csv_lines import csv_lines
from d3gzsl_jax.data.formats.csv_rows import is_header, is_number
from d3gzsl_jax.data.formats.forms import name_list
from d3gzsl_jax.data.formats.mat_files import read_variables
from d3gzsl_jax.data.formats.not_found import unreadable
from d3gzsl_jax.data.semantics import as_float32, check_values
from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import alike, clean_name, clean_names, listed, same_name_twice, shortened

FORMATS = ".npz, .npy, .csv, .mat, .h5, .hdf5"
_OWN = ("semantics", "class_names")
_WHOLE = "[+-]?[0-9]{1,18}"
KEYS = {".npz": _OWN, ".npy": _OWN, ".h5": _OWN, ".hdf5": _OWN, ".mat": ("att", "allclasses_names")}


def read_classes(path: str | Path, key: str = "") -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads semantics (k, da) float32 and k different names, k at least 1.

    Args:
        path: a file of one of `FORMATS`.
        key: the member of an `.npz` or variable of a `.mat` file that holds the semantics, if it is not the usual one.

    Raises:
        UserError: the file is missing, broken or of an unknown format, a value is none to compute with, or two classes share a
            name.
    """
    path = paths.clean(path, "--semantics")
    if problem := unreadable(path, FORMATS, "semantics", (".csv", *KEYS)):
        raise UserError(problem)
    suffix = path.suffix.lower()
    if key and suffix in (".npy", ".csv"):
        raise UserError(f"{path}: a {suffix} file has no keys; leave the key {shortened(key)} out")
    semantics, names = _read_csv(path) if suffix == ".csv" else _read_arrays(path, *KEYS[suffix], key)
    if semantics.ndim != 2 or semantics.dtype.kind not in "fiu" or semantics.size == 0:
        found = f"{semantics.dtype} of shape {semantics.shape}"
        raise UserError(f"{path}: need a matrix of numbers with a row for each of at least 1 class, found {found}")
    if len(semantics) != len(names := names or [f"new {row}" for row in range(len(semantics))]):
        raise UserError(f"{path}: {len(names)} names for {len(semantics)} classes; there must be one name per class")
    semantics, first = as_float32(semantics), int(suffix == ".mat")  # as the file counts, besides the id, which counts from 0
    check_values(semantics, lambda row: f"{path}: {class_text(row, names, row + first)}", first)
    if "" in names:
        raise UserError(f"{path}: class {names.index('')} has no name; every class needs a name of its own")
    if same := same_name_twice(names):
        counted = f" ({same[0] + first} and {same[1] + first} in the file)" if first else ""
        raise UserError(
            f"{path}: classes {same[0]} and {same[1]}{counted} are both called {shortened(names[same[0]])}; every class needs a "
            "name of its own"
        )
    return semantics, tuple(names)


def new_names(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Names of new classes, cleaned.

    Args:
        names: of the new classes.
        known: of the classes there are.

    Raises:
        UserError: one is empty, is there twice, or is known.
    """
    found = clean_names(names)
    if "" in found:
        raise UserError(f"new class {found.index('')}: has no name; give it one")
    if same := same_name_twice(found):
        raise UserError(f"class {shortened(found[same[0]])}: there are two new classes of that name; give each a name of its own")
    if both := set(found) & set(clean_names(known)):
        raise UserError(f"class {shortened(min(both))}: the model knows a class of that name; give the new one another")
    for place, name in enumerate(found):
        if other := alike(name, (*known, *found[:place])):
            raise UserError(
                f"class {shortened(name)}: differs from the class {shortened(other)} in case, blanks or underscores alone; give "
                "the new one another name"
            )
    return found


def check_width(semantics: np.ndarray, columns: int, path: str | Path) -> None:
    """Refuses semantics (k, da) of `path` with another da than the `columns` of a model.

    Raises:
        UserError: naming both numbers.
    """
    width = semantics.shape[1]
    if width != columns:
        named = width == columns - 1 and Path(path).suffix.lower() == ".csv"
        hint = "; the first column of a .csv is the name of the class" if named else ""
        transposed = "; it looks transposed" if len(semantics) == columns else ""
        raise UserError(f"{path}: {width} semantic values a class, but the model takes {columns}{hint or transposed}")


def _read_arrays(path: Path, semantics_key: str, names_key: str, key: str) -> tuple[np.ndarray, list[str]]:
    key, suffix = key or semantics_key, path.suffix.lower()
    if suffix == ".mat":
        found = read_variables(path, (key, names_key), (key,))
    else:
        held, found = (npy_files if suffix in (".npz", ".npy") else hdf5_files).read_arrays(path, (key, names_key))
        if key not in found:
            raise UserError(f"{path}: key {shortened(key)} is missing; it holds {listed(held) or 'nothing'}; name another key")
    names = name_list(found[names_key], f"{path}: {names_key!r}") if names_key in found else ()
    return found[key].T if suffix == ".mat" else found[key], list(names)


def _read_csv(path: Path) -> tuple[np.ndarray, list[str]]:
    rows: list[list[float]] = []
    names: list[str] = []
    lines = csv_lines(path, columns=2)
    if lines and is_header(lines[0][1][1:]):
        del lines[0]
    for line, (name, *cells) in lines:
        bad = next((i for i, cell in enumerate(cells) if not is_number(cell)), None)
        if bad is not None:
            where = f"{path}: line {line}, column {bad + 2}"
            raise UserError(f"{where}: {shortened(cells[bad])} is no number; correct it or drop the line")
        if len(cells) != len(lines[0][1]) - 1 or not cells:
            need = len(lines[0][1]) - 1 or "some"
            raise UserError(f"{path}: line {line} has {len(cells)} numbers after the name, needs {need}; correct it or drop it")
        names.append(clean_name(name))
        rows.append([float(cell) for cell in cells])
    return np.array(rows).reshape(len(rows), -1 if rows else 0), names


def parse_class_list(
    text: str, names: Sequence[str], seen: np.ndarray | None, unseen: np.ndarray | None, option: str = "class list",
    by_name: bool = False,
) -> np.ndarray:
    """Ids (n,) int32, each once and in the order given, of classes listed as in '3,6,zebra' or 'unseen,0'.

    Args:
        text: ids, names, 'all', 'seen' and 'unseen', with commas between; a name with a comma needs double quotes around it.
            A whole number is an id, and with a plus sign, '+3', always one. A name may differ in case if only one class is then
            meant.
        names: all names, by id.
        seen, unseen: ids that 'seen' and 'unseen' stand for; None where neither they nor 'all' stand for any.
        option: what the text was given for, as '--classes', for messages.
        by_name: where classes are called by numbers, a number without a plus sign is such a name.

    Raises:
        UserError: a class is unknown (the message suggests similar names), a name is not unique, a number is the id of one class
            and the name of another, or the list is empty.
    """
    groups = {} if seen is None or unseen is None else {"all": np.arange(len(names)), "seen": seen, "unseen": unseen}
    ids: list[int] = []
    try:
        entries = next(csv.reader([re.sub("[\r\n]", " ", text)], skipinitialspace=True), [])
    except csv.Error as error:
        problem = f"{option} {shortened(text)}: cannot be read ({reason(error)})"
        raise UserError(f"{problem}; give ids or names with commas between") from None
    for entry in map(clean_name, entries):
        if entry in groups:
            ids.extend(map(int, groups[entry]))
        elif entry:
            ids.append(_class_id(entry, names, tuple(groups), option, by_name))
    if not ids:
        further = ", or all, seen or unseen" if groups else ""
        raise UserError(f"{option} {shortened(text)}: holds no classes; give ids or names with commas between{further}")
    return np.array(list(dict.fromkeys(ids)), np.int32)


def _class_id(entry: str, names: Sequence[str], groups: Sequence[str], option: str, by_name: bool) -> int:
    if re.fullmatch(_WHOLE, entry):
        cleaned = enumerate(map(clean_name, names))
        number, numbers = int(entry), {label: int(name) for label, name in cleaned if re.fullmatch(_WHOLE, name)}
        called = [label for label in numbers if numbers[label] == number and not entry.startswith("+")]
        is_id = 0 <= number < len(names) and not (by_name and numbers and not entry.startswith("+"))
        if called and is_id and number not in called:
            raise UserError(
                f"{option}: {entry} is the id of {class_text(number, names)} and the name of {class_text(called[0], names)}; give "
                f"+{number} for the first or +{called[0]} for the second"
            )
        if is_id:
            return number
        if len(called) == 1:
            return called[0]
        if not called:
            ids = f"ids go from 0 to {len(names) - 1}" + (", with a plus sign as +0" if by_name and numbers else "")
            raise UserError(f"{option}: there is no class {number}; {ids}")
    for same in (str, clean_name, lambda name: clean_name(name).casefold()):
        found = [i for i, name in enumerate(names) if same(name) == same(entry)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"{option}: {shortened(entry)} may be class {' or '.join(map(str, found))}; give the id")
    folded = {name.casefold(): name for name in (*groups, *names)}
    close = [shortened(folded[name]) for name in difflib.get_close_matches(entry.casefold(), folded)]
    ways = "an id, a name, all, seen or unseen" if groups else "an id or a name"
    hint = f"; did you mean {' or '.join(close)}?" if close else f"; give {ways}"
    raise UserError(f"{option}: there is no class {shortened(entry)}{hint}")
