"""What of a benchmark's test rows could be learned from its training rows, told plainly; nothing is refused here."""

import numpy as np

from d3gzsl_jax.data.gzsl_data import GZSLData

_TESTED = ("test_seen", "test_unseen")
_PROJECTIONS = 2  # of 64 bits each: rows that agree in both are then compared whole


def find_leaks(data: GZSLData) -> list[str]:
    """One line for each kind of leak, with how many rows and the first of them, as files count them; [] where there is none.

    Looked for are shipped roles (val_loc, train_loc) that hold test rows, rows that are both trained and tested on, training rows
    of unseen classes, and test rows equal to a training row, or, across the two test splits, to each other. `validate` refuses
    the second and the third; this works on data that is not validated.
    """
    found = []
    for role, rows in sorted(data.extra_roles.items()):
        for tested in _TESTED:
            if (shared := np.intersect1d(rows, getattr(data, tested))).size:
                found.append(
                    f"{role}_loc holds {shared.size} rows of {data.key(tested)} (the first is row {_row(data, shared[0])}): it is "
                    "never used here; nothing may be chosen on it"
                )
    for tested in _TESTED:
        if (shared := np.intersect1d(data.trainval, getattr(data, tested))).size:
            found.append(
                f"{data.key('trainval')} and {data.key(tested)} share {shared.size} rows (the first is row "
                f"{_row(data, shared[0])}): they are trained and tested on"
            )
    unseen = np.unique(data.labels[data.test_unseen])
    if data.declared_unseen is not None:
        unseen = np.union1d(unseen, data.declared_unseen)
    trained = data.trainval[np.isin(data.labels[data.trainval], unseen)]
    if trained.size:
        classes = np.unique(data.labels[trained]).size
        found.append(
            f"{data.key('trainval')} has {trained.size} rows of {classes} unseen classes (the first is row "
            f"{_row(data, trained.min())}): these classes are seen in training"
        )
    return found + _duplicates(data)


def _duplicates(data: GZSLData) -> list[str]:
    """Equal feature rows in two splits."""
    groups = _equal_rows(data.features)
    found = []
    for one, other in (("trainval", "test_seen"), ("trainval", "test_unseen"), ("test_seen", "test_unseen")):
        first, second = np.asarray(getattr(data, one)), np.asarray(getattr(data, other))
        second = np.setdiff1d(second, first)  # a row listed twice is another matter
        order = np.argsort(groups[first], kind="stable")
        ids = groups[first][order]
        place = np.searchsorted(ids, groups[second])
        if not ids.size:
            continue
        hit = (place < len(ids)) & (ids[np.minimum(place, len(ids) - 1)] == groups[second])
        if not hit.any():
            continue
        rows, partners = second[hit], first[order][place[hit]]
        other_label = int(np.sum(data.labels[rows] != data.labels[partners]))
        differing = f", {other_label} of them labelled otherwise" if other_label else ""
        found.append(
            f"{rows.size} rows of {data.key(other)} are copies of rows of {data.key(one)}{differing} (the first is row "
            f"{_row(data, rows[0])}, equal to row {_row(data, partners[0])})"
        )
    return found


def _equal_rows(features: np.ndarray) -> np.ndarray:
    """A number for each row (n,), the same for rows that are equal to the byte. Memory linear in the rows, and of 16 bytes each:
    rows are hashed to two sums of their bits with random odd multipliers, and those whose sums agree are compared."""
    rows = np.ascontiguousarray(features)
    bits = rows.view(np.uint64) if rows.dtype.itemsize * rows.shape[1] % 8 == 0 else None
    if bits is None:  # an odd number of 4-byte values, and the like: padded
        padded = np.zeros((len(rows), -(-rows.shape[1] * rows.dtype.itemsize // 8) * 8), np.uint8)
        padded[:, : rows.shape[1] * rows.dtype.itemsize] = rows.view(np.uint8).reshape(len(rows), -1)
        bits = padded.view(np.uint64)
    weights = np.random.default_rng(0).integers(2**63, size=(_PROJECTIONS, bits.shape[1]), dtype=np.uint64) * 2 + 1
    with np.errstate(over="ignore"):
        sums = np.stack([(bits * one).sum(axis=1, dtype=np.uint64) for one in weights], axis=1)
    _, group, counts = np.unique(sums, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1).astype(np.int64)
    # 128 random bits do not collide; should they ever, a row that differs from its group's first gets a number of its own.
    candidates = np.flatnonzero(counts[group] > 1)
    firsts = np.full(len(counts), -1)
    firsts[group[candidates][::-1]] = candidates[::-1]
    differs = ~(rows[candidates] == rows[firsts[group[candidates]]]).all(axis=1)
    group[candidates[differs]] = len(counts) + np.arange(int(differs.sum()))
    return group


def _row(data: GZSLData, row: int) -> int:
    return int(row) + data.first
