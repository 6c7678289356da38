"""Reads a further array per row, beside the features: a file with a matrix of N rows, such as the `con_paco.mat` of ZeroDiff.

| format | holds |
|---|---|
| `.mat`, `.h5`, `.hdf5` | `features`, or `representations`; (N, dr) or (dr, N) |
| `.npz` | `representations`, or `features`; (N, dr) |
| `.npy` | (N, dr) |
"""

import dataclasses
from pathlib import Path
from typing import Any

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.formats import forms, hdf5_files, npy_files
from d3gzsl_jax.data.formats.mat_files import read_variables, sha256
from d3gzsl_jax.data.formats.not_found import HDF5, unreadable
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import clean_name, listed

FORMATS = ".mat, .h5, .hdf5, .npz, .npy"
KEYS = ("features", "representations")
_OPTION = "--config.data.representation_file"


def add_representations(data: GZSLData, path: Path) -> GZSLData:
    """`data` with the representations of a file, whose rows are those of its features. It only reads; `validate` checks.

    Raises:
        UserError: the file is missing, broken, of an unknown format, or holds no such matrix.
    """
    if problem := unreadable(path, FORMATS, "representations", (".mat", ".npz", ".npy", *HDF5)):
        raise UserError(f"{_OPTION}: {problem}")
    suffix = path.suffix.lower()
    if suffix == ".mat":
        found, held = read_variables(path, KEYS), []
    else:
        held, found = (hdf5_files if suffix in HDF5 else npy_files).read_arrays(path, KEYS)
    names = [name for name in (KEYS if suffix != ".npz" else reversed(KEYS)) if name in found]
    if not names:
        holds = f"; it holds {listed(held) or 'nothing'}" if held else ""
        raise UserError(f"{path}: holds neither {KEYS[0]!r} nor {KEYS[1]!r}{holds}; save the matrix under one of these names")
    where = f"{path}: {names[0]!r}"
    array = found[names[0]]
    if suffix not in (".npz", ".npy"):
        array = forms.rows_first(array, len(data.labels), where)
    name = clean_name(path.name)
    digests: Any = data.provenance.get("sha256", {})
    provenance = dict(data.provenance) | {"representations": name, "sha256": {**digests, name: sha256(path)}}
    return dataclasses.replace(
        data, representations=array, provenance=provenance, keys=dict(data.keys) | {"representations": where}
    )
