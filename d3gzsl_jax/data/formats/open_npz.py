"""A simple open format: one `.npz` or HDF5 file (`.h5`, `.hdf5`) with everything of a benchmark, counted from 0.

Keys: `features` (N, dx), `labels` (N,), `semantics` (C, da), `trainval` (row numbers, or a mask of N values), and optionally
`test_unseen` (without which figures on unseen classes are known on folds alone), `test_seen` (without which this is plain zero-shot
learning), `class_names` (C,), `unseen_classes` (class ids or names; classes that only have semantics are listed here),
`representations` (N, dr), which some methods take beside the features, `row_names` (N,), as of the files of pictures,
`descriptions` (C,), the classes in words, `encoders`, a JSON object of what made the features and semantics (`d3gzsl embed` writes
it), and `name`. With `class_names`, labels may be names. More forms: `forms`.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from d3gzsl_jax.data.benchmark import ROLES, GZSLData
from d3gzsl_jax.data.formats import encoder_notes, forms, hdf5_files, npy_files
from d3gzsl_jax.data.formats.mat_files import sha256
from d3gzsl_jax.data.formats.not_found import missing_file
from d3gzsl_jax.data.semantics import as_float32
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import atomic, paths
from d3gzsl_jax.text import clean_name, clean_names, listed

REQUIRED = ("features", "labels", "semantics", "trainval")
OPTIONAL = (
    "test_unseen", "test_seen", "class_names", "unseen_classes", "representations", "row_names", "descriptions", "encoders", "name",
)  # fmt: skip


def write_npz(path: str | Path, data: GZSLData) -> None:
    """Writes `data` to `path` atomically: a file of that name is whole or absent. `extra_roles` are left out.

    Raises:
        UserError: something is there that is no benchmark in this format, or it cannot be written.
    """
    path = paths.clean_output(path, "write_npz", is_npz, "benchmark in this format")
    extra: dict[str, Any] = {} if data.declared_unseen is None else {"unseen_classes": np.asarray(data.declared_unseen, np.int64)}
    extra |= {} if data.representations is None else {"representations": data.representations}
    extra |= {} if data.row_names is None else {"row_names": np.array(list(map(str, data.row_names)), str)}
    extra |= {} if data.descriptions is None else {"descriptions": np.array(data.descriptions, str)}
    if "encoders" in data.provenance:
        extra["encoders"] = np.array(json.dumps(data.provenance["encoders"], sort_keys=True))
    with atomic.replacing(path, "wb", parents=True) as file:
        np.savez_compressed(
            file, name=clean_name(data.name), features=data.features, labels=data.labels, semantics=data.semantics,
            class_names=np.array(clean_names(data.class_names), str), trainval=data.trainval, test_seen=data.test_seen,
            test_unseen=data.test_unseen, **extra,
        )


def is_npz(path: Path, further: Sequence[str] = ()) -> bool:
    """Whether a file is an .npz with the keys of this format, and further ones."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{key}.npy" for key in (*REQUIRED, *further)} <= set(archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def read_npz(path: str | Path) -> GZSLData:
    """Reads a file of this format. It only reads; `validate` checks. Without a `name` in it, the dataset is called as the file.

    Raises:
        UserError: the file is missing, is in no such format, or lacks a key.
    """
    path = Path(path)
    if problem := missing_file(path):
        raise UserError(problem)
    hdf5 = h5py.is_hdf5(path)
    held, arrays = (hdf5_files if hdf5 else npy_files).read_arrays(path, (*REQUIRED, *OPTIONAL))
    for key in REQUIRED:
        if key not in arrays:
            raise UserError(f"{path}: key {key!r} is missing; it holds {listed(held) or 'nothing'}; write it under that name")
    where = {key: f"{path}: {key!r}" for key in (*REQUIRED, *OPTIONAL)}
    names = forms.name_list(arrays["class_names"], where["class_names"]) if "class_names" in arrays else None
    semantics, features = arrays["semantics"], arrays["features"]
    labels = forms.label_list(arrays["labels"], where["labels"], names)
    if hdf5:
        features = forms.rows_first(features, len(labels), where["features"])
    representations = arrays.get("representations")
    if representations is not None and hdf5:
        representations = forms.rows_first(representations, len(labels), where["representations"])
    rows, classes = (len(array) if array.ndim else 0 for array in (features, semantics))
    declared = None
    if "unseen_classes" in arrays:
        declared = forms.class_list(arrays["unseen_classes"], where["unseen_classes"], names, classes)
    roles: dict[str, Any] = {
        role: forms.row_list(arrays.get(role, np.zeros(0, np.int64)), where[role], rows) for role in ROLES
    }
    texts = _texts(arrays.get("descriptions"), classes, where["descriptions"])
    encoders = encoder_notes.parsed(arrays["encoders"], where["encoders"]) if "encoders" in arrays else None
    return GZSLData(
        name=clean_name(arrays.get("name")) or clean_name(path.stem),
        features=features,
        labels=labels,
        semantics=as_float32(semantics) if semantics.dtype.kind in "fiub" else semantics,
        class_names=names if names is not None else tuple(f"class {label}" for label in range(classes)),
        **roles,
        declared_unseen=declared,
        representations=representations,
        row_names=_texts(arrays.get("row_names"), len(labels), where["row_names"]),
        descriptions=None if texts is None else tuple(texts.tolist()),
        provenance={
            "source": "npz", "feature_file": clean_name(path.name), "semantics": "npz",
            "sha256": {clean_name(path.name): sha256(path)},
            **({} if representations is None else {"representations": clean_name(path.name)}),
            **({} if encoders is None else {"encoders": encoders}),
        },
        keys=where | {"declared_unseen": where["unseen_classes"]},
    )  # fmt: skip


def _texts(value: np.ndarray | None, count: int, where: str) -> np.ndarray | None:
    """(count,) text of an array of text, or of bytes in UTF-8; None where there is none.

    Raises:
        UserError: it is of something else, or of another length.
    """
    if value is None:
        return None
    if value.shape != (count,) or value.dtype.kind not in "USO":
        raise UserError(f"{where}: need {count} texts, found {value.dtype} of shape {value.shape}")
    return np.array([text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else str(text) for text in value], str)
