"""Bad data is refused in one line that names the file, the key and the place."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from d3gzsl_jax.data.formats.open_npz import read_npz, write_npz
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.load import load
from d3gzsl_jax.errors import UserError
from tests import small


def with_value(name, key, index, value, dtype=None):
    array = small.mat_arrays()[name][key].astype(dtype) if dtype else small.mat_arrays()[name][key].copy()
    array[index] = value
    return {name: {key: array}}


ROLE = small.mat_arrays()["att_splits"]
LABELS = small.mat_arrays()["res101"]["labels"]
FEATURES = small.mat_arrays()["res101"]["features"]

MAT = {
    "NaN in a feature": (with_value("res101", "features", (3, 7), np.nan), r"res101.mat: 'features': row 8 has nan in dimension 4"),
    "infinite feature": (with_value("res101", "features", (0, 0), np.inf), r"res101.mat: 'features': row 1 has inf"),
    "features transposed": ({"res101": {"features": FEATURES.T}}, r"'labels': 60 labels for 12 rows .*look transposed"),
    "a label short": ({"res101": {"labels": LABELS[:-1]}}, r"'labels': 59 labels for 60 rows"),
    "no features": ({"res101": {"features": None}}, r"res101.mat: variable 'features' is missing; it holds labels"),
    "no labels": ({"res101": {"labels": None}}, r"res101.mat: variable 'labels' is missing"),
    "labels from 0": ({"res101": {"labels": LABELS - 1}}, r"'labels': row 1 has label 0, but classes count from 1 here; add 1"),
    "label above C": (with_value("res101", "labels", 4, 9), r"'labels': row 5 has label 9, but .*'att' has only 6 classes"),
    "fractional label": (with_value("res101", "labels", 4, 1.5, float), r"'labels': row 5 is 1.5; need whole numbers"),
    "NaN in semantics": (with_value("att_splits", "att", (1, 2), np.nan), r"att_splits.mat: 'att': class 2 \('bird 3'; 3 in the file\) has a value .*nan in dimension 2"),
    "semantics of other classes": ({"att_splits": {"att": ROLE["att"][:, :4], "allclasses_names": None}}, r"has only 4 classes"),
    "no semantics": ({"att_splits": {"att": None}}, r"att_splits.mat: variable 'att' is missing"),
    "no trainval_loc": ({"att_splits": {"trainval_loc": None}}, r"variable 'trainval_loc' is missing"),
    "no test_unseen_loc": ({"att_splits": {"test_unseen_loc": None}}, r"variable 'test_unseen_loc' is missing"),
    "rows from 0": (
        {"att_splits": {"trainval_loc": ROLE["trainval_loc"] - 2}},
        r"'trainval_loc': entry 1 is row 0, but rows go from 1 to 60 .*; rows count from 1 here",
    ),
    "row above N": (with_value("att_splits", "test_seen_loc", 2, 61), r"'test_seen_loc': entry 3 is row 61, but rows go from 1 to 60"),
    "row listed twice": (with_value("att_splits", "trainval_loc", 0, 3), r"'trainval_loc': row 3 is listed 2 times"),
    "fractional row": (with_value("att_splits", "trainval_loc", 0, 2.5, float), r"'trainval_loc': entry 1 is 2.5"),
    "empty split": ({"att_splits": {"test_unseen_loc": np.zeros((0, 1))}}, r"'test_unseen_loc': holds no rows, and class 4 .*declare it"),
    "empty trainval": ({"att_splits": {"trainval_loc": np.zeros((0, 1))}}, r"'trainval_loc': holds no rows"),
    "train and test overlap": (
        {"att_splits": {"test_seen_loc": ROLE["trainval_loc"][:2]}},
        r"'trainval_loc' and .*'test_seen_loc' share 2 rows, the first is row 2",
    ),
    "unseen class trained on": (
        {"att_splits": {"trainval_loc": np.append(ROLE["trainval_loc"], 60), "test_unseen_loc": ROLE["test_unseen_loc"][:-1]}},
        r"'trainval_loc': row 60 has the unseen class 5 \('bird 6'; 6 in the file\)",
    ),
    "test_seen of an untrained class": (
        {"att_splits": {"trainval_loc": ROLE["trainval_loc"][8:]}},
        r"'test_seen_loc': row 1 has class 0 \('bird 1'; 1 in the file\), which has no training rows",
    ),
    "class without rows": ({"att_splits": {"test_unseen_loc": ROLE["test_unseen_loc"][:10]}}, r"class 5 \('bird 6'; 6 in the file\) has no rows in any"),
    "one seen class": (
        {"att_splits": {"trainval_loc": np.arange(2, 10), "test_seen_loc": np.array([1]), "test_unseen_loc": np.arange(11, 61)}},
        r"'trainval_loc': holds 1 class; at least 2",
    ),
    "features without dimensions": ({"res101": {"features": np.ones((0, 60))}}, r"'features': has no dimensions \(shape \(60, 0\)\)"),
    "constant features": ({"res101": {"features": np.ones((12, 60))}}, r"'features': every dimension is constant"),
    "too few names": ({"att_splits": {"allclasses_names": ROLE["allclasses_names"][:5]}}, r"'allclasses_names': 5 names for the 6 classes"),
    "labels are text": ({"res101": {"labels": "abc"}}, r"'labels': row 1 is 'abc', which is no name of a class"),
}


def config(**values):
    base = {"source": "mat", "root": "", "manual_dir": "", "feature_file": "res101.mat", "semantics": "att", "leave_out": "", "normalize_semantics": False}
    return ConfigDict(base | {key: str(value) if key == "root" else value for key, value in values.items()})


def refused(message, name="CUB", **values):
    with pytest.raises(UserError, match=message) as caught:
        load(name, config(**values))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("case", MAT)
def test_mat(case, tmp_path):
    changes, message = MAT[case]
    small.write_mat_folder(tmp_path, **changes)
    refused(message, root=tmp_path)


def test_missing_files_say_what_where_and_how(tmp_path):
    text = refused("res101.mat", root=tmp_path / "nowhere")
    for part in ("att_splits.mat", "https://datasets.d2.mpi-inf.mpg.de/xian/xlsa17.zip", "879 MB", "curl", "--config.data.root"):
        assert part in text
    small.write_mat_folder(tmp_path)
    assert "CE-GZSL" in refused("not found: .*sent_splits.mat", root=tmp_path, semantics="sent")


@pytest.mark.parametrize("content", [b"no matlab here", b"", b"\x89HDF\r\n\x1a\n broken"])
def test_a_file_that_is_no_mat_file(content, mat_folder):
    (mat_folder / "res101.mat").write_bytes(content)
    refused(r"res101.mat: not a readable MATLAB file", root=mat_folder)


def test_a_mat_file_cut_short(mat_folder):
    path = mat_folder / "res101.mat"
    path.write_bytes(path.read_bytes()[:-200])
    refused(r"res101.mat: not a readable MATLAB file", root=mat_folder)


def test_zero_semantics_cannot_be_normalised(tmp_path):
    att = ROLE["att"].copy()
    att[:, 2] = 0
    small.write_mat_folder(tmp_path, att_splits={"att": att})
    load("CUB", config(root=tmp_path))
    refused(r"'att': class 2 \('bird 3'; 3 in the file\) has an all-zero vector.*normalize_semantics", root=tmp_path, normalize_semantics=True)


def npz(tmp_path, **changes):
    path = tmp_path / "x.npz"
    small.write_mat_folder(tmp_path / "mat")
    write_npz(path, read_xlsa17(tmp_path / "mat", "CUB"))
    arrays = dict(np.load(path)) | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


NPZ = {
    "missing key": ({"semantics": None}, r"x.npz: key 'semantics' is missing; it holds class_names, features"),
    "labels as floats": ({"labels": np.arange(60) / 2}, r"x.npz: 'labels': row 1 is 0.5; need whole numbers from 0"),
    "rows as a matrix": ({"trainval": np.zeros((2, 2), int)}, r"'trainval': need a vector, found int64 of shape \(2, 2\)"),
    "negative row": ({"trainval": np.array([-1, 2])}, r"'trainval': entry 0 is row -1, but rows go from 0 to 59"),
    "features are text": ({"features": np.array([["a"] * 3] * 60)}, r"'features': need a 2-D array of numbers"),
    "unseen class out of range": ({"unseen_classes": np.array([4, 5, 17])}, r"'unseen_classes': need class ids from 0 to 5"),
    "seen class declared unseen": ({"unseen_classes": np.array([0, 4, 5])}, r"'trainval': row \d+ has the unseen class 0"),
}


@pytest.mark.parametrize("case", NPZ)
def test_npz(case, tmp_path):
    changes, message = NPZ[case]
    refused(message, source="npz", root=npz(tmp_path, **changes))


def test_npz_files_that_are_none(tmp_path):
    refused(r"none.npz: no such file", source="npz", root=tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    refused(r"text.npz: not a readable .npz", source="npz", root=tmp_path / "text.npz")
    np.savez(tmp_path / "objects.npz", features=np.array([{}], object))
    with pytest.raises(UserError, match=r"objects.npz: 'features': need numbers or text, found object"):
        read_npz(tmp_path / "objects.npz")


@pytest.mark.tensorflow
def test_tfds_without_such_a_dataset():
    refused(r"no config 'imagenet_att' .*it has cub_att", name="ImageNet", source="tfds")


def test_damaged_compressed_files_are_refused_in_one_line(tmp_path):
    """MATLAB compresses; a flipped byte then fails anywhere inside the reader."""
    import scipy.io

    small.write_mat_folder(tmp_path)
    scipy.io.savemat(tmp_path / "res101.mat", small.mat_arrays()["res101"], do_compression=True)
    whole = (tmp_path / "res101.mat").read_bytes()
    for position in range(130, len(whole), max(len(whole) // 25, 1)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        (tmp_path / "res101.mat").write_bytes(damaged)
        message = ""
        try:
            load("CUB", config(root=tmp_path))
        except UserError as error:
            message = str(error)
        assert "\n" not in message


def test_semantics_of_the_wrong_kind(tmp_path):
    small.write_mat_folder(tmp_path, att_splits={"att": "words"})
    refused(r"att_splits.mat: 'att': need a matrix of numbers", root=tmp_path)
    small.write_mat_folder(tmp_path, att_splits={"att": ROLE["att"] * (1 + 1j)})
    refused(r"att_splits.mat: 'att': need a matrix of numbers, found complex128", root=tmp_path)


def test_infinite_label(tmp_path):
    small.write_mat_folder(tmp_path, **with_value("res101", "labels", 4, np.inf, float))
    refused(r"'labels': row 5 is inf", root=tmp_path)


def test_an_npy_named_npz(tmp_path):
    with open(tmp_path / "x.npz", "wb") as file:
        np.save(file, np.zeros(3))
    refused(r"x.npz: not a readable .npz", source="npz", root=tmp_path / "x.npz")
