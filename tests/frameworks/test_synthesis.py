"""Rows are made in parts as large as what a row of the method needs allows."""

import jax
import numpy as np
import pytest

from d3gzsl_jax.frameworks import synthesis
from tests import small


@pytest.mark.parametrize(("framework", "numbers"), [("wgan", 6 + 20 + 30), ("cadavae", 1 + 19 + 30)])
def test_parts_are_sized_by_the_hidden_layer_of_the_method(framework, numbers, monkeypatch):
    """noise, hidden, dx of a row: four classes of 1000 rows fit, by one number more a row they would not."""
    problem, count = small.problem(framework=framework), 1000
    found = problem.objective.framework
    assert found.hidden_per_row == (20 if framework == "wgan" else 19)
    monkeypatch.setattr(synthesis, "_PART_BYTES", 4 * count * numbers * 4)
    semantics, labels = problem.constants.classes.semantics, np.arange(12)
    given = found, problem.state.params, jax.random.key(0), semantics, labels, count
    parts = list(synthesis.parts_of_classes(*given))
    assert [len(part) for part in parts] == [4 * count] * 3
    np.testing.assert_array_equal(np.concatenate(parts), synthesis.synthesize(*given))
