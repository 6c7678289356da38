"""Reads named variables from a MATLAB file, of version 5 (scipy) or 7.3 (HDF5), in MATLAB's own orientation."""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from d3gzsl_jax.errors import UserError, reason


def read_variables(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The variables of `names` that the file has; cell arrays of strings become arrays of str.

    Raises:
        UserError: the file is no MATLAB file.
    """
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                return {name: _from_hdf5(file, file[name]) for name in names if isinstance(file.get(name), h5py.Dataset)}
        found = scipy.io.loadmat(path, variable_names=names)
    except Exception as error:  # a broken file makes these readers raise nearly anything
        raise UserError(f"{path}: not a readable MATLAB file ({reason(error)}); download or convert it again") from None
    cells = lambda value: isinstance(value, np.ndarray) and value.dtype.kind == "O"  # noqa: E731
    return {name: _strings(found[name]) if cells(found[name]) else found[name] for name in names if name in found}


def _strings(cells: np.ndarray) -> np.ndarray:
    return np.array([str(np.asarray(cell).ravel()[0]) if np.size(cell) else "" for cell in np.atleast_1d(cells).ravel()])


def _from_hdf5(file: h5py.File, dataset: h5py.Dataset) -> np.ndarray:
    # MATLAB is column-major: HDF5 holds every matrix transposed, and a cell array as references to character codes.
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        return np.array(["".join(chr(code) for code in file[ref][()].ravel()) for ref in dataset[()].ravel()])
    return dataset[()].T


def sha256(path: Path) -> str:
    """Hex digest of a file, for provenance."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
