"""A simple open format: one `.npz` with everything of a benchmark, counted from 0.

Keys: `features` (N, dx), `labels` (N,), `semantics` (C, da), `trainval`, `test_unseen` (row numbers), and optionally `test_seen`
(without which this is plain zero-shot learning), `class_names` (C,), `unseen_classes` (class ids; classes that only have semantics
are listed here) and `name`.
"""

import os
from pathlib import Path

import numpy as np

from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.data.matfile import sha256
from d3gzsl_jax.data.semantics import as_float32
from d3gzsl_jax.errors import UserError, reason

REQUIRED = ("features", "labels", "semantics", "trainval", "test_unseen")


def write_npz(path: str | Path, data: GZSLData) -> None:
    """Writes `data` to `path` atomically: a file of that name is whole or absent. `extra_roles` are left out."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    extra = {} if data.declared_unseen is None else {"unseen_classes": np.asarray(data.declared_unseen, np.int64)}
    with open(part, "wb") as file:
        np.savez_compressed(
            file, name=data.name, features=data.features, labels=data.labels, semantics=data.semantics,
            class_names=np.array(data.class_names, str), trainval=data.trainval, test_seen=data.test_seen,
            test_unseen=data.test_unseen, **extra,
        )
    os.replace(part, path)


def read_npz(path: str | Path) -> GZSLData:
    """Reads a file of this format. It only reads; `validate` checks. Without a `name` in it, the dataset is called as the file.

    Raises:
        UserError: the file is missing, is no `.npz`, or lacks a key.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}  # a bare .npy has no `files`
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; set --config.data.root to a .npz in the format of d3gzsl_jax/data/open_npz.py"
        ) from None
    except Exception as error:  # a broken file makes numpy raise nearly anything
        raise UserError(f"{path}: not a readable .npz of plain arrays ({reason(error)})") from None
    odd = [key for key, array in arrays.items() if not isinstance(array, np.ndarray)]
    if odd:
        raise UserError(f"{path}: not a readable .npz of plain arrays ({odd[0]!r} is none)")
    arrays.setdefault("test_seen", np.zeros(0, np.int64))
    for key in REQUIRED:
        if key not in arrays:
            raise UserError(f"{path}: key {key!r} is missing; it holds {', '.join(sorted(arrays)) or 'nothing'}")
    semantics = arrays["semantics"]
    numbers = {key: _whole(arrays[key], path, key) for key in ("labels", "trainval", "test_seen", "test_unseen")}
    names = arrays.get("class_names")
    return GZSLData(
        name=str(arrays.get("name", path.stem)),
        features=arrays["features"],
        semantics=as_float32(semantics) if semantics.dtype.kind in "fiu" else semantics,
        class_names=tuple(map(str, names.ravel())) if names is not None else _numbered(semantics),
        **numbers,
        declared_unseen=_whole(arrays["unseen_classes"], path, "unseen_classes") if "unseen_classes" in arrays else None,
        provenance={"source": "npz", "feature_file": path.name, "semantics": "npz", "sha256": {path.name: sha256(path)}},
        keys={key: f"{path}: {key!r}" for key in (*REQUIRED, "test_seen", "class_names")}
        | {"declared_unseen": f"{path}: 'unseen_classes'"},
    )


def _numbered(semantics: np.ndarray) -> tuple[str, ...]:
    return tuple(f"class {c}" for c in range(len(semantics) if semantics.ndim else 0))


def _whole(array: np.ndarray, path: Path, key: str) -> np.ndarray:
    if array.shape == (0,):  # of no numbers the type says nothing
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise UserError(f"{path}: {key!r}: need a vector of whole numbers, found {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)
