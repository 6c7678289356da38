"""Validation splits inside trainval: some seen classes held out as pseudo-unseen ones, and some rows of the other seen classes.

A fold is a benchmark of its own, made of trainval rows alone: no test row, no unseen class and none of the `val_loc` that split
files ship (which holds test-seen rows, see data/leaks.py) is in it. Whatever is chosen on folds has not seen the test set.
"""

import dataclasses

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError


def folds(data: GZSLData, count: int, seed: int, classes: float, rows: float) -> list[GZSLData]:
    """Validation benchmarks inside the trainval rows of `data`.

    The seen classes are shuffled by `seed`, and each fold holds out the next of them. Where fewer are left than a fold needs, it
    takes these, and the first others of another shuffle, from which later folds go on: so every class is held out once before any
    is twice, and so on.

    Args:
        data: validated.
        count: how many, at least 1.
        seed: of the draws.
        classes: share of the seen classes that are pseudo-unseen in a fold, in (0, 1); at least one is.
        rows: share of the rows of the other seen classes that are pseudo test-seen, in (0, 1).

    Raises:
        UserError: too few seen classes.
    """
    seen = data.seen_classes
    held = held_out_of(len(seen), classes)
    if len(seen) - held < 2:
        raise UserError(
            f"config.eval.fold_classes={classes:g}: holds out {held} of the {len(seen)} seen classes of {data.name}; at least "
            "2 must stay"
        )
    rng, order, found = np.random.default_rng(seed), np.zeros(0, np.int64), []
    for index in range(count):
        out, order = order[:held], order[held:]
        if len(out) < held:
            shuffled = rng.permutation(seen)
            others = shuffled[~np.isin(shuffled, out)][: held - len(out)]
            out, order = np.concatenate([out, others]), shuffled[~np.isin(shuffled, others)]
        found.append(hold_out(data, out, rows, seed=int(rng.integers(2**32)), name=f"{data.name}, fold {index}"))
    return found


def held_out_of(seen: int, share: float) -> int:
    """How many of `seen` classes a fold holds out that is to hold out a `share` of them."""
    return max(round(share * seen), 1)


def hold_out(data: GZSLData, held_out: np.ndarray, rows: float, seed: int, name: str = "") -> GZSLData:
    """The benchmark inside trainval in which the seen classes `held_out` are unseen; classes are numbered anew in their order.

    Args:
        data: validated.
        held_out: original ids of seen classes.
        rows: share of the rows of the other seen classes that are pseudo test-seen (drawn over all of them by `seed`; a class
            whose rows all were keeps one).
    """
    classes = data.seen_classes
    labels = np.searchsorted(classes, data.labels[data.trainval]).astype(np.int64)
    unseen = np.searchsorted(classes, np.sort(held_out))
    known = np.flatnonzero(~np.isin(labels, unseen))
    order = np.random.default_rng(seed).permutation(known)
    # The last row of each class in this order stays in training, whatever the share.
    last = len(order) - 1 - np.unique(labels[order][::-1], return_index=True)[1]
    free = np.setdiff1d(np.arange(int(rows * len(known))), last)
    test_seen = np.sort(order[free])
    return validate(
        dataclasses.replace(
            data,
            name=name or data.name,
            features=data.features[data.trainval],
            representations=data.representations_of(data.trainval),
            row_names=None if data.row_names is None else data.row_names[data.trainval],
            descriptions=None if data.descriptions is None else tuple(data.descriptions[c] for c in classes),
            labels=labels,
            semantics=data.semantics[classes],
            class_names=tuple(data.class_names[c] for c in classes),
            trainval=np.setdiff1d(known, test_seen),
            test_seen=test_seen,
            test_unseen=np.flatnonzero(np.isin(labels, unseen)),
            extra_roles={},
            declared_unseen=unseen,
            file_rows=data.trainval if data.file_rows is None else data.file_rows[data.trainval],
            file_classes=classes if data.file_classes is None else data.file_classes[classes],
        )
    )
