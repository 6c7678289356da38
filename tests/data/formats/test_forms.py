"""What people have in place of lists of rows, of labels and of attributes is read where its meaning is certain."""

import dataclasses

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.formats.class_files import read_classes
from d3gzsl_jax.data.formats.feature_files import chunks, open_features
from d3gzsl_jax.data.formats.open_npz import read_npz, write_npz
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.load import load
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from tests import small
from tests.data.test_bad_input import config
from tests.data.test_readers import FIELDS, same

ARRAYS = small.mat_arrays()
ROLES = ("trainval", "test_seen", "test_unseen")


@pytest.fixture
def plain(mat_folder):
    return read_xlsa17(mat_folder, "CUB")


@pytest.fixture
def npz(plain, tmp_path):
    def write(**changes):
        path = tmp_path / "x.npz"
        write_npz(path, plain)
        arrays = dict(np.load(path)) | {"class_names": np.array(plain.class_names)} | changes
        np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
        return path

    return write


def mask(rows, dtype=bool):
    found = np.zeros(60, dtype)
    found[rows] = 1
    return found


NPZ = {
    "masks": lambda data: {role: mask(getattr(data, role)) for role in ROLES},
    "masks of numbers": lambda data: {role: mask(getattr(data, role), float)[None] for role in ROLES},
    "columns": lambda data: {role: getattr(data, role)[:, None] for role in (*ROLES, "labels")},
    "rows": lambda data: {role: getattr(data, role)[None] for role in (*ROLES, "labels")},
    "floats": lambda data: {role: getattr(data, role).astype(np.float32) for role in (*ROLES, "labels")},
    "unsigned": lambda data: {role: getattr(data, role).astype(np.uint8) for role in (*ROLES, "labels")},
    "labels are names": lambda data: {"labels": np.array(data.class_names)[data.labels]},
    "labels are bytes": lambda data: {"labels": np.array([f"{data.class_names[i]} \r\n".encode() for i in data.labels])[None]},
    "unseen classes by name": lambda data: {"unseen_classes": np.array(["bird 6", "bird 5"])},
    "unseen classes as a mask": lambda data: {"unseen_classes": np.arange(6) > 3},
}


@pytest.mark.parametrize("form", NPZ)
def test_npz(form, plain, npz):
    same(validate(read_npz(npz(**NPZ[form](plain)))), plain)


NAMES = ARRAYS["att_splits"]["allclasses_names"].ravel()
LABELS = ARRAYS["res101"]["labels"].ravel().astype(int)
MAT = {
    "masks": {"att_splits": {f"{role}_loc": mask(ARRAYS["att_splits"][f"{role}_loc"].ravel().astype(int) - 1) for role in ROLES}},
    "masks of numbers": {"att_splits": {"trainval_loc": mask(ARRAYS["att_splits"]["trainval_loc"].ravel() - 1, float)[:, None]}},
    "rows": {"att_splits": {"trainval_loc": ARRAYS["att_splits"]["trainval_loc"].T}, "res101": {"labels": LABELS[None]}},
    "labels in cells": {"res101": {"labels": np.array([NAMES[label - 1] for label in LABELS], object)[:, None]}},
    "labels are characters": {"res101": {"labels": np.array([NAMES[label - 1].ljust(9) for label in LABELS])}},
    "numbers in cells": {"res101": {"labels": np.array([int(label) for label in LABELS], object)[:, None]}},
    "sparse attributes": {"att_splits": {"att": scipy.sparse.csc_matrix(ARRAYS["att_splits"]["att"])}},
}


@pytest.mark.parametrize("form", MAT)
def test_mat(form, plain, tmp_path):
    small.write_mat_folder(tmp_path / "other", **MAT[form])
    same(validate(read_xlsa17(tmp_path / "other", "CUB")), plain)


def test_mat_73_masks(plain, tmp_path):
    small.write_hdf5_folder(tmp_path)
    with h5py.File(tmp_path / "att_splits.mat", "a") as file:
        for role in ROLES:
            del file[f"{role}_loc"]
            made = file.create_dataset(f"{role}_loc", data=mask(getattr(plain, role), np.uint8)[None])
            made.attrs["MATLAB_class"] = np.bytes_("logical")
    same(validate(read_xlsa17(tmp_path, "CUB")), plain)


def test_data_of_ones_own(plain):
    own = GZSLData(
        name="birds", features=plain.features.tolist(), labels=[plain.class_names[label] for label in plain.labels],
        semantics=scipy.sparse.csr_matrix(plain.semantics), class_names=list(plain.class_names), trainval=mask(plain.trainval),
        test_seen=plain.test_seen.tolist(), test_unseen=plain.test_unseen[:, None], declared_unseen=["bird 5", "bird 6"],
    )  # fmt: skip
    found = validate(own)
    same(found, plain)
    assert found.declared_unseen.tolist() == [4, 5]
    assert validate(plain) is plain  # nothing to change, nothing copied


REFUSED = {
    "unknown name": ({"labels": np.array(["bird 1"] * 9 + ["brid 2"] + ["bird 3"] * 50)}, r"'labels': row 9 is 'brid 2', .*did you mean 'bird 2'"),
    "labels that are none": ({"labels": np.array(["bird 1"] * 3 + ["None"] * 57)}, r"'labels': row 3 has no label"),
    "empty labels": ({"labels": np.array(["bird 1", ""] * 30)}, r"'labels': row 1 has no label"),
    "NaN": ({"labels": np.array([0.0, np.nan] * 30)}, r"'labels': row 1 is nan"),
    "names without names": ({"labels": np.array(["a"] * 60), "class_names": None}, r"'labels': row 0 is 'a'; need whole numbers from 0, or"),
    "too large": ({"labels": np.full(60, 1e300)}, r"'labels': row 0 is 1e\+300; need whole numbers"),
    "too large an integer": ({"labels": np.full(60, 2**63, np.uint64)}, r"'labels': row 0 is 9223372036854775808"),
    "bool labels": ({"labels": np.arange(60) > 30}, r"'labels': need whole numbers from 0, found bool"),
    "mask of another length": ({"trainval": np.ones(59, bool)}, r"'trainval': a mask of 59 values for 60 rows"),
    "a matrix": ({"trainval": np.ones((3, 20), int)}, r"'trainval': need a vector, found int64 of shape \(3, 20\)"),
    "text for rows": ({"trainval": np.array(["a"])}, r"'trainval': need whole numbers from 0, found <U1"),
    "complex": ({"trainval": np.array([1j])}, r"'trainval': need whole numbers from 0, found complex"),
    "unknown unseen class": ({"unseen_classes": np.array(["zebra"])}, r"'unseen_classes': row 0 is 'zebra'"),
    "transposed, named": (lambda data: {"semantics": np.ones((5, 6))}, r"'semantics': looks transposed: it has 5 classes of 6 values"),
    "transposed, unnamed": (lambda data: {"semantics": np.ones((5, 6)), "class_names": None}, r"looks transposed.*labels of 6 classes"),
    "more classes, unnamed": (lambda data: {"semantics": np.ones((9, 6)), "class_names": None}, r"looks transposed"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_refused(form, plain, npz):
    changes, message = REFUSED[form]
    changes = changes(plain) if callable(changes) else changes
    if "semantics" in changes:
        changes["semantics"] = np.random.default_rng(0).normal(size=changes["semantics"].shape)
    with pytest.raises(UserError, match=message) as caught:
        validate(read_npz(npz(**changes)))
    assert "\n" not in str(caught.value)


def test_more_classes_than_labels_are_no_transposed_ones_if_declared(plain, npz):
    wide = np.random.default_rng(0).normal(size=(9, 6))
    data = validate(read_npz(npz(semantics=wide, class_names=None, unseen_classes=np.array([6, 7, 8]))))
    assert data.class_count == 9


def test_attributes_transposed_in_mat(tmp_path):
    for named in (True, False):
        changes = {"att": ARRAYS["att_splits"]["att"].T} | ({} if named else {"allclasses_names": None})
        small.write_mat_folder(tmp_path, att_splits=changes)
        with pytest.raises(UserError, match=r"att_splits.mat: 'att': looks transposed: it has 5 classes of 6 values"):
            load("CUB", config(root=tmp_path))


def hdf5(path, plain, **changes):
    with h5py.File(path, "w") as file:
        for field in FIELDS:
            file[field] = changes.get(field, getattr(plain, field))
        file["class_names"] = list(plain.class_names)
        file["name"] = "CUB"


@pytest.mark.parametrize("transposed", [False, True])
def test_a_benchmark_in_hdf5(transposed, plain, tmp_path):
    hdf5(tmp_path / "x.h5", plain, **({"features": plain.features.T} if transposed else {}))
    found = load("x", config(source="npz", root=tmp_path / "x.h5"))
    same(found, plain)
    assert found.name == "CUB"


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_a_feature_file_in_hdf5(suffix, transposed, plain, mat_folder):
    with h5py.File(mat_folder / f"clip{suffix}", "w") as file:
        file["features"], file["labels"] = (plain.features.T if transposed else plain.features), plain.labels + 1
    same(load("CUB", config(root=mat_folder, feature_file=f"clip{suffix}")), plain)


def test_square_hdf5_is_refused(tmp_path, plain):
    hdf5(tmp_path / "x.h5", plain, features=np.ones((60, 60)))
    with pytest.raises(UserError, match=r"'features': of shape \(60, 60\), which may have rows or columns"):
        read_npz(tmp_path / "x.h5")
    with pytest.raises(UserError, match=r"'features': of shape \(60, 60\), which may hold a row in each column"):
        open_features(tmp_path / "x.h5", 60)


def test_predicting_from_hdf5(tmp_path):
    rows = np.random.default_rng(0).normal(size=(23, 5)).astype(np.float32)
    for name, array in (("a.h5", rows), ("b.hdf5", rows.T), ("c.H5", rows)):
        with h5py.File(tmp_path / name, "w") as file:
            file["feats" if name == "c.H5" else "features"] = array
            file["labels"] = np.zeros(23)
        np.testing.assert_array_equal(np.concatenate(list(chunks(open_features(tmp_path / name, 5), 7))), rows)
    scipy.io.savemat(tmp_path / "x.h5", {"features": rows})
    with pytest.raises(UserError, match=r"x.h5: not a readable .h5 file"):
        open_features(tmp_path / "x.h5", 5)


def wider(tmp_path, **changes):
    att = np.hstack([ARRAYS["att_splits"]["att"], np.ones((5, 2))])
    names = np.array([*NAMES, "dodo", "moa"], object)[:, None]
    small.write_mat_folder(tmp_path, att_splits={"att": att, "allclasses_names": names} | changes)
    return tmp_path


def test_unseen_classes_without_rows_are_declared(tmp_path):
    folder = wider(tmp_path)
    with pytest.raises(UserError, match=r"class 6 \('dodo'; 7 in the file\) .*declare it as an unseen class: --config.data.unseen_classes=6,7"):
        load("CUB", config(root=folder))
    for declared in ("6,7", "moa,dodo", "unseen", '"dodo", 7'):
        data = load("CUB", config(root=folder, unseen_classes=declared))
        assert data.unseen_classes.tolist() == [4, 5, 6, 7] and len(data.seen_classes) == 4
    with pytest.raises(UserError, match=r"--config.data.unseen_classes: there is no class 'dodoo'; did you mean 'dodo'"):
        load("CUB", config(root=folder, unseen_classes="dodoo"))
    with pytest.raises(UserError, match="unseen class 0"):
        load("CUB", config(root=folder, unseen_classes="0,6,7"))
    write_npz(path := tmp_path / "x.npz", dataclasses.replace(read_xlsa17(folder, "CUB"), declared_unseen=np.array([6])))
    assert load("x", config(source="npz", root=path, unseen_classes="moa")).declared_unseen.tolist() == [6, 7]


def test_semantics_of_any_name(mat_folder):
    (mat_folder / "att_splits.mat").rename(mat_folder / "w2v_splits.mat")
    assert load("CUB", config(root=mat_folder, semantics="w2v")).provenance["semantics"] == "w2v"
    with pytest.raises(UserError, match=r"there is w2v_splits.mat: --config.data.semantics=w2v"):
        load("CUB", config(root=mat_folder))
    for odd in ("../att", "", "a/b", "a\nb", ".x"):
        with pytest.raises(UserError, match=r"config.data.semantics=.*must be the NAME"):
            load("CUB", config(root=mat_folder, semantics=odd))


ODD = (
    np.float64(1), np.array("text"), np.array(b"\xff"), np.zeros(0), np.zeros((0, 5)), np.zeros((2, 3, 4)), np.ones(60), np.array([""] * 60),
    np.full(60, np.nan), np.full(60, -1), np.full(60, 2**63, np.uint64), np.array([1j] * 60), np.zeros(3, [("a", "f4")]),
    np.array(["2020-01-01"], "M8[D]"), np.zeros((6, 5), np.float16), np.zeros((60, 1), bool), np.array(["x" * 5000] * 6), np.zeros(60, ">i2"),
    np.array([True]), np.zeros((12, 60), "g"), np.full((5, 6), np.inf), np.array([["a", "b"], ["c", "d"]]), np.array([None, 1, "x"], object),
)  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("key", [*FIELDS, "class_names", "unseen_classes", "name"])
def test_whatever_stands_in_place_of_a_key_is_told_in_one_line(key, npz):
    for odd in ODD:
        path = npz(**{key: odd})
        for read in (lambda path=path: validate(read_npz(path)), lambda path=path: read_classes(path, key),
                     lambda path=path: list(chunks(open_features(path, 12, key), 7))):  # fmt: skip
            message = ""
            try:
                read()
            except UserError as error:
                message = str(error)
            assert "\n" not in message and len(message) < 2000
