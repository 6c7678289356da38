"""What of a benchmark's test rows could be learned from its training rows, told plainly; nothing is refused here."""

import itertools

import numpy as np

from d3gzsl_jax.data.benchmark import ROLES, TESTED, GZSLData
from d3gzsl_jax.data.formats.xlsa17 import EXTRA_KEYS

_CHUNK = 4096  # rows compared at a time


def find_leaks(data: GZSLData) -> list[str]:
    """One line for each kind of leak, with how many rows and the first of them, as files count them; [] where there is none.

    Looked for are shipped roles (val_loc, train_loc) that hold test rows, rows that are both trained and tested on, training rows
    of unseen classes (declared so, or with test_unseen rows), and test rows equal to the byte to a training row, or, across the
    two test splits, to each other. A copy is "labelled otherwise" if none of the rows it equals has its label.

    Args:
        data: need not be validated: `validate` refuses the second and the third. A row listed twice counts once, and a row number
            beyond the data, or a list that holds no whole numbers, not at all: to complain of them is `validate`'s.
    """
    rows = {role: np.unique(data.rows_there(getattr(data, role))) for role in ROLES}
    labels = np.ravel(data.labels)
    found = []
    for role, listed in sorted(data.extra_roles.items()):
        for tested in TESTED:
            if (shared := np.intersect1d(data.rows_there(listed), rows[tested])).size:
                found.append(
                    f"{_name(data, role)} holds {shared.size} rows of {data.key(tested)} (the first is row "
                    f"{data.row(shared[0])}): it is never used here; do not train or select on it"
                )
    for tested in TESTED:
        if (shared := np.intersect1d(rows["trainval"], rows[tested])).size:
            found.append(
                f"{data.key('trainval')} and {data.key(tested)} share {shared.size} rows (the first is row "
                f"{data.row(shared[0])}): they are trained and tested on"
            )
    unseen = labels[rows["test_unseen"]]
    if data.declared_unseen is not None:
        unseen = np.union1d(unseen, data.declared_unseen)
    trained = rows["trainval"][np.isin(labels[rows["trainval"]], unseen)]
    if trained.size:
        found.append(
            f"{data.key('trainval')} has {trained.size} rows of {np.unique(labels[trained]).size} unseen classes (the first is row "
            f"{data.row(trained[0])}): these classes are seen in training"
        )
    return found + _duplicates(data, rows, labels)


def _duplicates(data: GZSLData, rows: dict[str, np.ndarray], labels: np.ndarray) -> list[str]:
    """Equal feature rows in two splits."""
    features = data.features
    if features.ndim != 2 or features.dtype.kind not in "fiu" or not features.size or len(features) < len(labels):
        return []  # no features
    groups = _equal_rows(features)[: len(labels)]
    names, kinds = np.unique(labels, return_inverse=True)
    labelled = groups * len(names) + kinds  # the same for equal rows of the same label
    found = []
    for one, other in itertools.combinations(ROLES, 2):
        first, second = rows[one], np.setdiff1d(rows[other], rows[one])  # a row in both is another matter
        copies = second[np.isin(groups[second], groups[first])]
        if not copies.size:
            continue
        partner = first[np.argmax(groups[first] == groups[copies[0]])]
        count = int(np.sum(~np.isin(labelled[copies], labelled[first])))
        differing = f", {count} of them labelled otherwise" if count else ""
        found.append(
            f"{copies.size} rows of {data.key(other)} are copies of rows of {data.key(one)}{differing} (the first is row "
            f"{data.row(copies[0])}, equal to row {data.row(partner)})"
        )
    return found


def _equal_rows(features: np.ndarray) -> np.ndarray:
    """A number for each row, (n,) int64, the same exactly for rows that are equal to the byte.

    Rows are sorted by their bytes without being moved, and neighbours compared: beside the features it takes some 20 bytes a row. A
    hash would not be exact, and sums of bits times random numbers are no hash of rows that differ in few high bits, as signs.
    """
    rows = np.ascontiguousarray(features).view(np.uint8)
    order = np.argsort(rows.view(np.dtype((np.void, rows.shape[1]))).ravel(), kind="stable")
    new = np.ones(len(rows), bool)
    for start in range(1, len(rows), _CHUNK):
        here = rows[order[start - 1 : start + _CHUNK]]
        new[start : start + _CHUNK] = (here[1:] != here[:-1]).any(axis=1)
    group = np.empty(len(rows), np.int64)
    group[order] = np.cumsum(new)
    return group


def _name(data: GZSLData, role: str) -> str:
    """What the files call a shipped role."""
    return data.keys.get(role, EXTRA_KEYS.get(role, role) if data.provenance.get("source") == "mat" else role)
