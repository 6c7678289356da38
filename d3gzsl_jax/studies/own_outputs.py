"""By what a tool knows what it wrote earlier, and so may write over; see `d3gzsl_jax.runs.contents.output`."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

Known = Callable[[Path], bool]
_LOOKED_AT = 2**24  # bytes


def _begin(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_LOOKED_AT)
    except OSError:
        return b""


def text_with(words: str) -> Known:
    """A text that has `words` in it, as the command that made it."""
    return lambda path: words.encode() in _begin(path)


def json_list_with(*keys: str) -> Known:
    """A JSON list of objects that all have these keys."""

    def known(path: Path) -> bool:
        try:
            found = json.loads(_begin(path))
        except (ValueError, RecursionError):
            return False
        return isinstance(found, list) and all(isinstance(entry, dict) and entry.keys() >= set(keys) for entry in found)

    return known


def npz_with(*endings: str) -> Known:
    """An .npz file that has a key with each of these endings."""

    def known(path: Path) -> bool:
        try:
            with zipfile.ZipFile(path) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist()]
        except (OSError, ValueError, zipfile.BadZipFile):
            return False
        return all(any(name.endswith(ending) for name in names) for ending in endings)

    return known


def picture(path: Path) -> bool:
    """A picture that matplotlib drew."""
    return b"matplotlib" in _begin(path)[:4096].lower()


def bytes_of(content: bytes) -> Known:
    """A file that holds just that."""
    return lambda path: _begin(path) == content
