"""The one validator of GZSLData: every message names the file, the key, the row or class, and what to do."""

from collections.abc import Callable

import numpy as np

from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.errors import UserError

ROLES = ("trainval", "test_seen", "test_unseen")


def validate(data: GZSLData) -> GZSLData:
    """Returns `data` as it is, if it can be trained and tested on.

    Row and class numbers in messages count as the files do (from `data.first`).

    Raises:
        UserError: at the first thing wrong.
    """
    _check_arrays(data)
    _check_labels(data)
    for role in ROLES:
        _check_role(data, role)
    _check_overlaps(data)
    _check_classes(data)
    _check_scale(data)
    return data


def _check_arrays(data: GZSLData) -> None:
    features, labels, semantics = data.features, data.labels, data.semantics
    if features.ndim != 2 or features.dtype.kind not in "fiu":
        raise UserError(f"{data.key('features')}: need a 2-D array of numbers, found {_describe(features)}")
    if semantics.ndim != 2 or semantics.dtype.kind not in "fiu" or semantics.size == 0:
        raise UserError(f"{data.key('semantics')}: need a 2-D array of numbers, found {_describe(semantics)}")
    if labels.ndim != 1 or len(labels) != len(features):
        hint = "; the features look transposed" if len(labels) == features.shape[1] else ""
        raise UserError(
            f"{data.key('labels')}: {labels.size} labels for {len(features)} rows of {data.key('features')}{hint}; "
            "there must be one label per row"
        )
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        column = int(np.argmax(~np.isfinite(features[row])))
        raise UserError(
            f"{data.key('features')}: row {row + data.first} has {features[row, column]} in dimension {column + data.first} "
            f"({int(bad.sum())} such rows); extract these features again or drop the rows"
        )
    bad = ~np.isfinite(semantics).all(axis=1)
    if bad.any():
        raise UserError(f"{data.key('semantics')}: {_class(data, int(np.argmax(bad)))} has a value that is not finite; repair it")
    if len(data.class_names) != data.class_count:
        raise UserError(
            f"{data.key('class_names')}: {len(data.class_names)} names for the {data.class_count} classes of "
            f"{data.key('semantics')}; there must be one name per class"
        )


def _check_labels(data: GZSLData) -> None:
    labels = data.labels
    if labels.dtype.kind not in "iu":
        raise UserError(f"{data.key('labels')}: need whole numbers, found {_describe(labels)}")
    if labels.size and labels.min() < 0:
        row = int(np.argmin(labels))
        raise UserError(
            f"{data.key('labels')}: row {row + data.first} has label {labels[row] + data.first}, but classes count from "
            f"{data.first} here; add {-int(labels.min())} to all labels"
        )
    if labels.size and labels.max() >= data.class_count:
        row = int(np.argmax(labels))
        raise UserError(
            f"{data.key('labels')}: row {row + data.first} has label {labels[row] + data.first}, but {data.key('semantics')} "
            f"has only {data.class_count} classes; the two files do not belong together, or labels count from the wrong number"
        )


def _check_role(data: GZSLData, role: str) -> None:
    rows, name = getattr(data, role), data.key(role)
    if rows.dtype.kind not in "iu":
        raise UserError(f"{name}: need whole row numbers, found {_describe(rows)}")
    if rows.size == 0:
        raise UserError(f"{name}: holds no rows; GZSL needs rows in {', '.join(ROLES)}")
    total = len(data.features)
    for index in (int(np.argmin(rows)), int(np.argmax(rows))):
        if not 0 <= rows[index] < total:
            raise UserError(
                f"{name}: entry {index + data.first} is row {rows[index] + data.first}, but rows go from {data.first} to "
                f"{total - 1 + data.first} ({data.key('features')}); rows count from {data.first} here"
            )
    unique, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        row = int(unique[np.argmax(counts > 1)])
        raise UserError(f"{name}: row {row + data.first} is listed {int(counts.max())} times; list every row once")


def _check_overlaps(data: GZSLData) -> None:
    for i, one in enumerate(ROLES):
        for other in ROLES[i + 1 :]:
            shared = np.intersect1d(getattr(data, one), getattr(data, other))
            if shared.size:
                raise UserError(
                    f"{data.key(one)} and {data.key(other)} share {shared.size} rows, the first is row "
                    f"{int(shared[0]) + data.first}; no row may be trained and tested on, or tested twice"
                )


def _check_classes(data: GZSLData) -> None:
    trained = np.zeros(data.class_count, bool)
    trained[data.seen_classes] = True
    unseen = np.zeros(data.class_count, bool)
    unseen[data.labels[data.test_unseen]] = True
    if data.declared_unseen is not None:
        declared = np.asarray(data.declared_unseen)
        if declared.size and not (declared.min() >= 0 and declared.max() < data.class_count):
            raise UserError(
                f"{data.key('declared_unseen')}: need class ids from 0 to {data.class_count - 1}, found {declared.min()} to "
                f"{declared.max()}"
            )
        unseen[declared] = True
    both = trained & unseen
    if both.any():
        label = int(np.argmax(both))
        row = int(data.trainval[np.argmax(data.labels[data.trainval] == label)])
        raise UserError(
            f"{data.key('trainval')}: row {row + data.first} has the unseen {_class(data, label)}; a class with rows in "
            f"{data.key('test_unseen')} must have no training rows"
        )
    stray = ~trained[data.labels[data.test_seen]]
    if stray.any():
        row = int(data.test_seen[np.argmax(stray)])
        raise UserError(
            f"{data.key('test_seen')}: row {row + data.first} has {_class(data, int(data.labels[row]))}, which has no training "
            f"rows; move it to {data.key('test_unseen')}"
        )
    empty = ~trained & ~unseen
    if empty.any():
        raise UserError(
            f"{data.key('labels')}: {_class(data, int(np.argmax(empty)))} has no rows in any split ({int(empty.sum())} such "
            "classes); drop it, or declare it as an unseen class"
        )
    if len(data.seen_classes) < 2:
        raise UserError(f"{data.key('trainval')}: holds {len(data.seen_classes)} class; at least 2 seen classes are needed")


def _check_scale(data: GZSLData) -> None:
    train = data.features[data.trainval]
    if not np.any(train.max(axis=0) > train.min(axis=0)):
        raise UserError(f"{data.key('features')}: every dimension is constant over {data.key('trainval')}; these are no features")


def normalize_semantics(data: GZSLData) -> np.ndarray:
    """Semantic vectors (C, da) divided by their L2 norms.

    Raises:
        UserError: a class has an all-zero vector.
    """
    return unit_semantics(data.semantics, lambda label: f"{data.key('semantics')}: {_class(data, label)}")


def unit_semantics(semantics: np.ndarray, name: Callable[[int], str]) -> np.ndarray:
    """Rows (k, da) divided by their L2 norms, float32; `name` says for messages what a row is of.

    Raises:
        UserError: a row is all zero.
    """
    norms = np.linalg.norm(semantics, axis=1, keepdims=True)
    if (norms == 0).any():
        raise UserError(
            f"{name(int(np.argmax(norms == 0)))} has an all-zero vector, which cannot be normalised; set "
            "config.data.normalize_semantics to False"
        )
    return (semantics / norms).astype(np.float32)


def _class(data: GZSLData, label: int) -> str:
    return f"class {label + data.first} ({data.class_names[label]!r})" if label < len(data.class_names) else f"class {label}"


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"
