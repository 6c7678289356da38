"""Reads the JSON files of run folders, models and tools, by the shapes of `file_schemas`: every command does it here.

What is read is given back as plain dicts and lists, with all its keys.
"""

import copy
import io
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from d3gzsl_jax.config import saved_config
from d3gzsl_jax.errors import UserError, cannot_read, reason
from d3gzsl_jax.runs.file_schemas import KINDS, Results, WholeResults
from d3gzsl_jax.text import one_line, shortened

_DEEPEST = 50  # of lists and objects within each other
_LARGEST = 2**63  # whole numbers are below it
_REMEDIES = {
    "results.json": "remove it, and the command that trained the run makes it anew where it holds a checkpoint",
    "overrides.json": "remove it: it is for the record only",
    "validation.json": "remove it, and the command that trained the run chooses anew by what its folds left",
}
_REMEDY = "restore it from a copy, or name another folder"


def read(path: Any, kind: Any = None, remedy: str = "") -> Any:
    """What a JSON file holds; None where there is none.

    Args:
        path: of the file.
        kind: its schema, a type msgspec knows; None: by its name, see `KINDS`.
        remedy: what to do where it is damaged; '' for what the file's name says.

    Raises:
        UserError: it cannot be read, is no JSON, is of another shape, or is results.json of another format; naming file and key.
    """
    remedy, content = remedy or _REMEDIES.get(path.name, _REMEDY), _content(path)
    if content is None:
        return None
    found, kind = _parsed(content, str(path), remedy), kind or KINDS[path.name]
    if kind in (Results, WholeResults) and isinstance(found, dict):
        saved_config.require_format(found, path)
    return checked(found, kind, path, remedy)


def read_lines(path: Any, kind: Any = None) -> list[dict[str, Any]]:
    """What each line of a JSON-lines file holds, none where there is no file; a last line that a killed process left unfinished is
    left out. Arguments and errors as of `read`."""
    found, kind = [], kind or KINDS[path.name]
    *whole, last = (_content(path) or b"").split(b"\n")
    for number, line in enumerate(whole, start=1):
        where, remedy = f"{path}, line {number}", "remove that line, or restore the file from a copy"
        if line.strip():
            found.append(checked(_parsed(line, where, remedy), kind, where, remedy))
    if not last.strip():
        return found
    try:
        return [*found, checked(_parsed(last, where := f"{path}, its last line", "remove it"), kind, where, "remove it")]
    except UserError:
        if not last.startswith(b"{"):  # so begins what the program writes
            raise
        return found


def read_arrays(path: Any) -> dict[str, np.ndarray] | None:
    """The arrays of an .npz file, numbers all of them, whose checksums are right; None where there is no file.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    content = _content(path)
    if content is None:
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except Exception as error:  # zip, zlib and numpy raise many kinds for bytes that are no archive of arrays
        raise UserError(f"{path}: damaged ({shortened_text(reason(error))}); {_REMEDY}") from None
    for name, array in found.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise UserError(f"{path}: damaged ({shortened(name)} is no array of numbers); {_REMEDY}")
    return found


def checked(value: Any, kind: Any, where: Any, remedy: str = _REMEDY) -> Any:
    """`value`, a plain one, if it has the shape of `kind`.

    Raises:
        UserError: it has not; `where` it is from, and what to do.
    """
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UserError(f"{where}: {_complaint(value, kind, str(error))}; {remedy}") from None
    return value


def _complaint(value: Any, kind: Any, text: str) -> str:
    """What msgspec says is wrong, with the place and the value in our words."""
    said, _, place = text.partition(" - at ")
    said, names = said.replace("`", ""), []
    rest = node = copy.deepcopy(value)
    try:
        for name, index in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", place):
            if index == "...":  # any key of an object: the one by which it fails
                whole = dict(node)
                for key in whole:
                    node.clear()
                    node[key] = whole[key]
                    if _failure(rest, kind) == text:
                        break
            else:
                key = name or int(index)
            names.append(key)
            node = node[key]
    except (KeyError, IndexError, TypeError, ValueError):
        return f"damaged at {shortened_text(place)} ({shortened_text(said)})"
    at = ".".join(shortened_text(name) for name in names)
    if said.startswith("Object missing required field"):
        return f"lacks {'.'.join([*filter(None, [at]), said.split()[-1]])!r}"
    if "key" in place.partition(" in ")[0]:
        return f"damaged in {at} ({shortened_text(said)})"
    return f"{at or 'the whole'} is {shortened(node)} ({shortened_text(said)})"


def _failure(value: Any, kind: Any) -> str:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        return str(error)
    return ""


def shortened_text(text: Any) -> str:
    """A text of unknown origin for a message, on one line."""
    return shortened(one_line(str(text)))[1:-1]


def _content(path: Any) -> bytes | None:
    try:
        if path.is_dir():
            raise UserError(f"{path}: is a folder where a file belongs; move it away")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from None


def _parsed(content: bytes, where: str, remedy: str) -> Any:
    try:
        found = json.loads(content.decode("utf-8"), parse_constant=lambda word: None)  # NaN is null here, as it is written
        _look_through(found)
        if re.search(rb"\\u[dD][89a-fA-F]", content):  # half of a surrogate pair, which no file and no terminal can hold, is U+FFFD
            text = json.dumps(found, ensure_ascii=False)
            found = json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: damaged (byte {error.start} is not UTF-8); {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: damaged ({shortened_text(error) if content.strip() else 'empty'}); {remedy}") from None
    return found


def _look_through(value: Any) -> None:
    """Refuses what no file of a run holds: numbers that fit no machine, and nesting without end."""
    level = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                below += [*one.keys(), *one.values()]
            elif isinstance(one, list):
                below += one
            elif isinstance(one, int | float) and not (math.isfinite(one) if isinstance(one, float) else abs(one) < _LARGEST):
                raise ValueError("a number that is too large")
        if not (level := below):
            return
    raise ValueError(f"nested more than {_DEEPEST} levels")
