"""Reader of the xlsa17 layout ("proposed split", Xian et al. 2018, arXiv 1707.00600): a feature file and a split file.

The feature file (`res101.mat` or any other name) holds `features` (dx, N) and `labels` (N, 1); the split file
(`att_splits.mat`, `sent_splits.mat` or any other NAME_splits.mat) `att` (da, C), `trainval_loc`, `test_unseen_loc`, and
mostly `test_seen_loc`, sometimes `train_loc`, `val_loc` and `allclasses_names`. Labels and locations count from 1; locations may be
masks, and labels names of classes. A feature file may be HDF5 (`.h5`, `.hdf5`), with features either way. One without labels of its
own, as the fine-tuned features of ZeroDiff (`ce_ce.mat`, rows first), has those of the `res101.mat` beside it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.formats import forms
from d3gzsl_jax.data.formats.mat_files import read_variables, sha256
from d3gzsl_jax.data.formats.not_found import HDF5, URL, benchmark_files
from d3gzsl_jax.data.semantics import as_float32
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import clean_name

__all__ = ["EXTRA_KEYS", "ROLE_KEYS", "URL", "read_xlsa17"]

ROLE_KEYS = {"trainval": "trainval_loc", "test_seen": "test_seen_loc", "test_unseen": "test_unseen_loc"}
EXTRA_KEYS = {"train": "train_loc", "val": "val_loc"}


def read_xlsa17(root: str | Path, name: str, feature_file: str | Path = "res101.mat", semantics: str = "att") -> GZSLData:
    """Reads one benchmark folder. It only reads; `validate` checks.

    Args:
        root: the folder of the two files.
        name: dataset name, for messages and results.
        feature_file: the feature file, within `root` unless its path is absolute.
        semantics: NAME of the split file NAME_splits.mat: 'att', 'sent', 'w2v'.

    Raises:
        UserError: a file or a variable is missing, or a file is not a MATLAB file, or holds something else under such a name.
    """
    root, name = Path(root), clean_name(name) or "data"
    features_path, splits_path = benchmark_files(name, root, feature_file, semantics)
    of_features = ("features", "labels")
    usual, labels_path = root / "res101.mat", features_path
    arrays = read_variables(features_path, of_features, ("features",))
    if "labels" not in arrays:
        labels_path = usual if usual.is_file() else features_path
        arrays |= read_variables(labels_path, ("labels",), ("labels",))
    needed = ("att", ROLE_KEYS["trainval"], ROLE_KEYS["test_unseen"])
    splits = read_variables(splits_path, ("allclasses_names", "att", *ROLE_KEYS.values(), *EXTRA_KEYS.values()), needed)
    splits.setdefault("test_seen_loc", np.zeros(0, np.int64))
    for path, key, array in ((features_path, "features", arrays["features"]), (splits_path, "att", splits["att"])):
        if array.ndim != 2 or array.dtype.kind not in ("fiub" if key == "att" else "fiu"):
            raise UserError(f"{path}: {key!r}: need a matrix of numbers, found {array.dtype} of shape {array.shape}")
    keys = {
        "features": f"{features_path}: 'features'",
        "labels": f"{labels_path}: 'labels'",
        "semantics": f"{splits_path}: 'att'",
        "class_names": f"{splits_path}: 'allclasses_names'",
        **{role: f"{splits_path}: {key!r}" for role, key in ROLE_KEYS.items()},
    }
    names = forms.name_list(splits["allclasses_names"], keys["class_names"]) if "allclasses_names" in splits else None
    labels = forms.label_list(arrays["labels"], keys["labels"], names, first=1)
    features = arrays["features"].T
    if features_path.suffix.lower() in HDF5 or labels_path != features_path:
        features = forms.rows_first(features, len(labels), keys["features"])
    rows: dict[str, Any] = {
        role: forms.row_list(splits[key], f"{splits_path}: {key!r}", len(features), first=1)
        for role, key in (ROLE_KEYS | EXTRA_KEYS).items() if key in splits
    }  # fmt: skip
    return GZSLData(
        name=name,
        features=np.ascontiguousarray(features),
        labels=labels,
        semantics=as_float32(splits["att"].T),
        class_names=names if names is not None else tuple(f"class {label}" for label in range(splits["att"].shape[1])),
        **{role: rows[role] for role in ROLE_KEYS},
        extra_roles={role: rows[role] for role in EXTRA_KEYS if role in rows},
        provenance={
            "source": "mat",
            "feature_file": clean_name(features_path.name),
            "semantics": semantics,
            "sha256": {clean_name(path.name): sha256(path) for path in dict.fromkeys((features_path, labels_path, splits_path))},
        },
        keys=keys,
        first=1,
    )
