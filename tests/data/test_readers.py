import dataclasses

import numpy as np
import pytest

from d3gzsl_jax.data.digits import ATTRIBUTES, UNSEEN, read_digits, stroke_attributes
from d3gzsl_jax.data.formats.open_npz import read_npz, write_npz
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.data.validate import validate
from tests import small

FIELDS = ("features", "labels", "semantics", "trainval", "test_seen", "test_unseen")


def same(one, two):
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field), err_msg=field)
    assert one.class_names == two.class_names


def test_mat_5(mat_folder):
    data = validate(read_xlsa17(mat_folder, "CUB"))
    arrays = small.mat_arrays()
    np.testing.assert_array_equal(data.features, arrays["res101"]["features"].T)
    np.testing.assert_allclose(data.semantics, arrays["att_splits"]["att"].T, rtol=1e-6)
    assert data.labels.min() == 0 and data.labels.max() == 5
    np.testing.assert_array_equal(data.seen_classes, [0, 1, 2, 3])
    np.testing.assert_array_equal(data.unseen_classes, [4, 5])
    np.testing.assert_array_equal(data.test_unseen, arrays["att_splits"]["test_unseen_loc"].ravel().astype(int) - 1)
    assert data.class_names[0] == "bird 1" and data.provenance["semantics"] == "att"
    assert len(data.provenance["sha256"]["res101.mat"]) == 64


def test_mat_73_reads_the_same(mat_folder, tmp_path):
    small.write_hdf5_folder(tmp_path / "hdf5")
    same(validate(read_xlsa17(tmp_path / "hdf5", "CUB")), read_xlsa17(mat_folder, "CUB"))


def test_other_file_names_and_sentence_semantics(mat_folder):
    (mat_folder / "res101.mat").rename(mat_folder / "vgg.mat")
    (mat_folder / "att_splits.mat").rename(mat_folder / "sent_splits.mat")
    data = validate(read_xlsa17(mat_folder, "CUB", "vgg.mat", "sent"))
    assert data.provenance["feature_file"] == "vgg.mat" and data.provenance["semantics"] == "sent"


def test_optional_variables_may_be_absent_or_present(tmp_path):
    small.write_mat_folder(tmp_path, att_splits={"allclasses_names": None})
    assert read_xlsa17(tmp_path, "CUB").class_names[0] == "class 0"
    small.write_mat_folder(tmp_path, att_splits={"train_loc": np.array([[1], [2]]), "val_loc": np.array([[3]])})
    extra = read_xlsa17(tmp_path, "CUB").extra_roles
    np.testing.assert_array_equal(extra["train"], [0, 1])
    np.testing.assert_array_equal(extra["val"], [2])


def test_npz_round_trip(mat_folder, tmp_path):
    data = read_xlsa17(mat_folder, "CUB")
    path = tmp_path / "cub.npz"
    write_npz(path, data)
    again = validate(read_npz(path))
    same(again, data)
    assert again.name == "CUB" and not list(tmp_path.glob("*.part"))


def test_a_class_with_semantics_only_is_unseen_when_declared(mat_folder, tmp_path):
    data = read_xlsa17(mat_folder, "CUB")
    wider = dataclasses.replace(
        data, semantics=np.vstack([data.semantics, data.semantics[:1] + 1]), class_names=(*data.class_names, "new"),
        declared_unseen=np.array([4, 5, 6]),
    )
    write_npz(tmp_path / "wide.npz", wider)
    np.testing.assert_array_equal(validate(read_npz(tmp_path / "wide.npz")).unseen_classes, [4, 5, 6])


def test_preprocessing_of_constant_dimensions_stays_finite(mat_folder):
    data = read_xlsa17(mat_folder, "CUB")
    data.features[:, 3] = 7.0
    arrays = scale_splits(validate(data))
    assert np.isfinite(arrays.train_features).all() and (arrays.train_features[:, 3] == 0).all()
    assert arrays.train_features.min() == 0 and arrays.train_features.max() == 1
    assert arrays.train_features.dtype == np.float32 and arrays.train_labels.dtype == np.int32


def test_digits():
    data = validate(read_digits())
    assert data.features.shape == (1797, 64) and data.semantics.shape == (10, len(ATTRIBUTES))
    assert tuple(data.unseen_classes) == UNSEEN and len(data.seen_classes) == 7
    assert len(data.trainval) + len(data.test_seen) + len(data.test_unseen) == 1797
    seen = stroke_attributes()[data.seen_classes]
    assert seen.any(axis=0).all() and (seen == 0).any(axis=0).all()
    assert len({tuple(row) for row in data.semantics}) == 10
    same(read_digits(), data)


@pytest.mark.parametrize("unseen", [(0, 1), (2, 5, 8)])
def test_digits_with_other_unseen_classes(unseen):
    assert tuple(validate(read_digits(unseen)).unseen_classes) == unseen
