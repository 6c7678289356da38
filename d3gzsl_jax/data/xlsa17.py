"""Reader of the xlsa17 layout ("proposed split", Xian et al. 2018, arXiv 1707.00600): a feature file and a split file.

The feature file (`res101.mat` or any other name) holds `features` (dx, N) and `labels` (N, 1); the split file
(`att_splits.mat` or `sent_splits.mat`) `att` (da, C), `trainval_loc`, `test_seen_loc`, `test_unseen_loc`, and sometimes
`train_loc`, `val_loc` and `allclasses_names`. Labels and locations count from 1. Without `test_seen_loc` (the "standard split") it
is plain zero-shot learning. A class without a name is called by its id, which counts from 0.
"""

from pathlib import Path

import numpy as np

from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.data.matfile import read_variables, sha256
from d3gzsl_jax.data.semantics import as_float32
from d3gzsl_jax.errors import UserError

URL = "https://datasets.d2.mpi-inf.mpg.de/xian/xlsa17.zip"
ARCHIVE_SIZE = "about 879 MB"
ROLE_KEYS = {"trainval": "trainval_loc", "test_seen": "test_seen_loc", "test_unseen": "test_unseen_loc"}
EXTRA_KEYS = {"train": "train_loc", "val": "val_loc"}


def read_xlsa17(root: str | Path, name: str, feature_file: str = "res101.mat", semantics: str = "att") -> GZSLData:
    """Reads one benchmark folder. It only reads; `validate` checks.

    Args:
        root: the folder of the two files.
        name: dataset name, for messages and results.
        feature_file: name of the feature file within `root`.
        semantics: 'att' or 'sent': which split file.

    Raises:
        UserError: a file or a variable is missing, or a file is not a MATLAB file.
    """
    root = Path(root)
    features_path, splits_path = root / feature_file, root / f"{semantics}_splits.mat"
    missing = [path for path in (features_path, splits_path) if not path.is_file()]
    if missing:
        raise UserError(missing_files_message(name, root, (features_path, splits_path), missing))
    arrays = read_variables(features_path, ("features", "labels"))
    splits = read_variables(splits_path, ("att", "allclasses_names", *ROLE_KEYS.values(), *EXTRA_KEYS.values()))
    splits.setdefault("test_seen_loc", np.zeros(0, np.int64))
    for path, found, needed in (
        (features_path, arrays, ("features", "labels")),
        (splits_path, splits, ("att", *ROLE_KEYS.values())),
    ):
        for key in needed:
            if key not in found:
                held = ", ".join(sorted(found)) or "none of those needed"
                raise UserError(f"{path}: variable {key!r} is missing; it holds {held}")
    for path, key, array in ((features_path, "features", arrays["features"]), (splits_path, "att", splits["att"])):
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiu":
            shape = f"{getattr(array, 'dtype', type(array).__name__)} of shape {getattr(array, 'shape', '?')}"
            raise UserError(f"{path}: {key!r}: need a matrix of numbers, found {shape}")
    attributes = splits["att"]
    class_count = attributes.shape[-1]
    names = splits.get("allclasses_names")
    return GZSLData(
        name=name,
        features=np.ascontiguousarray(arrays["features"].T),
        labels=_numbers(arrays["labels"], features_path, "labels"),
        semantics=as_float32(attributes.T),
        class_names=tuple(map(str, names.ravel())) if names is not None else tuple(f"class {c}" for c in range(class_count)),
        **{role: _numbers(splits[key], splits_path, key) for role, key in ROLE_KEYS.items()},
        extra_roles={role: _numbers(splits[key], splits_path, key) for role, key in EXTRA_KEYS.items() if key in splits},
        provenance={
            "source": "mat",
            "feature_file": features_path.name,
            "semantics": semantics,
            "sha256": {path.name: sha256(path) for path in (features_path, splits_path)},
        },
        keys={
            "features": f"{features_path}: 'features'",
            "labels": f"{features_path}: 'labels'",
            "semantics": f"{splits_path}: 'att'",
            "class_names": f"{splits_path}: 'allclasses_names'",
            **{role: f"{splits_path}: {key!r}" for role, key in ROLE_KEYS.items()},
        },
        first=1,
    )


def _numbers(array: np.ndarray, path: Path, key: str) -> np.ndarray:
    """A 1-based vector of whole numbers as 0-based int64 (n,)."""
    flat = np.atleast_1d(np.asarray(array)).ravel()
    if flat.dtype.kind == "f":
        odd = ~np.isfinite(flat) | (flat != np.round(flat))
        if odd.any():
            index = int(np.argmax(odd))
            raise UserError(f"{path}: {key!r}: entry {index + 1} is {flat[index]}; need whole numbers from 1")
    elif flat.dtype.kind not in "iu":
        raise UserError(f"{path}: {key!r}: need whole numbers from 1, found {flat.dtype}")
    return flat.astype(np.int64) - 1


def missing_files_message(name: str, root: Path, expected: tuple[Path, ...], missing: list[Path]) -> str:
    """One line: what is missing, what was expected where, where to get it, and the command."""
    sent = any(path.name.startswith("sent_") for path in missing)
    elsewhere = (
        " (sentence vectors and FLO are not in that archive: they circulate with the code of CE-GZSL and f-CLSWGAN)"
        if sent or name.upper() == "FLO"
        else ""
    )
    return (
        f"{name}: not found: {', '.join(str(path) for path in missing)}; expected {' and '.join(str(path) for path in expected)}. "
        f"Get {URL} ({ARCHIVE_SIZE}){elsewhere}: mkdir -p data && curl -o data/xlsa17.zip {URL} && "
        f"unzip -d data data/xlsa17.zip; or point --config.data.root at the folder (now {root}) and "
        "--config.data.feature_file at the file; without any download: --config=configs/digits.py"
    )
