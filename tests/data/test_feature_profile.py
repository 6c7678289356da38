"""What features look like, in numbers."""

import dataclasses
import json

import ml_dtypes
import numpy as np
import pytest

from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.feature_profile import profile
from tools.simulated.feature_kinds import KINDS, simulate


def test_the_numbers(rng):
    rows = rng.normal(size=(9000, 6)).astype(np.float32)
    rows[:, 2] = 0
    found = profile(rows)
    wide = rows.astype(np.float64)
    assert found.dtype == "float32"
    assert found.zeros == pytest.approx((rows == 0).mean()) and found.negatives == pytest.approx((rows < 0).mean())
    assert found.norm == pytest.approx(np.linalg.norm(wide, axis=1).mean())
    assert (found.low, found.high) == (rows.min(), rows.max())
    varying = [0, 1, 3, 4, 5]
    low, high = wide.min(axis=0)[varying], wide.max(axis=0)[varying]
    assert found.middle == pytest.approx(((wide.mean(axis=0)[varying] - low) / (high - low)).mean())
    assert json.loads(json.dumps(found.content())) == dataclasses.asdict(found)


@pytest.mark.parametrize("width", [np.float16, np.float64, np.uint8, ml_dtypes.bfloat16], ids=str)
def test_it_does_not_depend_on_the_width(width):
    rows = read_digits().features
    found = dataclasses.replace(profile(rows.astype(width)), dtype="float32")
    assert found == profile(rows)


def test_rows_that_are_all_alike():
    found = profile(np.ones((3, 2), np.float32))
    assert found.middle == 0.0 and not found.is_dense


def test_an_affine_map_of_each_dimension_changes_nothing_but_sides(rng):
    """As min-max scaling undoes it: sparse features stay so, standardised."""
    rows = np.maximum(rng.normal(size=(4000, 8)) - 1, 0)
    found, standardised = profile(rows), profile((rows - rows.mean(axis=0)) / rows.std(axis=0))
    assert found.middle == pytest.approx(standardised.middle)
    assert not found.is_dense and not standardised.is_dense and standardised.is_two_sided


def test_what_is_dense():
    features = read_digits().features
    assert not profile(features).is_dense and profile(16 - features).is_dense
    dense = {kind: profile(simulate(kind, features=32).features).is_dense for kind in KINDS}
    assert dense == {"relu": False, "clip": True, "logits": True, "vit": True}
