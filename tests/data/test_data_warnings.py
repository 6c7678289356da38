"""Data that no model could learn from is refused, data that hardly does is warned of, good data neither."""

import dataclasses
import warnings

import numpy as np
import pytest

from d3gzsl_jax.data import data_warnings
from d3gzsl_jax.data.benchmark import class_text
from d3gzsl_jax.data.data_warnings import find_doubts
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.formats.open_npz import read_npz, write_npz
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.load import load
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.data.semantics import unit_semantics
from d3gzsl_jax.data.subset import leave_out
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from tests import small
from tests.data.test_bad_input import config

ATT = small.mat_arrays()["att_splits"]["att"]


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def doubts(data):
    return find_doubts(validate(data), scale_splits(data))


def test_files_of_one_benchmark_under_the_name_of_another(tmp_path):
    small.write_mat_folder(tmp_path)
    data = load("CUB", config(root=tmp_path))
    assert not [line for line in doubts(data) if "that benchmark has" in line]  # a small set that has a benchmark's name
    many = dataclasses.replace(data, semantics=np.eye(50, dtype=np.float32), class_names=tuple(f"class {n}" for n in range(50)))
    line = data_warnings._doubt_on_name(many)[0]
    assert line.startswith("config.dataset=CUB: that benchmark has 200 classes, ") and "has 50, as AWA1, AWA2; " in line
    for name in ("AWA2", "awa1", "own birds"):
        assert data_warnings._doubt_on_name(dataclasses.replace(many, name=name)) == []


def mat(tmp_path, att, **options):
    small.write_mat_folder(tmp_path, att_splits={"att": att})
    return load("CUB", config(root=tmp_path, **options))


@pytest.mark.parametrize("att", [ATT * 0 + 1, ATT * 0, ATT * 1e-39, ATT * 1e-60, np.tile(ATT[:, :1], 6)], ids=["1", "0", "1e-39", "1e-60", "equal"])
def test_semantics_that_are_all_equal(att, tmp_path):
    with pytest.raises(UserError, match=r"'att': .* all 6 classes are equal: each, from class 0 \('bird 1'; 1 in the file\) .* in dimension \d"):
        mat(tmp_path, att)


def test_semantics_that_are_equal_once_normalised(tmp_path):
    att = ATT[:, :1] * np.arange(1, 7)
    mat(tmp_path, att)
    with pytest.raises(UserError, match="all 6 classes are equal after normalisation"):
        mat(tmp_path, att, normalize_semantics=True)


@pytest.mark.parametrize(("value", "told"), [(1e300, "that is not finite as float32, inf"), (1e20, r"too large for float32 networks, 1\.0+")])
def test_semantics_too_large(value, told, tmp_path):
    att = ATT.copy()
    att[3, 2] = value
    with pytest.raises(UserError, match=rf"class 2 \('bird 3'; 3 in the file\) has a value {told}.* in dimension 4"):
        mat(tmp_path, att)


def test_two_classes_that_nothing_tells_apart(tmp_path):
    att = ATT.copy()
    att[:, 5] = att[:, 4]
    (found,) = doubts(mat(tmp_path, att))[-1:]
    assert "class 4 ('bird 5'; 5 in the file) and class 5 ('bird 6'; 6 in the file) are equal in every dimension" in found
    att[:, 5] = att[:, 0] + 1e-9  # of a seen class, and told apart in float64 only
    assert "class 0 ('bird 1'; 1 in the file) and class 5" in doubts(mat(tmp_path, att))[-1]
    att[:, 5] = 3 * att[:, 4]
    assert not any("equal" in line for line in doubts(mat(tmp_path, att)))
    assert "class 4 ('bird 5'; 5 in the file) and class 5" in doubts(mat(tmp_path, att, normalize_semantics=True))[-1]


def test_vectors_of_zeros_and_vectors_that_hardly_differ(tmp_path):
    att = ATT.copy()
    att[:, 2] = 0
    assert "class 2 ('bird 3'; 3 in the file) is zero" in doubts(mat(tmp_path, att))[-1]
    assert "differ by at most 8e-11" in doubts(mat(tmp_path, ATT * 1e-10))[-1]


def test_norms_whose_squares_leave_float32():
    rows = np.array([[3.0, 4.0], [3e-30, 4e-30], [3e30, 4e30], [3e-44, 4e-44]], np.float32)
    np.testing.assert_allclose(unit_semantics(rows, str)[:3], np.tile([0.6, 0.8], (3, 1)).astype(np.float32), rtol=1e-6)
    assert np.isfinite(unit_semantics(rows, str)).all()
    with pytest.raises(UserError, match=r"^1 has an all-zero vector"):
        unit_semantics(np.array([[1.0, 0.0], [0.0, 0.0]], np.float32), str)


def test_features_that_are_dense_and_two_sided(rng):
    digits = read_digits()
    assert doubts(digits) == []
    shape = digits.features.shape
    assert doubts(dataclasses.replace(digits, features=np.maximum(rng.normal(size=shape), 0))) == []
    centres = rng.normal(size=(10, 64))[digits.labels]
    for features in (16 - digits.features, centres + 0.7 * rng.normal(size=shape), np.tanh(rng.normal(size=shape)), rng.uniform(-1, 1, shape)):
        (found,) = doubts(dataclasses.replace(digits, features=features))
        assert found.startswith("features: ") and "dense" in found and "ReLU" in found


def test_the_number_of_a_class_is_its_id_and_the_files():
    assert class_text(2, ("a", "b", "c"), 3) == "class 2 ('c'; 3 in the file)"
    assert class_text(2, ("a", "b", "c"), 2) == class_text(2, ("a", "b", "c")) == "class 2 ('c')"
    assert class_text(1, ("class 0", "class 1"), 2) == "class 1 (2 in the file)"
    assert class_text(7, ("a",)) == "class 7"


def test_numbers_of_the_file_survive_leaving_out(tmp_path):
    small.write_mat_folder(tmp_path)
    left = leave_out(validate(read_xlsa17(tmp_path, "CUB")), "2,bird 1")
    assert left.class_text(1) == "class 1 ('bird 4'; 4 in the file)"
    row = int(np.flatnonzero(left.labels == 1)[0])
    assert left.row(row) == 31  # the fourth class has rows 31 to 40 of the file


def test_an_id_of_a_message_leaves_that_class_out(tmp_path):
    att = ATT.copy()
    att[1, 2] = np.nan
    with pytest.raises(UserError, match=r"class 2 \('bird 3'; 3 in the file\)"):
        mat(tmp_path, att)
    small.write_mat_folder(tmp_path)
    assert load("CUB", config(root=tmp_path, leave_out="2")).name == "CUB-without-bird 3"


def test_splits_without_test_rows_of_seen_classes(tmp_path):
    small.write_mat_folder(tmp_path, att_splits={"test_seen_loc": None})
    absent = load("CUB", config(root=tmp_path))
    small.write_mat_folder(tmp_path, att_splits={"test_seen_loc": np.zeros((0, 0))})
    empty = load("CUB", config(root=tmp_path))
    write_npz(tmp_path / "x.npz", absent)
    arrays = dict(np.load(tmp_path / "x.npz"))
    del arrays["test_seen"]
    np.savez(tmp_path / "y.npz", **arrays)
    np.savez(tmp_path / "z.npz", **arrays, test_seen=np.array([]))
    for data in (absent, empty, *(validate(read_npz(tmp_path / f"{name}.npz")) for name in "xyz")):
        assert data.test_seen.shape == (0,) and data.test_seen.dtype == np.int64
        assert "conventional zero-shot learning" in doubts(data)[0]
