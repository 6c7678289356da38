"""Features and representations of files that are read side by side."""

import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.predict_file import _pairs


@pytest.mark.parametrize(("rows", "further", "end"), [((4, 4), (4,), 4), ((4,), (4, 2), 4), ((4, 3), (4, 1), 5)])
def test_a_file_that_ends_before_the_other_is_refused(rows, further, end):
    blocks, others = ((np.zeros((count, 2)) for count in counts) for counts in (rows, further))
    with pytest.raises(UserError, match=f"x.csv and its representations: one of them ends at row {end}, and the other does not"):
        list(_pairs("x.csv", blocks, others))


def test_files_of_equal_length_go_together():
    blocks, others = ([np.zeros((count, size)) for count in (4, 2)] for size in (3, 5))
    assert [(len(one), other.shape[1]) for one, other in _pairs("x.csv", iter(blocks), iter(others))] == [(4, 5), (2, 5)]
