"""A benchmark without some of its classes, or with some declared unseen."""

import dataclasses
import itertools

import numpy as np

from d3gzsl_jax.data.benchmark import ROLES, GZSLData
from d3gzsl_jax.data.formats.class_files import parse_class_list


def leave_out(data: GZSLData, classes: str) -> GZSLData:
    """`data` as if the classes had never been in it: without their rows and semantics, the others numbered anew in their order.

    Args:
        data: validated.
        classes: ids and names, '3,zebra', see `parse_class_list`.

    Raises:
        UserError: no such class.
    """
    out = np.isin(np.arange(data.class_count), _ids(data, classes, "leave_out", data.seen_classes, data.unseen_classes))
    names = [name for name, gone in zip(data.class_names, out, strict=True) if gone]
    return dataclasses.replace(
        without_classes(data, out),
        name=f"{data.name}-without-{'-'.join(names) if len(names) <= 3 else f'{len(names)}-classes'}",  # results say so
        provenance=dict(data.provenance) | {"left_out": names},
    )


def declare_unseen(data: GZSLData, classes: str) -> GZSLData:
    """`data` with classes that need have no rows declared as unseen, besides those that its file declares.

    Args:
        data: not yet validated.
        classes: ids and names, '8,zebra', see `parse_class_list`; 'unseen' are all that have no trainval rows.

    Raises:
        UserError: no such class.
    """
    rows = data.trainval[(data.trainval >= 0) & (data.trainval < len(data.labels))]  # the others are refused later
    seen = np.intersect1d(data.labels[rows], np.arange(len(data.class_names)))
    unseen = np.setdiff1d(np.arange(len(data.class_names)), seen)
    declared = _ids(data, classes, "unseen_classes", seen, unseen)
    further = [] if data.declared_unseen is None else [data.declared_unseen]
    return dataclasses.replace(data, declared_unseen=np.unique(np.concatenate([declared, *further])).astype(np.int64))


def _ids(data: GZSLData, classes: str, field: str, seen: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    return parse_class_list(classes, data.class_names, seen, unseen, f"--config.data.{field}")


def without_classes(data: GZSLData, out: np.ndarray) -> GZSLData:
    """`data` without rows and semantics of the classes where `out` (C,) is true, the others numbered anew in their order; of
    `extra_roles` numbers that are no rows go too."""
    kept_rows = np.flatnonzero(~out[data.labels])
    new_row, new_class = np.cumsum(~out[data.labels]) - 1, np.cumsum(~out) - 1
    rows_of = lambda rows: new_row[rows[~out[data.labels[rows]]]]  # noqa: E731
    declared = data.declared_unseen
    of_file = lambda known, kept: kept if known is None else known[kept]  # noqa: E731
    return dataclasses.replace(
        data,
        features=data.features[kept_rows],
        representations=data.representations_of(kept_rows),
        labels=new_class[data.labels[kept_rows]],
        semantics=data.semantics[~out],
        class_names=tuple(name for name, gone in zip(data.class_names, out, strict=True) if not gone),
        **{role: rows_of(getattr(data, role)) for role in ROLES},
        extra_roles={role: rows_of(data.rows_there(rows)) for role, rows in data.extra_roles.items()},
        declared_unseen=None if declared is None else new_class[declared[~out[declared]]],
        file_rows=of_file(data.file_rows, kept_rows),
        file_classes=of_file(data.file_classes, np.flatnonzero(~out)),
        row_names=of_file(data.row_names, kept_rows),
        descriptions=None if data.descriptions is None else tuple(itertools.compress(data.descriptions, ~out)),
    )
