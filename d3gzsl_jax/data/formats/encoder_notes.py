"""What made the features and the semantics of a file: the JSON object under `encoders` that `d3gzsl embed` writes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from d3gzsl_jax.data.formats import hdf5_files, npy_files
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import one_line, shortened

KEY = "encoders"


class Notes(msgspec.Struct):
    """What is read of the object, which may hold more."""

    image: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    attribute_names: list[str] | None = None


def of_file(path: Path) -> dict[str, Any]:
    """The notes of a file that can be read; {} where it has none, or is of a format without them.

    Raises:
        UserError: they are no such object.
    """
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".h5", ".hdf5"):
        return {}
    _, found = (npy_files if suffix == ".npz" else hdf5_files).read_arrays(path, (KEY,))
    return parsed(found[KEY], f"{path}: {KEY!r}") if KEY in found else {}


def parsed(value: np.ndarray, where: str) -> dict[str, Any]:
    """The notes in an array of one text.

    Raises:
        UserError: it holds none.
    """
    text = value.item() if value.ndim == 0 else ""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        found = None
    if wrong := problem(found):
        raise UserError(f"{where}: need the JSON object that d3gzsl embed writes, found {shortened(text)} ({wrong})")
    return found


def problem(found: object) -> str:
    """Why an object is none of such notes; '' where it is."""
    try:
        msgspec.convert(found, Notes)
    except (msgspec.ValidationError, RecursionError) as error:
        return one_line(error).replace("`", "")
    return ""
