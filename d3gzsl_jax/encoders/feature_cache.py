"""Feature rows of pictures that are done, on the disk as they come: a run that was killed goes on with the others.

A folder of files `features-ENCODER-PROCESS-NUMBER.npz`, each with `features` (n, d) and `keys` (n,): SHA-256 of a picture's path,
size and time of its last change. ENCODER is of the encoder's notes, so that another one starts anew; PROCESS is drawn, so that two
at once do not write one file.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.data.formats import npy_files
from d3gzsl_jax.encoders.pictures import Picture
from d3gzsl_jax.errors import UserError, cannot_read
from d3gzsl_jax.system import atomic, paths

_OURS = re.compile(r"features-[0-9a-f]{16}-[0-9a-f]{8}-[0-9]+\.npz(\.[^.]{8}\.part)?")


def key(picture: Picture) -> str:
    """By what a picture is known: its path, its size and when it was last changed.

    Raises:
        UserError: it is gone.
    """
    try:
        found = os.stat(picture.path)
    except OSError as error:
        raise cannot_read(picture.path, error) from None
    text = f"{os.path.abspath(picture.path)}\0{found.st_size}\0{found.st_mtime_ns}"
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


class FeatureCache:
    """What is done, and where it goes.

    Args:
        folder: of the cache; made where it is missing.
        notes: of the encoder.
        size: of its rows.

    Raises:
        UserError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, notes: Mapping[str, Any], size: int) -> None:
        self._folder, self._size = folder, size
        apart = {name: value for name, value in notes.items() if name not in ("spec", "name")}  # wherever it lies
        self._name = hashlib.sha256(json.dumps(apart, sort_keys=True).encode()).hexdigest()[:16]
        paths.make_folder(folder, "folder for features")
        self._places: dict[str, tuple[Path, int]] = {}
        self._process, self._next = secrets.token_hex(4), 0
        for path in sorted(folder.glob(f"features-{self._name}-*.npz")):
            self._read(path)

    def _read(self, path: Path) -> None:
        with contextlib.suppress(UserError):  # a damaged file is made anew
            _, found = npy_files.read_arrays(path, ("keys", "features"))
            keys, features = (found.get(name, np.zeros(0)) for name in ("keys", "features"))
            if keys.ndim == 1 and features.shape == (len(keys), self._size) and features.dtype == np.float32:
                self._places |= {str(name): (path, row) for row, name in enumerate(keys)}

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def add(self, keys: Sequence[str], features: np.ndarray) -> None:
        """Writes rows (n, d) of pictures, whole or not at all.

        Raises:
            UserError: they cannot be written.
        """
        path = self._folder / f"features-{self._name}-{self._process}-{self._next:06d}.npz"
        with atomic.replacing(path, "wb") as file:
            np.savez(file, keys=np.array(keys, str), features=features)
        self._next += 1
        self._places |= {name: (path, row) for row, name in enumerate(keys)}

    def rows(self, keys: Sequence[str]) -> np.ndarray:
        """(n, d) of pictures that are all done."""
        found = np.zeros((len(keys), self._size), np.float32)
        files: dict[Path, list[tuple[int, int]]] = {}
        for place, name in enumerate(keys):
            files.setdefault(self._places[name][0], []).append((place, self._places[name][1]))
        for path, pairs in files.items():
            _, arrays = npy_files.read_arrays(path, ("features",))
            found[[place for place, _ in pairs]] = arrays["features"][[row for _, row in pairs]]
        return found


def is_ours(folder: Path) -> bool:
    """Whether a folder holds a cache, and nothing else."""
    try:
        return folder.is_dir() and not folder.is_symlink() and all(_OURS.fullmatch(entry.name) for entry in os.scandir(folder))
    except OSError:
        return False


def remove(folder: Path) -> None:
    """Removes the files of a cache, and the folder if nothing else is in it."""
    for entry in list(os.scandir(folder)) if folder.is_dir() and not folder.is_symlink() else []:
        if _OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
            os.unlink(entry.path)
    with contextlib.suppress(OSError):
        folder.rmdir()
