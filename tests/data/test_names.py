"""Names of classes and data sets are cleaned alike by every reader, and what a user types finds them."""

import dataclasses

import h5py
import numpy as np
import pytest

from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.formats.class_files import parse_class_list, read_classes
from d3gzsl_jax.data.formats.open_npz import read_npz, write_npz
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.load import load
from d3gzsl_jax.data.subset import leave_out
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.text import clean_name, folder_name, listed
from tests import small
from tests.data.test_bad_input import config

CLEAN = ("wren", "king fisher", "Grévy", "a\ufffd", "owl", "7th")
DIRTY = ("wren   ", "king\r\nfisher\n", "Gre\u0301vy", "a\ud83d", "ow\0l", "\t7th\x1b ")
A = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


def deep(name):
    return np.array([[np.array([[name]], object)]], object)


def codes(file, index, text):
    raw = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    dataset = file.create_dataset(f"#refs#/{index}", data=raw[:, None])
    dataset.attrs["MATLAB_class"] = np.bytes_("char")
    return dataset


def hdf5_cells(file, key, twice=False):
    refs = [codes(file, index, name).ref for index, name in enumerate(DIRTY)]
    if twice:
        inner = [file.create_dataset(f"#refs#/c{index}", data=np.array([[ref]], object), dtype=h5py.ref_dtype) for index, ref in enumerate(refs)]
        refs = [dataset.ref for dataset in inner]
    file.create_dataset(key, data=np.array([refs], object), dtype=h5py.ref_dtype)


def hdf5_char(file, key):
    width = max(map(len, DIRTY)) + 3
    lines = np.array([[ord(c) for c in name.ljust(width)] for name in DIRTY], np.uint16)  # (classes, width), as MATLAB has it
    file.create_dataset(key, data=lines.T).attrs["MATLAB_class"] = np.bytes_("char")


def hdf5_plain_char(file, key):
    hdf5_char(file, key)
    del file[key].attrs["MATLAB_class"]


MAT5 = {
    "cells": np.array(DIRTY, object)[:, None],
    "a row of cells": np.array(DIRTY, object)[None],
    "char": np.array([name.replace("\ud83d", "\ufffd").replace("\0", "").replace("\r\n", "\n") for name in DIRTY]),
}
MAT5["cells in cells"] = np.empty((6, 1), object)
for place, name in enumerate(DIRTY):
    MAT5["cells in cells"][place, 0] = deep(name.replace("\ud83d", "\ufffd").replace("\0", ""))
MAT5 = {kind: np.vectorize(lambda x: x.replace("\ud83d", "\ufffd").replace("\0", "") if isinstance(x, str) else x, otypes=[object])(value)
        if value.dtype == object else value for kind, value in MAT5.items()}  # fmt: skip
HDF5 = {
    "cells": hdf5_cells, "cells in cells": lambda file, key: hdf5_cells(file, key, twice=True), "char": hdf5_char, "no class": hdf5_plain_char,
}  # fmt: skip


@pytest.mark.parametrize("kind", MAT5)
def test_mat_5(kind, tmp_path):
    small.write_mat_folder(tmp_path, att_splits={"allclasses_names": MAT5[kind]})
    assert validate(read_xlsa17(tmp_path, " CU\nB ")).class_names == CLEAN
    assert read_xlsa17(tmp_path, " CU\nB ").name == "CU B"
    assert read_classes(tmp_path / "att_splits.mat")[1] == CLEAN


@pytest.mark.parametrize("kind", HDF5)
def test_mat_73(kind, tmp_path):
    small.write_hdf5_folder(tmp_path)
    with h5py.File(tmp_path / "att_splits.mat", "a") as file:
        del file["allclasses_names"]
        if "#refs#" in file:
            del file["#refs#"]
        HDF5[kind](file, "allclasses_names")
    assert validate(read_xlsa17(tmp_path, "CUB")).class_names == CLEAN
    assert read_classes(tmp_path / "att_splits.mat")[1] == CLEAN


NPZ = {
    "str": np.array(DIRTY),
    "bytes": np.array([name.replace("\ud83d", "\ufffd").encode() for name in DIRTY]),
    "a column": np.array(DIRTY)[:, None],
    "a row": np.array(DIRTY)[None],
    "characters": np.array([list(name.replace("\0", "").ljust(20)) for name in DIRTY]),
}


@pytest.mark.parametrize("kind", NPZ)
def test_npz(kind, tmp_path, mat_folder):
    write_npz(path := tmp_path / "x.npz", read_xlsa17(mat_folder, "CUB"))
    np.savez(path, **dict(np.load(path)) | {"class_names": NPZ[kind], "name": np.bytes_(b"bi\nrds \0")})
    data = validate(read_npz(path))
    assert data.class_names == CLEAN and data.name == "bi rds"
    np.savez(tmp_path / "c.npz", semantics=A, class_names=NPZ[kind])
    assert read_classes(tmp_path / "c.npz")[1] == CLEAN


def test_h5_and_csv_and_names_of_no_reader(tmp_path, mat_folder):
    data = read_xlsa17(mat_folder, "CUB")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for field in ("features", "labels", "semantics", "trainval", "test_seen", "test_unseen"):
            file[field] = getattr(data, field)
        file["class_names"] = [name.replace("\ud83d", "\ufffd").replace("\0", "").encode() for name in DIRTY]
        file["name"] = "bir\nds"
    assert read_npz(tmp_path / "x.h5").class_names == CLEAN and read_npz(tmp_path / "x.h5").name == "bir ds"
    (tmp_path / "x.csv").write_bytes(b"".join(b'"' + n.replace("\ud83d", "\ufffd").encode() + b'",1,2,3,4,5\n' for n in DIRTY))
    assert read_classes(tmp_path / "x.csv")[1] == CLEAN
    assert validate(dataclasses.replace(data, class_names=list(DIRTY), name="a\nb")).class_names == CLEAN
    assert validate(dataclasses.replace(data, class_names=np.array(DIRTY), name="a\nb")).name == "a b"


def test_what_is_written_is_clean(tmp_path, mat_folder):
    data = dataclasses.replace(read_xlsa17(mat_folder, "CUB"), class_names=DIRTY, name="b\ud83d\nirds")
    write_npz(tmp_path / "x.npz", data)
    assert tuple(np.load(tmp_path / "x.npz")["class_names"]) == CLEAN and str(np.load(tmp_path / "x.npz")["name"]) == "b\ufffd irds"


@pytest.mark.parametrize(("names", "message"), [
    (("a", "b", "c", "b", "e", "f"), r"class 1 \('b'; 2 in the file\) and class 3 \('b'; 4 in the file\) have one name"),
    (("a", "b", "b \r\n", "d", "e", "f"), r"class 1 .* and class 2 .* have one name"),
    (("a", "b", " ", "d", "", "f"), r"class 2 has no name \(2 such classes\)"),
])  # fmt: skip
def test_names_that_do_not_identify(names, message, tmp_path):
    small.write_mat_folder(tmp_path, att_splits={"allclasses_names": np.array(names, object)[:, None]})
    with pytest.raises(UserError, match=r"att_splits.mat: 'allclasses_names': " + message):
        load("CUB", config(root=tmp_path))


def test_what_a_user_types_finds_the_class(tmp_path):
    small.write_mat_folder(tmp_path, att_splits={"allclasses_names": MAT5["cells"]})
    data = validate(read_xlsa17(tmp_path, "CUB"))
    for typed in ("king  fisher", "king\nfisher ", "KING FISHER", "Gre\u0301vy", "Grévy"):
        left = leave_out(data, typed)
        assert len(left.class_names) == 5 and "\n" not in left.name
    assert parse_class_list("Gre\u0301vy", ("x", "Grévy"), np.zeros(0), np.zeros(0)).tolist() == [1]
    assert parse_class_list("bird_3", ("x", "bird_3\r\n"), np.zeros(0), np.zeros(0)).tolist() == [1]  # as earlier versions saved it
    for typed in ("z" * 200_000, "z" * 3000, '"', "\ud83d"):
        with pytest.raises(UserError) as caught:
            leave_out(data, typed)
        assert str(caught.value).startswith("--config.data.leave_out") and len(str(caught.value)) < 400
        assert str(caught.value).encode() and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["..", "/etc/x", "a" * 3000, "", "\ud83d", "-rf", "a,b c", "é" * 100, "con\0", ".hidden"])
def test_a_name_makes_a_folder_name(name, tmp_path, monkeypatch):
    found = folder_name(name)
    assert 0 < len(found.encode()) <= 60 and "/" not in found and found[0] not in ".-"
    monkeypatch.chdir(tmp_path)
    assert RunFolder("", name).path.parent.resolve() == (tmp_path / "runs").resolve()


def test_cells_of_other_things():
    assert clean_name(np.array([b"a", b"b"])) == "ab" and clean_name([["a"], ["b", "c"]]) == "a bc"
    assert clean_name(float("nan")) == "" and clean_name([]) == "" and clean_name([None]) == ""
    assert listed(map(str, range(30))).endswith("11 and 18 more") and len(listed(["x" * 3000])) < 60


def test_names_of_digits_stay():
    assert validate(read_digits()).class_names == tuple("0123456789")
