"""Planted leaks are reported, and clean data is not blamed."""

import dataclasses

import numpy as np
import pytest

from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.leaks import _equal_rows, find_leaks
from tests.small import mat_arrays, write_mat_folder


def test_clean_data_has_none(data):
    assert find_leaks(data) == []


def test_a_shipped_validation_split_that_holds_test_rows(tmp_path):
    splits = mat_arrays()["att_splits"]
    val = np.concatenate([splits["trainval_loc"][:5], splits["test_seen_loc"][:3]])
    write_mat_folder(tmp_path / "CUB", att_splits={"val_loc": val, "train_loc": splits["trainval_loc"][5:]})
    (found,) = find_leaks(read_xlsa17(tmp_path / "CUB", "CUB"))
    assert found.startswith("val_loc holds 3 rows of ") and "'test_seen_loc'" in found
    assert f"row {int(splits['test_seen_loc'][0, 0])})" in found


def test_training_rows_of_an_unseen_class(data):
    leaked = dataclasses.replace(data, trainval=np.append(data.trainval, data.test_unseen[:4]))
    found = find_leaks(leaked)
    assert any("share 4 rows" in line for line in found)
    assert any(f"has 4 rows of {len(np.unique(data.labels[data.test_unseen[:4]]))} unseen classes" in line for line in found)


def test_a_declared_unseen_class_in_training(data):
    declared = np.append(data.unseen_classes, data.seen_classes[0])
    (found,) = find_leaks(dataclasses.replace(data, declared_unseen=declared))
    assert f"has {np.sum(data.labels[data.trainval] == data.seen_classes[0])} rows of 1 unseen classes" in found


def test_copies_of_training_rows_among_test_rows(data):
    features = data.features.copy()
    features[data.test_seen[:3]] = features[data.trainval[7]]
    features[data.test_unseen[2]] = features[data.trainval[0]]
    found = find_leaks(dataclasses.replace(data, features=features))
    assert len(found) == 2
    assert found[0].startswith("3 rows of test_seen are copies of rows of trainval")
    assert f"equal to row {data.trainval[7]}" in found[0]
    assert found[1].startswith("1 rows of test_unseen are copies of rows of trainval, 1 of them labelled otherwise")


def test_a_copy_is_labelled_otherwise_only_if_no_training_row_it_equals_has_its_label(data):
    same = data.trainval[data.labels[data.trainval] == data.labels[data.test_seen[0]]][0]
    different = data.trainval[data.labels[data.trainval] != data.labels[data.test_seen[0]]][:2]
    features = data.features.copy()
    features[[same, *different]] = features[data.test_seen[0]]
    (found,) = find_leaks(dataclasses.replace(data, features=features))
    assert "otherwise" not in found and found.startswith("1 rows of test_seen are copies")
    features[same] += 1
    (found,) = find_leaks(dataclasses.replace(data, features=features))
    assert "1 of them labelled otherwise" in found and f"equal to row {different.min()})" in found


def test_rows_of_zeros_are_copies_too(data):
    features = data.features.copy()
    features[[data.trainval[3], data.test_seen[5]]] = 0
    assert find_leaks(dataclasses.replace(data, features=features)) == [
        f"1 rows of test_seen are copies of rows of trainval, 1 of them labelled otherwise (the first is row {data.test_seen[5]}, "
        f"equal to row {data.trainval[3]})"
    ]


def test_a_shipped_role_has_its_name_of_elsewhere(data):
    (found,) = find_leaks(dataclasses.replace(data, extra_roles={"val": data.test_unseen[:2]}))
    assert found.startswith("val holds 2 rows of test_unseen ")
    (found,) = find_leaks(dataclasses.replace(data, extra_roles={"val": data.test_unseen[:2]}, keys={"val": "'dev'"}))
    assert found.startswith("'dev' holds 2 rows of test_unseen ")


@pytest.mark.parametrize(
    "broken",
    [
        {"trainval": np.array([0, 10**6, -1])}, {"test_unseen": np.array([])}, {"test_seen": np.array([0.5])},
        {"extra_roles": {"val": np.array([10**6])}}, {"features": np.zeros((5, 2))}, {"features": np.zeros((1797, 0))},
        {"features": np.zeros(1797)}, {"labels": np.zeros((0,), int)}, {"declared_unseen": np.array([])},
    ],
)  # fmt: skip
def test_what_validation_refuses_is_no_reason_to_fail(data, broken):
    assert find_leaks(dataclasses.replace(data, **broken)) == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_differ_in_signs_alone_are_told_apart(rng, dtype):
    rows = rng.choice([-1.0, 1.0], (200, 8)).astype(dtype)
    equal = (rows[:, None] == rows[None]).all(axis=-1)
    group = _equal_rows(rows)
    np.testing.assert_array_equal(group[:, None] == group[None], equal)


def test_rows_are_compared_over_chunks(rng, monkeypatch):
    monkeypatch.setattr("d3gzsl_jax.data.leaks._CHUNK", 7)
    rows = rng.integers(0, 2, (64, 4)).astype(np.float32)
    rows[5:9] = np.nan  # equal to the byte
    group = _equal_rows(rows)
    equal = np.array([[a.tobytes() == b.tobytes() for b in rows] for a in rows])
    np.testing.assert_array_equal(group[:, None] == group[None], equal)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("width", [1, 7, 8])
def test_equal_rows_are_found_whatever_their_type(rng, dtype, width):
    rows = rng.integers(0, 3, (60, width)).astype(dtype)
    group = _equal_rows(rows)
    equal = (rows[:, None] == rows[None]).all(axis=-1)
    np.testing.assert_array_equal(group[:, None] == group[None], equal)
