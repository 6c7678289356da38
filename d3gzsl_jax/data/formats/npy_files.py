"""`.npy` and `.npz` files: what their headers say, and arrays of them read whole."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from d3gzsl_jax.data.formats.sizes import check_fits, check_stored, values
from d3gzsl_jax.errors import UserError, cannot_read, reason

PIECE = 2**20  # bytes asked of a file at once; zipfile copies what it returns, so small pieces keep copies small
_MOST_DEFLATED = 1100  # no deflated byte stands for more


def header(file: IO[bytes], where: str, size: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran order and dtype of an open `.npy` of `size` bytes; the file is left at its first value.

    Raises:
        UserError: it says that it holds more than it does, or holds Python objects.
    """
    version = npy.read_magic(file)
    shape, fortran, dtype = npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)
    if dtype.hasobject:
        raise UserError(f"{where}: need numbers or text, found {dtype}: Python objects are not read; write np.array(x, str)")
    check_stored(where, values(shape) * dtype.itemsize, size - file.tell(), shape)
    return shape, fortran, dtype


def member_size(archive: zipfile.ZipFile, name: str, where: str) -> int:
    """Bytes of a member of an archive, as that says.

    Raises:
        UserError: they cannot be in the archive.
    """
    info = archive.getinfo(name)
    most = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: _MOST_DEFLATED}.get(info.compress_type)
    if most is not None and info.file_size > max(info.compress_size, 0) * most + 4096:
        raise UserError(f"{where}: says that it holds {info.file_size} bytes, which {info.compress_size} cannot; write it again")
    return info.file_size


def members(archive: zipfile.ZipFile) -> list[str]:
    """The arrays of an `.npz`."""
    return sorted(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))


def fill(file: IO[bytes] | io.RawIOBase, count: int, dtype: np.dtype) -> np.ndarray:
    """The next `count` values of a file."""
    buffer = np.empty(count * dtype.itemsize, np.uint8)
    view, done = buffer.data, 0
    while done < len(view):
        got = file.readinto(view[done : done + PIECE])  # type: ignore[union-attr] # the members of an archive have it too
        if not got:
            raise ValueError(f"it ends {len(view) - done} bytes too early")
        done += got
    return buffer.view(dtype)


def read_arrays(path: Path, names: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    """All keys of an `.npz`, and of `names` the arrays that it has; a bare `.npy` has the first of `names`.

    Raises:
        UserError: it is no such file, or cut short, or an array is of Python objects or larger than memory.
    """
    try:
        with open(path, "rb") as file:
            if path.suffix.lower() == ".npy":
                return [names[0]], {names[0]: _whole(file, str(path), path.stat().st_size)}
        with zipfile.ZipFile(path) as archive:
            held, found = members(archive), {}
            for name in names:
                if name in held:
                    where = f"{path}: {name!r}"
                    with archive.open(f"{name}.npy") as file:
                        found[name] = _whole(file, where, member_size(archive, f"{name}.npy", where))
            return held, found
    except UserError:
        raise
    except Exception as error:  # a broken file makes these readers raise nearly anything
        if isinstance(error, OSError) and error.errno:
            raise cannot_read(path, error) from None
        what = f"not a readable {path.suffix or '.npz'} file of plain arrays"
        raise UserError(f"{path}: {what} ({reason(error)}); write or copy it again") from None


def _whole(file: IO[bytes], where: str, size: int) -> np.ndarray:
    shape, fortran, dtype = header(file, where, size)
    check_fits(where, values(shape) * dtype.itemsize)
    array = fill(file, values(shape), dtype) if values(shape) * dtype.itemsize else np.zeros(values(shape), dtype)
    file.read(1)  # zipfile compares checksums at the end of a member, and only if that is reached
    return array.reshape(shape, order="F" if fortran else "C")
