"""A further array per row: read from every kind of file, checked, scaled by itself, carried through folds and subsets."""

import dataclasses

import h5py
import numpy as np
import pytest
import scipy.io

from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.folds import hold_out
from d3gzsl_jax.data.formats.open_npz import read_npz, write_npz
from d3gzsl_jax.data.load import load
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.data.subset import without_classes
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.resume import digest
from d3gzsl_jax.training.build import build
from tests import small


@pytest.fixture
def array():
    return np.random.default_rng(2).uniform(-3, 9, (60, 7)).astype(np.float32)


def read(folder, file) -> GZSLData:
    fields = {"data.source": "mat", "data.root": str(folder), "data.representation_file": str(file)}
    config = load_config("configs/cub.py:base", fields)
    return load("CUB", config.data)


def write(path, array):
    if path.suffix == ".mat":
        scipy.io.savemat(path, {"features": array})
    elif path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, representations=array)
    else:
        with h5py.File(path, "w") as file:
            file["features"] = array


@pytest.mark.parametrize("name", ["con_paco.mat", "own.npy", "own.npz", "own.h5"])
def test_every_format(mat_folder, array, name):
    write(mat_folder / name, array)
    data = read(mat_folder, name)
    np.testing.assert_array_equal(data.representations, array)
    assert data.representation_size == 7 and data.provenance["representations"] == name
    assert len(data.provenance["sha256"][name]) == 64 and "representations" in data.digests


def test_columns_first_is_told_by_the_number_of_labels(mat_folder, array):
    write(mat_folder / "turned.mat", array.T)
    np.testing.assert_array_equal(read(mat_folder, "turned.mat").representations, array)


def test_an_npz_benchmark_holds_them(mat_folder, array, tmp_path):
    write(mat_folder / "r.npy", array)
    data = read(mat_folder, mat_folder / "r.npy")
    write_npz(tmp_path / "all.npz", data)
    again = read_npz(tmp_path / "all.npz")
    np.testing.assert_array_equal(again.representations, array)
    assert digest(again) == digest(data) != digest(dataclasses.replace(data, representations=None))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a[:59], "59 rows for 60 rows"),
        (lambda a: np.where(np.arange(7) == 2, np.nan, a), "row 1 has nan in dimension 3"),
        (lambda a: a * 0, "every dimension is constant"),
        (lambda a: a[:, 0], "need a 2-D array"),
    ],
)
def test_bad_ones_are_refused_in_one_line(mat_folder, array, change, said):
    np.save(mat_folder / "r.npy", change(array))
    with pytest.raises(UserError, match=said) as told:
        read(mat_folder, "r.npy")
    assert "r.npy" in str(told.value) and "\n" not in str(told.value)


def test_files_that_are_none(mat_folder, array):
    for name, said in (("none.mat", "no such file"), ("some.txt", "formats are"), ("other.npz", "holds neither")):
        if name == "other.npz":
            np.savez(mat_folder / name, other=array)
        elif name == "some.txt":
            (mat_folder / name).write_text("1,2")
        with pytest.raises(UserError, match=said):
            read(mat_folder, name)


def test_a_framework_that_takes_none_refuses_the_file(mat_folder, array):
    write(mat_folder / "r.npy", array)
    config = load_config("configs/cub.py:base", {"data.root": str(mat_folder), "data.representation_file": "r.npy", "train.batch_size": 8})
    with pytest.raises(UserError, match="wgan takes no representations; leave it out"):
        build(config, load("CUB", config.data))


def test_they_are_scaled_by_themselves_and_stand_behind_the_features(mat_folder, array):
    write(mat_folder / "r.npy", array)
    data = read(mat_folder, "r.npy")
    plain, found = scale_splits(data), scale_splits(data, represented=True)
    for split in ("train", "test_seen", "test_unseen"):
        rows = getattr(found, f"{split}_rows")
        np.testing.assert_array_equal(rows[:, :12], getattr(plain, f"{split}_rows"))
        np.testing.assert_array_equal(getattr(found, f"{split}_features"), getattr(plain, f"{split}_rows"))
        assert rows.shape[1] == 12 + 7 and rows.dtype == np.float32
    train = array[data.trainval]
    expected = (train - train.min(axis=0)) / (train.max(axis=0) - train.min(axis=0))
    np.testing.assert_allclose(found.train_rows[:, 12:], expected, atol=1e-6)


def test_rows_keep_theirs_in_folds_and_subsets(mat_folder, array):
    write(mat_folder / "r.npy", array)
    data = read(mat_folder, "r.npy")
    fold = hold_out(data, data.seen_classes[:1], 0.2, seed=0)
    np.testing.assert_array_equal(fold.representations, array[data.trainval])
    out = np.arange(data.class_count) == data.seen_classes[1]
    kept = without_classes(data, out)
    np.testing.assert_array_equal(kept.representations, array[~out[data.labels]])


def test_features_without_labels_have_those_of_res101(mat_folder, array):
    """As ZeroDiff's fine-tuned features come: rows first, in a file of their own without labels."""
    arrays = small.mat_arrays()
    scipy.io.savemat(mat_folder / "ce_ce.mat", {"features": array})
    config = load_config("configs/cub.py:base", {"data.root": str(mat_folder), "data.feature_file": "ce_ce.mat"})
    data = load("CUB", config.data)
    np.testing.assert_array_equal(data.features, array)
    np.testing.assert_array_equal(data.labels, arrays["res101"]["labels"].ravel() - 1)
    assert {"ce_ce.mat", "res101.mat"} <= data.provenance["sha256"].keys()
