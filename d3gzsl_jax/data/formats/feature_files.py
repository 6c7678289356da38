"""Feature rows of a file, chunk by chunk, so that a file larger than memory can be predicted.

| format | streams | remarks |
|---|---|---|
| `.npy` | yes | Fortran order costs one read per column and chunk: slow with chunks of few rows |
| `.npz` | yes | the member `key`, or `features`, or the only matrix; compressed or not; Fortran order is loaded whole |
| `.mat` 7.3 | yes | the variable `key`, or `features` |
| `.h5`, `.hdf5` | yes | the dataset `key`, or `features`, or the only matrix; (N, columns) or (columns, N) |
| `.mat` 5 | no | loaded whole; the format itself ends at 2 GB a variable |
| `.csv`, `.txt` | yes | commas, UTF-8; a first line of different cells, none a number, is a header; blank lines are skipped |
| | | a further column before the others names the rows, see row_names.py |

Any real or integer type and byte order is read: as float32 or, where that would lose digits, float64. A `.mat` matrix of
(columns, N) holds one row in each of its columns, as in the xlsa17 files; so does a square one. Rows and dimensions in messages
count from 0, lines from 1.
"""

import contextlib
import functools
import itertools
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import h5py
import numpy as np

from d3gzsl_jax.data.formats import hdf5_files, npy_files
from d3gzsl_jax.data.formats.csv_rows import numbered_rows, parse
from d3gzsl_jax.data.formats.mat_files import read_variables
from d3gzsl_jax.data.formats.not_found import unreadable
from d3gzsl_jax.data.formats.sizes import check_fits
from d3gzsl_jax.errors import UserError, cannot_read, reason
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import listed, shortened

FORMATS = ".npy, .npz, .mat, .h5, .hdf5, .csv, .txt"
DEFAULT_KEY = "features"
HDF5_CACHE = 2**26  # bytes; with HDF5's own 1 MiB, large compressed blocks would be decompressed again for every chunk


class FeatureFile(NamedTuple):
    """A checked file: `rows` (None where only reading tells, as in `.csv`) of `columns` features under `key` ('' if none)."""

    path: Path
    key: str
    rows: int | None
    columns: int


# An open matrix: its key, its number of rows, and `read(start, stop)`, asked for rows in order, which gives none at the end.
_Matrix = tuple[str, int | None, Callable[[int, int], np.ndarray]]


def open_features(path: str | Path, columns: int, key: str = "") -> FeatureFile:
    """Checks by its header that a file has rows of `columns` features.

    Args:
        path: a file of one of `FORMATS`.
        columns: features per row.
        key: member of an `.npz` or variable of a `.mat` file.

    Raises:
        UserError: the file is missing, broken or cut short, of an unknown format, or holds no rows of that many numbers.
    """
    path = paths.clean(path, "--input")
    with _opened(path, columns, key) as (found, rows, _):
        return FeatureFile(path, found, rows, columns)


def chunks(source: FeatureFile, rows: int) -> Iterator[np.ndarray]:
    """Yields (<= rows, columns) in the order of the file, in memory of a few chunks for the formats that stream: float32 where the
    file holds no wider type, else float64, since a model scales the digits it was trained on.

    Raises:
        UserError: a value is not finite (as float32), a line is no row of numbers, or the file turns out to be damaged.
    """
    if rows < 1:
        raise UserError(f"{source.path}: cannot be read {rows} rows at a time; need at least 1")
    with _opened(source.path, source.columns, source.key) as (key, total, read):
        if total != source.rows:
            raise UserError(f"{source.path}: had {source.rows} rows and has {total} now; do not write to it while it is read")
        start = 0
        while len(block := read(start, min(start + rows, total or start + rows))):
            yield _finite(block, start, _name(source.path, key))
            start += len(block)


def _finite(block: np.ndarray, start: int, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):  # what overflows is refused below, with its value
        result = np.ascontiguousarray(block, np.float32 if np.can_cast(block.dtype, np.float32) else np.float64)
    finite = np.abs(result) <= np.finfo(np.float32).max  # what float32 cannot hold is refused, too
    if not finite.all():
        bad = ~finite.all(axis=1)
        row = int(np.argmax(bad))
        column = int(np.argmin(finite[row]))
        value = block[row, column]
        why = ", more than float32 holds," if np.isfinite(value) else ""
        raise UserError(
            f"{name}: row {start + row} has {value}{why} in dimension {column} ({int(bad.sum())} such rows among rows {start} to "
            f"{start + len(block) - 1}); extract these features again or drop the rows"
        )
    return result


@contextlib.contextmanager
def _opened(path: Path, columns: int, key: str) -> Iterator[_Matrix]:
    if problem := unreadable(path, FORMATS, "features", tuple(_OPENERS)):
        raise UserError(problem)
    opener = _OPENERS[path.suffix.lower()]
    if key and opener not in (_open_npz, _open_mat, _open_hdf5):
        raise UserError(f"{path}: a {path.suffix} file has no keys; leave the key {shortened(key)} out")
    try:
        with opener(path, columns, key) as matrix:
            yield matrix
    except UserError:
        raise
    except Exception as error:  # a broken file makes these readers raise nearly anything
        if isinstance(error, OSError) and error.errno:
            raise cannot_read(path, error) from None
        raise UserError(f"{path}: not a readable {path.suffix} file ({reason(error)}); write or copy it again") from None


def _name(path: Path, key: str) -> str:
    return f"{path}: {key!r}" if key else str(path)


def _check(name: str, shape: tuple[int, ...], dtype: np.dtype | str, columns: int, either_way: bool = False) -> None:
    """Refuses what is no matrix (N, columns) of numbers, or (columns, N) where it may be `either_way`."""
    if getattr(dtype, "kind", "") not in tuple("fiu"):
        raise UserError(f"{name}: need a matrix of numbers, found {dtype} of shape {shape}")
    if len(shape) != 2:
        hint = f"; reshape it to (1, {columns}) if it is one row" if shape == (columns,) else ""
        raise UserError(f"{name}: need a matrix (rows, {columns}), found shape {shape}{hint}")
    if columns not in (shape if either_way else shape[1:]):
        have = f"{shape[1]} or {shape[0]}" if either_way else shape[1]
        hint = "; it looks transposed" if shape[0] == columns else ""
        raise UserError(f"{name}: {have} features a row (shape {shape}), but the model takes {columns}{hint}")
    if min(shape) < 1:
        raise UserError(f"{name}: holds no rows")


def _checked_header(file: IO[bytes], name: str, size: int, columns: int) -> tuple[int, bool, np.dtype]:
    """Rows, Fortran order and dtype of an open `.npy` of `size` bytes, if it is a whole matrix (rows, columns)."""
    shape, fortran, dtype = npy_files.header(file, name, size)
    _check(name, shape, dtype, columns)
    return shape[0], fortran, dtype


@contextlib.contextmanager
def _open_npy(path: Path, columns: int, key: str) -> Iterator[_Matrix]:
    with open(path, "rb", buffering=0) as file:  # a mapped file would count as resident page by page
        rows, fortran, dtype = _checked_header(file, str(path), path.stat().st_size, columns)
        first = file.tell()

        def values(skip: int, count: int) -> np.ndarray:
            file.seek(first + skip * dtype.itemsize)
            return npy_files.fill(file, count, dtype)

        def read(start: int, stop: int) -> np.ndarray:
            if fortran:
                return np.stack([values(column * rows + start, stop - start) for column in range(columns)], axis=1)
            return values(start * columns, (stop - start) * columns).reshape(-1, columns)

        yield "", rows, read


@contextlib.contextmanager
def _open_npz(path: Path, columns: int, key: str) -> Iterator[_Matrix]:
    with zipfile.ZipFile(path) as archive:
        members = npy_files.members(archive)

        def is_matrix(member: str) -> bool:
            where = _name(path, member)
            with archive.open(f"{member}.npy") as file:
                shape, _, dtype = npy_files.header(file, where, npy_files.member_size(archive, f"{member}.npy", where))
            return len(shape) == 2 and dtype.kind in "fiu"

        key = _choose(path, key, members, lambda: filter(is_matrix, members))
        where, member = _name(path, key), f"{key}.npy"
        with archive.open(member) as file:
            rows, fortran, dtype = _checked_header(file, where, npy_files.member_size(archive, member, where), columns)
            if fortran:
                check_fits(where, rows * columns * dtype.itemsize)
            whole = npy_files.fill(file, rows * columns, dtype).reshape((rows, columns), order="F") if fortran else None

            def read(start: int, stop: int) -> np.ndarray:
                if whole is not None:
                    block = whole[start:stop]
                else:
                    block = npy_files.fill(file, (stop - start) * columns, dtype).reshape(-1, columns)
                if stop == rows:
                    file.read(1)  # zipfile compares checksums at the end of a member, and only if that is reached
                return block

            yield key, rows, read


def _choose(path: Path, key: str, held: list[str], matrices: Callable[[], Iterable[str]] = tuple) -> str:
    """The key to read: the one asked for, or the default one, or the only one of `matrices`."""
    found = [name for name in (key or DEFAULT_KEY,) if name in held] or ([] if key else list(matrices()))
    if len(found) != 1:
        raise UserError(
            f"{path}: key {shortened(key or DEFAULT_KEY)} is missing; it holds {listed(sorted(held)) or 'nothing'}"
            f"{'; name one of these as the key' if held else ''}"
        )
    return found[0]


@contextlib.contextmanager
def _open_hdf5(path: Path, columns: int, key: str) -> Iterator[_Matrix]:
    of_matlab = path.suffix.lower() == ".mat"
    with hdf5_files.opened(path, HDF5_CACHE) as file:
        held = hdf5_files.names(file)

        def is_matrix(name: str) -> bool:
            found = hdf5_files.find(file, name, _name(path, name))
            return isinstance(found, h5py.Dataset) and len(found.shape or ()) == 2 and found.dtype.kind in "fiu"

        key = _choose(path, key, held, tuple if of_matlab else lambda: filter(is_matrix, held))
        where, dataset = _name(path, key), hdf5_files.find(file, key, _name(path, key))
        if not isinstance(dataset, h5py.Dataset):
            raise UserError(f"{where}: need a matrix of numbers, found a group, as a struct or a sparse matrix is")
        said = hdf5_files.kind(dataset)
        dtype = said if said in ("logical", "char", "cell") else dataset.dtype
        # HDF5 holds MATLAB's matrices transposed, and of an empty one the shape in place of values
        shape = dataset.shape or ()
        shape = (0, columns) if "MATLAB_empty" in dataset.attrs else shape[::-1] if of_matlab else shape
        _check(where, shape, dtype, columns, either_way=True)
        if shape == (columns, columns) and not (of_matlab or said):
            raise UserError(f"{where}: of shape {shape}, which may hold a row in each column; write an .npy, where rows are rows")
        if dataset.shape[1] == columns:
            yield key, dataset.shape[0], lambda start, stop: dataset[start:stop]
        else:
            yield key, dataset.shape[1], lambda start, stop: dataset[:, start:stop].T


@contextlib.contextmanager
def _open_mat(path: Path, columns: int, key: str) -> Iterator[_Matrix]:
    if h5py.is_hdf5(path):
        with _open_hdf5(path, columns, key) as matrix:
            yield matrix
        return
    import scipy.io

    there = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path, appendmat=False)}
    shape, kind = there[key := _choose(path, key, list(there))]
    dtype = np.dtype(kind) if kind in ("double", "single") or "int" in kind else kind
    _check(_name(path, key), shape, dtype, columns, either_way=True)

    @functools.cache  # and not before the first chunk: to check a file takes no memory
    def whole() -> np.ndarray:
        array = read_variables(path, (key,))[key]
        _check(_name(path, key), array.shape, array.dtype, columns, either_way=True)  # what is listed as double may be complex
        return array.T if shape[0] == columns else array

    yield key, shape[1] if shape[0] == columns else shape[0], lambda start, stop: whole()[start:stop]


@contextlib.contextmanager
def _open_text(path: Path, columns: int, key: str) -> Iterator[_Matrix]:
    with open(path, encoding="utf-8-sig") as file:
        are_named, lines = numbered_rows(path, file, columns)
        yield "", None, lambda start, stop: parse(path, list(itertools.islice(lines, stop - start)), columns, are_named)


_OPENERS = {
    ".npy": _open_npy, ".npz": _open_npz, ".mat": _open_mat, ".h5": _open_hdf5, ".hdf5": _open_hdf5, ".csv": _open_text,
    ".txt": _open_text,
}  # fmt: skip
