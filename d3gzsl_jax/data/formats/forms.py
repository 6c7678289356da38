"""What files hold in place of a list of rows, of labels, of names or of classes, where its meaning is certain, in one form.

Row lists may be masks, with a value for each row; labels may be names of classes; lists may lie along either axis, and be of floats
that are whole numbers, or of cells.
"""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np

from d3gzsl_jax.data.benchmark import ROLES, GZSLData
from d3gzsl_jax.data.formats.hdf5_files import dense, is_sparse
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import clean_name, clean_names, shortened, text_of

_EXACT = 2.0**53  # from here on floats leave whole numbers out


def row_list(value: Any, where: str, rows: int, first: int = 0) -> np.ndarray:
    """Row numbers (k,) int64, from 0, of a list of them that counts from `first`, or of a mask of all `rows`.

    Raises:
        UserError: it is neither; the message names the first entry that is wrong.
    """
    flat = _vector(value, where)
    if flat.dtype.kind == "b":
        if len(flat) != rows:
            raise UserError(f"{where}: a mask of {len(flat)} values for {rows} rows; give one for each, or a list of row numbers")
        return np.flatnonzero(flat)
    numbers = _numbers(flat, where, first, "entry")
    if len(numbers) == rows > 2 and (numbers >= 0).all() and (numbers <= 1).all():  # as a list it would have a row twice
        return np.flatnonzero(numbers)
    return numbers - first


def label_list(value: Any, where: str, names: Sequence[str] | None, first: int = 0) -> np.ndarray:
    """Class ids (N,) int64, from 0, of labels that count from `first`, or are names of classes.

    Args:
        value: what the file holds.
        where: file and key, for messages.
        names: of the classes, cleaned; None where the file has none.
        first: what labels and rows count from.

    Raises:
        UserError: naming the first row whose label is no whole number and no class, or is missing.
    """
    flat = _vector(value, where)
    if flat.dtype.kind not in "USO":
        return _numbers(flat, where, first, "row") - first
    given = clean_names(flat)
    for row, label in enumerate(given):
        if label.casefold() in ("", "none", "nan", "<undefined>", "<missing>") and label not in (names or ()):
            raise UserError(f"{where}: row {row + first} has no label ({shortened(flat[row])}); give it one, or drop the row")
    if names is None:
        raise UserError(
            f"{where}: row {first} is {shortened(given[0])}; need whole numbers from {first}, or the names of the classes as well"
        )
    ids = {name: label for label, name in enumerate(names)}
    for row, label in enumerate(given):
        if label not in ids:
            close = difflib.get_close_matches(label, names, n=1)
            hint = f"; did you mean {shortened(close[0])}?" if close else "; need names of classes, or their numbers"
            raise UserError(f"{where}: row {row + first} is {shortened(label)}, which is no name of a class{hint}")
    return np.array([ids[label] for label in given], np.int64)


def class_list(value: Any, where: str, names: Sequence[str] | None, classes: int, first: int = 0) -> np.ndarray:
    """Class ids (k,) int64, from 0, of a list of ids or names, or of a mask of all `classes`."""
    flat = _vector(value, where)
    return label_list(flat, where, names, first) if flat.dtype.kind in "USO" else row_list(flat, where, classes, first)


def name_list(value: Any, where: str) -> tuple[str, ...]:
    """Names, cleaned, of an array of text, bytes, cells or numbers, or of a matrix of characters with a name in each row."""
    array = np.asarray(value)
    if array.dtype.kind in "US" and array.ndim == 2 and min(array.shape) > 1 and array.dtype == np.dtype(f"{array.dtype.kind}1"):
        return clean_names(list(array))
    if array.dtype == np.uint16 and array.ndim == 2 and min(array.shape) > 1:  # character codes, of a file that does not say so
        return clean_names(map(text_of, array.tolist()))
    if array.dtype.kind not in "USOiuf":
        raise UserError(f"{where}: need text, found {array.dtype} of shape {array.shape}")
    return clean_names(array.ravel())


def rows_first(features: np.ndarray, rows: int, where: str) -> np.ndarray:
    """Features of an HDF5 file as (N, dx): programs write either orientation, and the number of labels tells which.

    Raises:
        UserError: it does not, since both sides are as long.
    """
    if features.ndim == 2 and features.shape == (rows, rows):
        raise UserError(f"{where}: of shape {features.shape}, which may have rows or columns for the {rows} labels; write an .npz")
    return features.T if features.ndim == 2 and features.shape[0] != rows == features.shape[1] else features


def _refuse_transposed(data: GZSLData) -> None:
    """Refuses semantics (C, da) that are (da, C), as names of classes or numbers of labels tell.

    Raises:
        UserError: naming both shapes.
    """
    semantics, labels = data.semantics, data.labels
    if semantics.ndim != 2 or semantics.shape[0] == semantics.shape[1]:
        return
    classes, width = semantics.shape
    made_up = data.class_names == tuple(f"class {label}" for label in range(classes))
    most = int(labels.max()) + 1 if labels.dtype.kind in "iu" and labels.size else 0
    if made_up:
        told = f"labels of {most} classes"
        certain = classes < most <= width or (most == width and data.declared_unseen is None)
    else:
        told, certain = f"{len(data.class_names)} class names", len(data.class_names) == width >= most
    if certain:
        raise UserError(
            f"{data.key('semantics')}: looks transposed: it has {classes} classes of {width} values, and there are {told}; "
            f"exchange its axes, which makes {width} classes of {classes} values"
        )


def usual_form(data: GZSLData) -> GZSLData:
    """`data` with its names cleaned, and with arrays in place of lists, masks, labels that are names, and sparse semantics.

    Raises:
        UserError: what stands for one of them is none; or the semantics look transposed.
    """
    changes: dict[str, Any] = {}
    for field in ("features", "semantics"):
        value = getattr(data, field)
        if is_sparse(value):
            changes[field] = dense(value, data.key(field))
        elif isinstance(value, list | tuple):
            changes[field] = _array(value, data.key(field))
    if not isinstance(data.class_names, tuple | list | np.ndarray):
        raise UserError(f"{data.key('class_names')}: need a name for each class, found {type(data.class_names).__name__}")
    names = clean_names(data.class_names)
    if not isinstance(data.class_names, tuple) or names != data.class_names:
        changes["class_names"] = names
    if _unusual(data.labels):
        changes["labels"] = label_list(data.labels, data.key("labels"), names, 0)
    rows = len(changes.get("features", data.features)) if np.ndim(changes.get("features", data.features)) else 0
    for field in ROLES:
        if _unusual(value := getattr(data, field)):
            changes[field] = row_list(value, data.key(field), rows, 0)
    if data.declared_unseen is not None and _unusual(data.declared_unseen):
        changes["declared_unseen"] = class_list(data.declared_unseen, data.key("declared_unseen"), names, len(names), 0)
    if (name := clean_name(data.name) or "data") != data.name:
        changes["name"] = name
    data = dataclasses.replace(data, **changes) if changes else data
    if all(isinstance(array, np.ndarray) for array in (data.semantics, data.labels)):
        _refuse_transposed(data)
    return data


def _unusual(value: Any) -> bool:
    """Whether a list is no vector of whole numbers, and may be one in another form."""
    if isinstance(value, np.ndarray):
        return value.ndim != 1 or value.dtype.kind not in "iu"
    return isinstance(value, list | tuple | range)


def _array(value: Any, where: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError:
        raise UserError(f"{where}: need rows of one length") from None


def _vector(value: Any, where: str) -> np.ndarray:
    """A list as (n,), along whichever axis it lies; cells that hold a number each become numbers."""
    if is_sparse(value):
        value = dense(value, where)
    array = _array(value, where)
    if sum(size != 1 for size in array.shape) > 1 and array.size:
        raise UserError(f"{where}: need a vector, found {array.dtype} of shape {array.shape}; give a list along one axis")
    flat = array.ravel()
    if flat.dtype.kind == "O" and len(flat):
        cells = [cell.ravel()[0] if isinstance(cell, np.ndarray) and cell.size == 1 else cell for cell in flat]
        if all(isinstance(cell, int | float | np.number | np.bool_) for cell in cells):
            flat = np.array(cells)
    return flat


def _numbers(flat: np.ndarray, where: str, first: int, item: str) -> np.ndarray:
    if not flat.size:  # of no numbers the type says nothing
        return np.zeros(0, np.int64)
    if flat.dtype.kind not in "iuf":
        raise UserError(f"{where}: need whole numbers from {first}, found {flat.dtype}")
    odd = ~np.isfinite(flat) | (flat != np.round(flat)) if flat.dtype.kind == "f" else np.zeros(len(flat), bool)
    odd |= np.abs(flat.astype(np.float64)) >= _EXACT
    if odd.any():
        index = int(np.argmax(odd))
        raise UserError(f"{where}: {item} {index + first} is {flat[index]}; need whole numbers from {first}")
    return flat.astype(np.int64)
