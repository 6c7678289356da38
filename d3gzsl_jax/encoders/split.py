"""Which classes are seen and which rows are for training: drawn for pictures of the user's own."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from d3gzsl_jax.data.formats.class_files import parse_class_list
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import listed


class Split(NamedTuple):
    """Row numbers, ascending, and `unseen`, ids of the classes without training rows."""

    trainval: np.ndarray
    test_seen: np.ndarray
    test_unseen: np.ndarray
    unseen: np.ndarray


def drawn_split(
    labels: np.ndarray, names: Sequence[str], holdout: float = 0.2, unseen: str = "", unseen_share: float = 0.0, seed: int = 0
) -> Split:
    """Classes without rows are unseen; so are those held out by name or by lot, whose rows are then for testing.

    Which rows of a class are held out hangs on seed, name and number of rows alone, not on the other classes.

    Args:
        labels: (N,) class ids.
        names: of the C classes.
        holdout: share of each seen class's rows that become test_seen; of two rows or more at least one, and one at least is left
            to train with. 0 for none.
        unseen: classes held out, as '3,zebra'; where classes are called by numbers these are meant, and '+3' is the id.
        unseen_share: share of the classes with rows that is held out, drawn; at least one. 0 for none.
        seed: of what is drawn.

    Raises:
        UserError: no such class, or fewer than two seen classes are left.
    """
    with_rows = np.unique(labels)
    held_out = np.zeros(0, np.int64)
    if unseen:
        held_out = parse_class_list(unseen, names, None, None, "--unseen", by_name=True).astype(np.int64)
    elif unseen_share:
        count = max(1, round(unseen_share * len(with_rows)))
        held_out = np.random.default_rng([seed, *b"classes"]).permutation(with_rows)[:count]
    seen = np.setdiff1d(with_rows, held_out)
    if len(seen) < 2:
        left = f" ({listed(names[label] for label in seen)})" if seen.size else ""
        raise UserError(
            f"{len(seen)} classes have pictures to train with{left}, at least 2 are needed; give pictures of more classes"
            + (", or hold out fewer" if held_out.size else "")
        )
    trainval, test_seen = [], []
    for label in seen:
        rows = np.random.default_rng([seed, *names[label].encode()]).permutation(np.flatnonzero(labels == label))
        count = min(len(rows) - 1, max(1, round(holdout * len(rows)))) if holdout else 0
        test_seen.append(rows[:count])
        trainval.append(rows[count:])
    return Split(
        np.sort(np.concatenate(trainval)).astype(np.int64),
        np.sort(np.concatenate(test_seen)).astype(np.int64),
        np.flatnonzero(np.isin(labels, held_out)).astype(np.int64),
        np.setdiff1d(np.arange(len(names)), seen).astype(np.int64),
    )
