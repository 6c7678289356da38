"""HDF5 files, MATLAB 7.3's among them: what a name stands for, read from the file itself and nowhere else.

HDF5 lets a variable lie in another file: by an external link, external storage, or a virtual dataset. A file from elsewhere could
so bring in whatever its reader may read. These are refused, and so is a variable that says it is larger than what is stored.
"""

import contextlib
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from d3gzsl_jax.data.formats.sizes import check_fits, check_stored, values
from d3gzsl_jax.errors import UserError, cannot_read, reason
from d3gzsl_jax.text import text_of

_DEPTH = 16  # links behind links, cells in cells
_LONGEST_CELL = 10_000  # values; a cell holds a name or a number


@contextlib.contextmanager
def opened(path: Path, cache: int = 2**20) -> Iterator[h5py.File]:
    """A file to read from, with a chunk cache of so many bytes."""
    with h5py.File(path, "r", rdcc_nbytes=cache) as file:
        yield file


def names(file: h5py.File) -> list[str]:
    """The variables at the top, without what MATLAB keeps for itself (#refs#); no link is followed."""
    return sorted(name for name in file if not name.startswith("#"))


def read_arrays(path: Path, wanted: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    """All variables of a file, and those of `wanted` that it has, as `read` gives them.

    Raises:
        UserError: as `read`, or the file is no HDF5 file.
    """
    try:
        with opened(path) as file:
            held = names(file)
            found = {name: read(file, name, f"{path}: {name!r}") for name in wanted if name in held}
            return held, {name: array for name, array in found.items() if array is not None}
    except UserError:
        raise
    except Exception as error:  # a broken file makes h5py raise nearly anything
        if isinstance(error, OSError) and error.errno:
            raise cannot_read(path, error) from None
        what = "MATLAB" if path.suffix.lower() == ".mat" else "HDF5"
        raise UserError(f"{path}: not a readable {what} file ({reason(error)}); write or copy it again") from None


def find(file: h5py.File, name: str, where: str) -> h5py.Dataset | h5py.Group | None:
    """What a name stands for; None where there is nothing.

    Raises:
        UserError: it lies in another file, or says it is larger than what is stored.
    """
    found = _follow(file, name, where, 0)
    if isinstance(found, h5py.Dataset):
        check(found, where)
    return found


def _follow(group: h5py.Group, name: str, where: str, depth: int) -> Any:
    """The object of a name within a group. Links are followed here, since h5py would open another file without a word."""
    if depth > _DEPTH:
        raise UserError(f"{where}: its links go round in a circle, or are too many; copy the variable itself into the file")
    found = group.file["/"] if name.startswith("/") else group
    for part in filter(lambda part: part not in ("", "."), name.split("/")):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink):
            raise UserError(f"{where}: lies in another file (an external link), which is not opened; copy it into this one")
        if isinstance(link, h5py.SoftLink):
            found = _follow(found, link.path, where, depth + 1)
        else:
            found = found[part] if isinstance(link, h5py.HardLink) else None
    return found


def check(dataset: h5py.Dataset, where: str) -> None:
    """Refuses values that lie in another file, or are fewer than the dataset says.

    Raises:
        UserError: naming the variable.
    """
    if dataset.external or dataset.is_virtual:
        kind = "a virtual dataset" if dataset.is_virtual else "external storage"
        raise UserError(f"{where}: its values lie in other files ({kind}), which are not opened; copy them into this one")
    if not dataset.shape or not (count := values(dataset.shape)):
        return
    size, stored = dataset.id.get_type().get_size(), dataset.id.get_storage_size()
    if dataset.chunks is None:
        check_stored(where, count * size, min(stored, dataset.file.id.get_filesize()), dataset.shape)
        return
    expected = math.prod(math.ceil(have / chunk) for have, chunk in zip(dataset.shape, dataset.chunks, strict=True))
    if (have := dataset.id.get_num_chunks()) < expected or stored > dataset.file.id.get_filesize():
        blocks = f"{have} of {expected} blocks of an array of shape {dataset.shape}"
        raise UserError(f"{where}: cut short: {blocks} are there; write or copy it again")


def read(file: h5py.File, name: str, where: str) -> np.ndarray | None:
    """A variable as it is stored, which for MATLAB's is transposed: numbers, bool for logical ones, str for characters, and objects
    (text, numbers or arrays) for cells; None where there is none.

    Raises:
        UserError: as `find`; or it is a struct, an object, or larger than memory.
    """
    found = find(file, name, where)
    if isinstance(found, h5py.Group):
        if "MATLAB_sparse" not in found.attrs:
            raise UserError(f"{where}: is a struct; need an array, saved under that name by itself")
        return _sparse(found, where)
    return _value(found, where, 0) if isinstance(found, h5py.Dataset) else None


def kind(dataset: h5py.Dataset) -> str:
    """MATLAB's class of a variable, as 'double' or 'char'; '' where nothing says."""
    said = dataset.attrs.get("MATLAB_class", b"")
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _value(dataset: h5py.Dataset, where: str, depth: int) -> np.ndarray:
    if "MATLAB_object_decode" in dataset.attrs:
        raise UserError(f"{where}: is a MATLAB object ({kind(dataset) or 'unknown'}), as a string array is; save it as cellstr(x)")
    if dataset.shape is None or "MATLAB_empty" in dataset.attrs:
        return np.empty((0, 0), str if kind(dataset) == "char" else np.float64)
    check_fits(where, values(dataset.shape) * dataset.dtype.itemsize)
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        if depth > _DEPTH:
            raise UserError(f"{where}: cells in cells in cells; need text or numbers")
        cells = np.empty(dataset.shape, object)
        cells.flat[:] = [_cell(dataset.file, reference, where, depth) for reference in np.ravel(dataset[()])]
        return cells
    array = np.asarray(dataset[()])
    codes = array.dtype.kind in "iu" and (kind(dataset) == "char" or (depth and not kind(dataset)))
    if codes:
        lines = np.atleast_2d(array.T if array.ndim == 2 else array.ravel())
        return np.array([text_of(line) for line in lines.tolist()])
    return array != 0 if kind(dataset) == "logical" and array.dtype.kind in "iu" else array


def _cell(file: h5py.File, reference: h5py.Reference, where: str, depth: int) -> Any:
    if not isinstance(reference, h5py.Reference) or not reference:
        return ""
    target = file[reference]
    if not isinstance(target, h5py.Dataset):
        raise UserError(f"{where}: has a cell that holds a struct; need text or numbers")
    check(target, where)
    if target.shape is not None and values(target.shape) > _LONGEST_CELL:
        raise UserError(f"{where}: has a cell that holds an array of shape {target.shape}; need text or numbers")
    return _value(target, where, depth + 1)


def _sparse(group: h5py.Group, where: str) -> np.ndarray:
    """MATLAB's sparse matrix, dense, transposed as other matrices are."""
    import scipy.sparse

    parts = {}
    for name, dtype in (("data", np.float64), ("ir", np.int64), ("jc", np.int64)):
        part = find(group.file, f"{group.name}/{name}", where)
        if (part is None and name == "jc") or isinstance(part, h5py.Group):
            raise UserError(f"{where}: a sparse matrix without {name!r}; save it again")
        if part is not None:
            check_fits(where, values(part.shape) * 8)
        parts[name] = np.zeros(0, dtype) if part is None else np.asarray(part[()]).ravel().astype(dtype)
    shape = int(group.attrs["MATLAB_sparse"]), len(parts["jc"]) - 1
    return dense(scipy.sparse.csc_matrix((parts["data"], parts["ir"], parts["jc"]), shape=shape), where).T


def is_sparse(value: Any) -> bool:
    """Whether a value is a sparse matrix of scipy: there is none where that was not imported, which takes a while."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(value))


def dense(matrix: Any, where: str) -> np.ndarray:
    """A sparse matrix of scipy as an array.

    Raises:
        UserError: it is larger than memory, or its row numbers are none.
    """
    check_fits(where, values(matrix.shape) * 8)
    matrix = matrix.tocsc()
    try:
        matrix.check_format(full_check=True)  # toarray would write wherever a wrong row number points
    except ValueError as error:
        raise UserError(f"{where}: a damaged sparse matrix ({error}); save it again") from None
    return matrix.toarray()
