"""The one validator of GZSLData: every message names the file, the key, the row or class, and what to do."""

import dataclasses

import jax
import numpy as np

from d3gzsl_jax.data.benchmark import ROLES, TESTED, GZSLData
from d3gzsl_jax.data.formats.forms import usual_form
from d3gzsl_jax.data.scaling import LARGEST
from d3gzsl_jax.data.semantics import check_semantics
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import same_name_twice

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_LEAST_RANGE = 10 * np.finfo(np.float64).eps  # scikit-learn takes a smaller one for none


def validate(data: GZSLData) -> GZSLData:
    """Returns `data`, if it can be trained and tested on: as it is, but for what `usual_form` changes, and features of types that
    numpy does not know (bfloat16), which become float32, and of long double, which become float64.

    Rows and dimensions in messages count as the files do (from `data.first`); a class is called by its id, from 0, and by what the
    file calls it where that is another number.

    Raises:
        UserError: at the first thing wrong.
    """
    data = usual_form(data)
    _check_kinds(data)
    features = real_numbers(data.features, data.key("features"))
    data = data if features is data.features else dataclasses.replace(data, features=features)
    if data.representations is not None:
        data = dataclasses.replace(data, representations=real_numbers(data.representations, data.key("representations")))
    for role in TESTED:
        rows = getattr(data, role)
        if not rows.size and rows.dtype.kind not in "iu":  # of no rows the type says nothing
            data = dataclasses.replace(data, **{role: np.zeros(0, np.int64)})  # type: ignore[arg-type] # a role
    _check_arrays(data)
    _check_names(data)
    _check_texts(data)
    _check_labels(data)
    for role in ROLES:
        _check_role(data, role)
    _check_overlaps(data)
    _check_classes(data)
    _check_scale(data, "features")
    if data.representations is not None:
        _check_scale(data, "representations")
    return data


def real_numbers(array: np.ndarray, name: str) -> np.ndarray:
    """An array of real numbers of any width as one that numpy computes with alike on every machine.

    Args:
        array: of floats (bfloat16 and the like among them) or whole numbers.
        name: what messages call it.

    Raises:
        UserError: it holds something else.
    """
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            return array.astype(np.float64)
    if array.dtype.kind in "fiu":
        return array
    if jax.dtypes.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32)
    raise UserError(f"{name}: need a 2-D array of numbers, found {_describe(array)}")


def _check_kinds(data: GZSLData) -> None:
    further = () if data.representations is None else ("representations",)
    for field in ("features", "labels", "semantics", *further, *ROLES):
        if not isinstance(array := getattr(data, field), np.ndarray):
            raise UserError(f"{data.key(field)}: need a numpy array, found {type(array).__name__}")


def _check_arrays(data: GZSLData) -> None:
    features, labels, semantics = data.features, data.labels, data.semantics
    if features.ndim != 2:
        raise UserError(f"{data.key('features')}: need a 2-D array of numbers, found {_describe(features)}")
    if semantics.ndim != 2 or semantics.dtype.kind not in "fiu" or semantics.size == 0:
        raise UserError(f"{data.key('semantics')}: need a 2-D array of numbers, found {_describe(semantics)}")
    if labels.ndim != 1 or len(labels) != len(features):
        hint = "; the features look transposed" if len(labels) == features.shape[1] else ""
        raise UserError(
            f"{data.key('labels')}: {labels.size} labels for {len(features)} rows of {data.key('features')}{hint}; "
            "there must be one label per row"
        )
    _check_values(data, "features")
    _check_representations(data)
    check_semantics(data)
    if len(data.class_names) != data.class_count:
        raise UserError(
            f"{data.key('class_names')}: {len(data.class_names)} names for the {data.class_count} classes of "
            f"{data.key('semantics')}; there must be one name per class"
        )


def _check_representations(data: GZSLData) -> None:
    if (found := data.representations) is None:
        return
    if found.ndim != 2:
        raise UserError(f"{data.key('representations')}: need a 2-D array of numbers, found {_describe(found)}")
    if len(found) != len(data.labels):
        hint = "; it looks transposed" if found.shape[1] == len(data.labels) else ""
        raise UserError(
            f"{data.key('representations')}: {len(found)} rows for {len(data.labels)} rows of {data.key('features')}{hint}; there "
            "must be one representation per row"
        )
    _check_values(data, "representations")


def _check_values(data: GZSLData, field: str) -> None:
    """Every value of 'features' or 'representations' is a number that float32 holds."""
    features = getattr(data, field)
    if not features.size:
        return
    with np.errstate(invalid="ignore"):
        if max(float(np.max(features)), -float(np.min(features))) <= _FLOAT32_MAX:  # NaN is not
            return
        bad = ~(np.abs(features) <= _FLOAT32_MAX)
    row = int(np.argmax(bad.any(axis=1)))
    column = int(np.argmax(bad[row]))
    value = features[row, column]
    why = ", more than float32 holds," if np.isfinite(value) else ""
    raise UserError(
        f"{data.key(field)}: row {data.row(row)} has {value}{why} in dimension {column + data.first} "
        f"({int(bad.any(axis=1).sum())} such rows); extract these features again or drop the rows"
    )


def _check_names(data: GZSLData) -> None:
    """Every class has a name of its own, for results and files call it by that."""
    name, names = data.key("class_names"), data.class_names
    remedy = "give every class a name of its own, or leave the names out: classes are then called by their numbers"
    if "" in names:
        raise UserError(f"{name}: class {names.index('')} has no name ({names.count('')} such classes); {remedy}")
    if same := same_name_twice(names):
        first, second = map(data.class_text, same)
        raise UserError(f"{name}: {first} and {second} have one name; {remedy}")


def _check_texts(data: GZSLData) -> None:
    """Names of rows and descriptions of classes are one for each, where there are any."""
    for field, wanted, each in (("row_names", len(data.labels), "row"), ("descriptions", data.class_count, "class")):
        found = getattr(data, field)
        if found is not None and len(found) != wanted:
            raise UserError(f"{data.key(field)}: {len(found)} texts for {wanted}; there must be one for each {each}, or none")


def _how_to_declare(data: GZSLData, classes: np.ndarray) -> str:
    """By what means of its source, for a message."""
    if data.provenance.get("source") not in ("mat", "npz"):
        return ""
    sign = "+" if any(name.isdecimal() for name in data.class_names) else ""  # says that no name is meant
    return f": --config.data.unseen_classes={','.join(f'{sign}{label}' for label in classes) if len(classes) <= 10 else 'unseen'}"


def _check_labels(data: GZSLData) -> None:
    labels = data.labels
    if labels.dtype.kind not in "iu":
        raise UserError(f"{data.key('labels')}: need whole numbers, found {_describe(labels)}")
    if labels.size and labels.min() < 0:
        row = int(np.argmin(labels))
        raise UserError(
            f"{data.key('labels')}: row {data.row(row)} has label {labels[row] + data.first}, but classes count from "
            f"{data.first} here; add {-int(labels.min())} to all labels"
        )
    if labels.size and labels.max() >= data.class_count:
        row = int(np.argmax(labels))
        raise UserError(
            f"{data.key('labels')}: row {data.row(row)} has label {labels[row] + data.first}, but {data.key('semantics')} "
            f"has only {data.class_count} classes; the two files do not belong together, or labels count from the wrong number"
        )


def _check_role(data: GZSLData, role: str) -> None:
    rows, name = getattr(data, role), data.key(role)
    if rows.dtype.kind not in "iu":
        raise UserError(f"{name}: need whole row numbers, found {_describe(rows)}")
    if rows.size == 0 and role in TESTED:
        return
    if rows.size == 0:
        raise UserError(f"{name}: holds no rows; there must be some to train on")
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
        raise UserError(f"{name}: row {data.row(row)} is listed {int(counts.max())} times; list every row once")


def _check_overlaps(data: GZSLData) -> None:
    for i, one in enumerate(ROLES):
        for other in ROLES[i + 1 :]:
            shared = np.intersect1d(getattr(data, one), getattr(data, other))
            if shared.size:
                raise UserError(
                    f"{data.key(one)} and {data.key(other)} share {shared.size} rows, the first is row "
                    f"{data.row(shared[0])}; no row may be trained and tested on, or tested twice"
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
                f"{data.key('declared_unseen')}: need class ids from {data.first} to {data.class_count - 1 + data.first}, found "
                f"{declared.min() + data.first} to {declared.max() + data.first}"
            )
        unseen[declared] = True
    both = trained & unseen
    if both.any():
        label = int(np.argmax(both))
        row = int(data.trainval[np.argmax(data.labels[data.trainval] == label)])
        raise UserError(
            f"{data.key('trainval')}: row {data.row(row)} has the unseen {data.class_text(label)}; a class with rows in "
            f"{data.key('test_unseen')} must have no training rows"
        )
    stray = ~trained[data.labels[data.test_seen]]
    if stray.any():
        row = int(data.test_seen[np.argmax(stray)])
        raise UserError(
            f"{data.key('test_seen')}: row {data.row(row)} has {data.class_text(int(data.labels[row]))}, which has no training "
            f"rows; move it to {data.key('test_unseen')}"
        )
    empty = ~trained & ~unseen
    if empty.any() and not len(data.test_unseen):
        raise UserError(
            f"{data.key('test_unseen')}: holds no rows, and {data.class_text(int(np.argmax(empty)))} has none to train on "
            f"({int(empty.sum())} such classes); list its test rows, or, if there is only its semantics, declare it as an unseen "
            f"class{_how_to_declare(data, np.flatnonzero(empty))}"
        )
    if empty.any():
        raise UserError(
            f"{data.key('labels')}: {data.class_text(int(np.argmax(empty)))} has no rows in any split ({int(empty.sum())} such "
            f"classes); drop it, or declare it as an unseen class{_how_to_declare(data, np.flatnonzero(empty))}"
        )
    if not unseen.any():
        raise UserError(
            f"{data.key('test_unseen')}: holds no rows, and every class has training rows: there is no unseen class; give the "
            f"semantics of some in {data.key('semantics')}"
        )
    if len(data.seen_classes) < 2:
        raise UserError(f"{data.key('trainval')}: holds {len(data.seen_classes)} class; at least 2 seen classes are needed")


def _check_scale(data: GZSLData, field: str) -> None:
    """'features' or 'representations' vary, by no more than float32 can compute with."""
    values, name = getattr(data, field), data.key(field)
    if not values.shape[1]:
        raise UserError(f"{name}: has no dimensions (shape {values.shape}); there must be at least one")
    train = values[data.trainval]
    low, high = train.min(axis=0).astype(np.float64), train.max(axis=0).astype(np.float64)
    wide = high - low
    if not (wide > 0).any():
        raise UserError(f"{name}: every dimension is constant over {data.key('trainval')}; these are no features")
    column = int(np.argmax(wide))
    dimension = f"dimension {column + data.first}"
    if wide[column] > _FLOAT32_MAX:
        raise UserError(
            f"{name}: {dimension} goes from {low[column]:.3g} to {high[column]:.3g} over {data.key('trainval')}, a range "
            f"that float32 cannot hold ({int(np.sum(wide > _FLOAT32_MAX))} such dimensions); extract these features again, or "
            "divide them by a number"
        )
    if wide[column] < _LEAST_RANGE:
        raise UserError(
            f"{name}: no dimension varies by more than {wide[column]:.1g} over {data.key('trainval')} ({dimension} does), which is "
            "next to nothing; multiply these features by a number"
        )
    for role in TESTED:
        if not len(rows := getattr(data, role)):
            continue
        tested, own = values[rows], np.where(wide > 0, wide, 1.0)
        away = np.maximum(tested.max(axis=0) - high, low - tested.min(axis=0)) / own
        column = int(np.argmax(away))
        if away[column] > LARGEST:
            row = int(rows[np.argmax(np.abs(tested[:, column] - low[column]))])
            raise UserError(
                f"{name}: row {data.row(row)} of {data.key(role)} has {values[row, column]:.3g} in dimension "
                f"{column + data.first}, {away[column]:.0e} times the range of that dimension over {data.key('trainval')} away, "
                "which float32 cannot compute with; extract it again or drop it"
            )


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"
