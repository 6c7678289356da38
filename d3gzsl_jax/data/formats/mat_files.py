"""Reads named variables from a MATLAB file, of version 5 (scipy) or 7.3 (HDF5), in MATLAB's own orientation."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from d3gzsl_jax.data.formats import hdf5_files
from d3gzsl_jax.data.formats.sizes import check_fits, values
from d3gzsl_jax.errors import UserError, cannot_read, reason
from d3gzsl_jax.text import listed, shortened


def read_variables(path: Path, names: Sequence[str], needed: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The variables of `names` that the file has. Sparse ones are made dense, logical ones are bool, characters become an array of
    str, a line each, and a cell array an array of objects.

    Args:
        path: of a MATLAB file, or another HDF5 file.
        names: what to look for.
        needed: those that must be there.

    Raises:
        UserError: the file is no MATLAB file, a variable is needed and missing (the message says what there is), lies in another
            file, is larger than memory, or is a struct or an object.
    """
    try:
        held, found = (_from_hdf5 if h5py.is_hdf5(path) else _from_mat5)(path, names)
    except UserError:
        raise
    except OSError as error:
        if error.errno:
            raise cannot_read(path, error) from None
        raise _unreadable(path, error) from None
    except Exception as error:  # a broken file makes these readers raise nearly anything
        raise _unreadable(path, error) from None
    for name in needed:
        if name not in found:
            raise UserError(
                f"{path}: variable {shortened(name)} is missing; it holds {listed(held) or 'no variables'}; save it under that name"
            )
    return found


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: not a readable MATLAB file ({reason(error)}); download or convert it again")


def _from_hdf5(path: Path, names: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    held, read = hdf5_files.read_arrays(path, names)
    # MATLAB is column-major: HDF5 holds every matrix transposed.
    return held, {name: array.T if array.dtype.kind in "fiubc" else array for name, array in read.items()}


def _from_mat5(path: Path, names: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    import scipy.io

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a variable that is there twice
        kinds = {}
        for name, shape, kind in scipy.io.whosmat(path, appendmat=False):
            kinds[name] = kind
            if name in names and kind != "sparse":  # of which it says the shape, not the values
                check_fits(f"{path}: {name!r}", _bytes(kind, values(shape)))
        read = scipy.io.loadmat(path, appendmat=False, variable_names=tuple(names))
    found = {}
    for name in names:
        if name not in read:
            continue
        array, where = read[name], f"{path}: {name!r}"
        if hdf5_files.is_sparse(array):
            array = hdf5_files.dense(array, where)
        if not isinstance(array, np.ndarray) or array.dtype.kind == "V":
            raise UserError(f"{where}: is a struct or a MATLAB object, as a string array is; save an array, or cellstr(x)")
        found[name] = array != 0 if kinds.get(name) == "logical" and array.dtype.kind in "iu" else array
    return sorted(kinds), found


def _bytes(kind: str, count: int) -> int:
    """How much memory so many values of a MATLAB class take at most; numbers come in pieces of at most 4 GiB, often less wide."""
    return count * {"char": 4, "cell": 8}[kind] if kind in ("char", "cell") else min(count * 8, 2**32)


def sha256(path: Path) -> str:
    """Hex digest of a file, for provenance."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
