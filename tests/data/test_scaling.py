"""Scaling: rows of any width give the same bits, in training and later, and what float32 cannot hold is refused or warned of."""

import dataclasses
import json
import warnings

import ml_dtypes
import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.formats.feature_files import chunks, open_features
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.scaling import Scaling, check_scaled, scale_splits
from d3gzsl_jax.data.stress import OFF, stress
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from tests import small

WIDTHS = [np.float16, np.float32, np.float64, np.longdouble, ">f4", ">f8", np.uint8, np.int16, np.uint64, ml_dtypes.bfloat16]


@pytest.fixture(autouse=True)
def no_warnings():
    """None of numpy's warnings reaches the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def with_features(features):
    return dataclasses.replace(read_digits(), features=features)


def scaled(features):
    return scale_splits(validate(with_features(features)))


@pytest.mark.parametrize("width", WIDTHS, ids=str)
@pytest.mark.parametrize("offset", [0, 100])
def test_every_width_is_scaled_alike(width, offset):
    # Whole numbers up to 116 are exact in every one of these types.
    expected, found = scaled(read_digits().features.astype(np.float64) + offset), scaled((read_digits().features + offset).astype(width))
    for name in ("train_features", "test_seen_features", "test_unseen_features"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)
        if offset or width not in (np.float32, ">f4", ml_dtypes.bfloat16):
            np.testing.assert_array_equal(one, other)


def test_float32_features_keep_the_bits_they_always_had():
    data = read_digits()
    found = scale_splits(data)
    np.testing.assert_array_equal(found.train_features, MinMaxScaler().fit_transform(data.features[data.trainval]))
    assert found.scaling.scale.dtype == np.float32


def test_float32_is_left_where_it_would_lose_digits(rng):
    raw = rng.uniform(0, 1, (1797, 64)).astype(np.float32)
    for far in (raw + np.float32(1000), raw * np.float32(1e-9)):
        found = scaled(far)
        assert found.scaling.scale.dtype == np.float64
        np.testing.assert_array_equal(found.train_features, scaled(far.astype(np.float64)).train_features)


@pytest.mark.parametrize("trained_on", [np.float16, np.float32, np.float64])
def test_a_row_has_the_same_bits_whatever_it_comes_in_and_after_saving(trained_on, tmp_path, rng):
    raw = rng.normal(300, 4, (1797, 64)).astype(trained_on)
    fitted = scaled(raw).scaling
    loaded = Scaling.from_notes(json.loads(json.dumps(fitted.notes())))
    earlier = Scaling.from_notes({key: value for key, value in fitted.notes().items() if key != "arithmetic"})
    rows = raw[:50]
    for width in (trained_on, np.float64, ">f8", np.longdouble):
        np.save(tmp_path / "rows.npy", rows.astype(width))
        read = np.concatenate(list(chunks(open_features(tmp_path / "rows.npy", 64), 7)))
        for scaling in (fitted, loaded, earlier):
            assert scaling.scale.dtype == fitted.scale.dtype
            np.testing.assert_array_equal(scaling.apply(read), fitted.apply(rows))
    np.testing.assert_allclose(fitted.invert(fitted.apply(rows)), rows.astype(np.float32), rtol=1e-6)


def refused(message, data):
    with pytest.raises(UserError, match=message) as caught:
        validate(data)
    assert "\n" not in str(caught.value)


def test_a_range_that_float32_cannot_hold(data):
    for dtype in (np.float32, np.float64):
        features = data.features.astype(dtype)
        features[data.trainval[:2], 4] = -3e38, 3e38
        refused(r"'features': dimension 5 goes from -3e\+38 to 3e\+38 over .*trainval_loc.*float32 cannot hold", dataclasses.replace(data, features=features))


@pytest.mark.parametrize("role", ["test_seen", "test_unseen"])
@pytest.mark.parametrize("value", [1e38, -1e38, 1e20])
def test_a_test_row_far_beyond_all_training_rows(data, role, value):
    features, row = data.features.copy(), getattr(data, role)[1]
    features[row, 4] = value
    refused(rf"'features': row {row + 1} of .*'{role}_loc' has .* in dimension 6|'features': row {row + 1} of .* in dimension 5", dataclasses.replace(data, features=features))


def test_values_beyond_float32_and_ranges_of_next_to_nothing(data):
    features = data.features.copy()
    features[3, 2] = -1e300
    refused(r"'features': row 4 has -1e\+300, more than float32 holds, in dimension 3", dataclasses.replace(data, features=features))
    refused(r"no dimension varies by more than .* multiply", dataclasses.replace(data, features=data.features * 1e-17))
    long = data.features.astype(np.longdouble)
    long[3, 2] = np.finfo(np.longdouble).max
    refused(r"row 4 has inf", dataclasses.replace(data, features=long))
    refused(r"'features': need a 2-D array of numbers, found complex128", dataclasses.replace(data, features=data.features * 1j))


def test_labels_that_are_none(data):
    for labels in (np.full(60, None), np.full(60, np.nan), None):
        refused(r"'labels': ", dataclasses.replace(data, labels=labels))


def test_large_features_work(data):
    """Squares of these leave float32."""
    large = validate(dataclasses.replace(data, features=(data.features * 1e30).astype(np.float32)))
    assert np.isfinite(scale_splits(large).train_features).all()
    noisy = stress(large, OFF | {"seed": 0, "feature_noise": 0.5})
    assert np.isfinite(validate(noisy).features).all()


def test_scaled_rows_of_a_prediction_are_checked():
    rows = np.zeros((4, 3), np.float32)
    check_scaled(rows, "x.npy")
    for value in (1e20, -np.inf, np.nan):
        rows[2, 1] = value
        with pytest.raises(UserError, match=r"x.npy: row 12 .* in dimension 1"):
            check_scaled(rows, "x.npy", 10)


@pytest.fixture
def data(mat_folder):
    return validate(read_xlsa17(mat_folder, "CUB"))


def test_one_row_a_class_and_a_constant_dimension(tmp_path):
    arrays = small.mat_arrays()
    arrays["res101"]["features"][3] = 7.0
    rows = np.array([2, 12, 22, 32])[:, None]
    small.write_mat_folder(tmp_path, res101={"features": arrays["res101"]["features"]}, att_splits={"trainval_loc": rows})
    found = scale_splits(validate(read_xlsa17(tmp_path, "CUB")))
    assert np.all(found.train_features[:, 3] == 0) and found.train_features.max() == 1.0
