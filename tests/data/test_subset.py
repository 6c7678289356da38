import dataclasses

import numpy as np
import pytest

from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.subset import leave_out
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError


def test_the_others_keep_their_rows_and_semantics():
    data = read_digits()
    less = validate(leave_out(data, "6,1"))
    assert less.class_names == ("0", "2", "3", "4", "5", "7", "8", "9")
    assert less.seen_classes.tolist() == [0, 1, 3, 4, 5, 6] and less.unseen_classes.tolist() == [2, 7]
    for role in ("trainval", "test_seen", "test_unseen"):
        rows = getattr(data, role)
        kept = rows[~np.isin(data.labels[rows], (1, 6))]
        np.testing.assert_array_equal(less.features[getattr(less, role)], data.features[kept])
        names = [less.class_names[label] for label in less.labels[getattr(less, role)]]
        assert names == [data.class_names[label] for label in data.labels[kept]]
    np.testing.assert_array_equal(less.semantics[7], data.semantics[9])
    assert less.provenance["left_out"] == ["1", "6"] and less.name == "digits-without-1-6"
    with pytest.raises(UserError, match="zebra"):
        leave_out(data, "zebra")


def test_rows_that_are_none_go_from_the_roles_that_nobody_checks():
    """A number beyond the data ended in an IndexError, and -1 was the last row."""
    data = dataclasses.replace(read_digits(), extra_roles={"val": np.array([2, -1, 0, 5000]), "train": np.array([0.5])})
    less = leave_out(data, "9")
    assert less.extra_roles["val"].tolist() == [int(np.sum(data.labels[:row] != 9)) for row in (2, 0)]
    assert less.extra_roles["train"].size == 0
