"""Scaling other than min-max: against scikit-learn and numpy, there and back, in any width, and as models keep it."""

import dataclasses
import json

import ml_dtypes
import msgspec
import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler, normalize

from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.scaling import KINDS, Scaling, scale_splits, scaled_rows
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.runs import file_schemas

ORACLES = {
    "minmax": lambda rows: MinMaxScaler().fit_transform(rows), "standard": lambda rows: StandardScaler().fit_transform(rows),
    "unit": normalize, "none": lambda rows: rows,
}  # fmt: skip


@pytest.fixture
def raw(rng):
    """Two-sided rows of unlike spread; a constant dimension, and one of zeros."""
    rows = rng.normal(3, 5, (5000, 7)) * np.array([1, 1e-3, 100, 1, 1, 1, 1])
    rows[:, 4], rows[:, 5] = 0.1, 0.0
    return rows


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [np.float32, np.float64])
def test_as_scikit_learn_does(kind, width, raw):
    rows = raw.astype(width)
    scaling = Scaling.fit(rows, kind)
    found = scaling.apply(rows)
    assert found.dtype == np.float32 and scaling.kind == kind
    np.testing.assert_allclose(found, ORACLES[kind](rows.astype(np.float64)), rtol=2e-6, atol=2e-6)


def test_standard_has_mean_0_and_deviation_1_and_constant_dimensions_0(raw):
    found = Scaling.fit(raw, "standard").apply(raw).astype(np.float64)
    varying = [0, 1, 2, 3, 6]
    np.testing.assert_allclose(found[:, varying].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found[:, varying].std(axis=0), 1, atol=1e-6)
    np.testing.assert_array_equal(found[:, [4, 5]], 0)  # to the bit, whatever the rounding of a mean


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind, raw):
    scaling = Scaling.fit(raw, kind)
    back = scaling.invert(scaling.apply(raw))
    assert back.dtype == np.float32
    if kind == "unit":  # how long a row was is lost: all become as long as rows are on average
        lengths = np.linalg.norm(raw, axis=1)
        np.testing.assert_allclose(back, raw / lengths[:, None] * lengths.mean(), rtol=1e-5, atol=1e-5)
    else:
        assert (np.abs(back - raw) <= 1e-6 * np.ptp(raw, axis=0) + 1e-6).all()


def test_synthesized_rows_of_unit_scaling_have_the_lengths_they_have(rng):
    raw = rng.normal(size=(50, 4))
    scaling = Scaling.fit(raw, "unit")
    rows = rng.normal(size=(5, 4)).astype(np.float32)
    mean = np.linalg.norm(raw, axis=1).mean()
    np.testing.assert_allclose(np.linalg.norm(scaling.invert(rows), axis=1), np.linalg.norm(rows, axis=1) * mean, rtol=1e-5)
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(Scaling.fit(unit, "unit").invert(rows), rows, rtol=1e-6)  # as they are, where all are unit vectors


def test_a_row_of_zeros_stays_one():
    rows = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    found = Scaling.fit(rows, "unit")
    np.testing.assert_allclose(found.apply(rows), [[0, 0], [0.6, 0.8]], rtol=1e-6)
    nothing = Scaling.fit(rows * 0, "unit")
    assert np.isfinite(nothing.invert(nothing.apply(rows))).all()


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_lengths_beyond_what_squares_hold(factor):
    rows = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32) * np.float32(factor)
    np.testing.assert_allclose(Scaling.fit(rows, "unit").apply(rows), [[0.6, 0.8], [0, 1]], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [np.float64, np.longdouble, ">f4", np.uint8, np.int16, ml_dtypes.bfloat16], ids=str)
def test_a_row_has_the_same_bits_whatever_it_comes_in_and_after_saving(kind, width):
    rows = read_digits().features  # whole numbers to 16, exact in all of these
    fitted = Scaling.fit(rows, kind)
    notes = json.loads(json.dumps(fitted.notes()))
    msgspec.convert(notes, file_schemas.Scaling)
    loaded = Scaling.from_notes(notes)
    assert (loaded.kind, loaded.length, loaded.top) == (fitted.kind, fitted.length, fitted.top)
    for scaling in (fitted, loaded):
        np.testing.assert_array_equal(scaling.apply(rows.astype(width)), fitted.apply(rows))
        np.testing.assert_array_equal(np.concatenate([scaling.apply(rows[i : i + 7]) for i in range(0, 50, 7)]), fitted.apply(rows[:56]))


def test_notes_of_earlier_versions_are_of_min_max(rng):
    fitted = Scaling.fit(rng.uniform(size=(9, 3)))
    notes = {name: value for name, value in fitted.notes().items() if name not in ("kind", "length")}
    assert Scaling.from_notes(notes).kind == "minmax"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fitted.notes() | {"kind": "robust"}, file_schemas.Scaling)
    with pytest.raises(ValueError, match="unknown scaling 'robust', expected one of minmax, standard, unit, none"):
        Scaling.fit(np.ones((2, 2)), "robust")


@pytest.mark.parametrize("kind", KINDS)
def test_splits_and_representations_are_scaled_alike(kind, rng):
    data = read_digits()
    represented = rng.normal(2, 3, (len(data.labels), 5)).astype(np.float32)
    data = validate(dataclasses.replace(data, representations=represented))
    found = scale_splits(data, represented=True, kind=kind)
    assert found.scaling.kind == found.representation_scaling.kind == kind
    for name, rows in (("train", data.trainval), ("test_seen", data.test_seen), ("test_unseen", data.test_unseen)):
        features, others = data.features[rows], represented[rows]
        expected = scaled_rows(found.scaling, found.representation_scaling, features, others)
        np.testing.assert_array_equal(getattr(found, f"{name}_rows"), expected)
    fitted = Scaling.fit(represented[data.trainval], kind)
    np.testing.assert_array_equal(found.train_rows[:, 64:], fitted.apply(represented[data.trainval]))
