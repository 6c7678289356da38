"""HDF5 files from elsewhere: nothing of another file is read through them, and nothing is read that is not there."""

import struct
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from d3gzsl_jax.data.formats import hdf5_files, npy_files, sizes
from d3gzsl_jax.data.formats.class_files import read_classes
from d3gzsl_jax.data.formats.feature_files import chunks, open_features
from d3gzsl_jax.data.formats.mat_files import read_variables
from d3gzsl_jax.data.formats.open_npz import read_npz
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.errors import UserError
from tests import small

X = np.random.default_rng(0).normal(size=(23, 5)).astype(np.float32)


def refused(message, call, *arguments):
    with pytest.raises(UserError, match=message) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)


def external_storage(file, name, secret):
    file.create_dataset(name, (6, 12), "f8", external=[(str(secret), 0, 6 * 12 * 8)])


def external_link(file, name, secret):
    file[name] = h5py.ExternalLink(str(secret), "/x")


def link_to_a_link(file, name, secret):
    file["aside"] = h5py.ExternalLink(str(secret), "/")
    file[name] = h5py.SoftLink("/aside/x")


def virtual(file, name, secret):
    layout = h5py.VirtualLayout((6, 12), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "x", (6, 12))
    file.create_virtual_dataset(name, layout)


def in_a_cell(file, name, secret):
    codes = file.create_dataset("#refs#/a", (9,), "u2", external=[(str(secret), 0, 18)])
    file.create_dataset(name, data=np.array([[codes.ref] * 6], object), dtype=h5py.ref_dtype)


ELSEWHERE = {
    "external storage": external_storage, "external link": external_link, "link to an external link": link_to_a_link,
    "virtual dataset": virtual, "cell": in_a_cell,
}  # fmt: skip


@pytest.fixture
def secret(tmp_path):
    with h5py.File(tmp_path / "secret", "w") as file:
        file["x"] = np.ones((6, 12))
    return tmp_path / "secret"


def readers(tmp_path, write):
    """Every reader of HDF5, each with a file whose key `write` makes."""
    small.write_hdf5_folder(tmp_path / "mat")
    for key, path in (("features", "res101.mat"), ("labels", "res101.mat"), ("att", "att_splits.mat"), ("trainval_loc", "att_splits.mat"),
                      ("allclasses_names", "att_splits.mat")):  # fmt: skip
        small.write_hdf5_folder(folder := tmp_path / f"of {key}")
        with h5py.File(folder / path, "a") as file:
            del file[key]
            write(file, key)
        yield lambda folder=folder: read_xlsa17(folder, "CUB")
    for key, suffix, read in (
        ("features", ".mat", lambda path: list(chunks(open_features(path, 5), 7))),
        ("features", ".h5", lambda path: list(chunks(open_features(path, 5), 7))),
        ("att", ".mat", read_classes), ("semantics", ".hdf5", read_classes), ("semantics", ".h5", read_npz),
    ):  # fmt: skip
        path = tmp_path / f"{key} {len(list(tmp_path.iterdir()))}{suffix}"
        with h5py.File(path, "w") as file:
            for other in ("features", "labels", "semantics", "trainval", "test_unseen"):
                if other != key:
                    file[f"{other}"] = np.zeros(3)
            write(file, key)
        yield lambda path=path, read=read: read(path)


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_values_in_another_file_are_refused_by_every_reader(kind, secret, tmp_path):
    for read in readers(tmp_path, lambda file, key: ELSEWHERE[kind](file, key, secret)):
        refused("another file|other files|need a matrix of numbers, found cell|need a matrix of numbers, found object", read)


def test_the_other_file_is_not_even_opened(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["features"], file["away"] = X, h5py.ExternalLink("/dev/zero", "/x")
    np.testing.assert_array_equal(np.concatenate(list(chunks(open_features(tmp_path / "x.h5", 5), 7))), X)
    refused("x.h5: 'away': lies in another file", open_features, tmp_path / "x.h5", 5, "away")


def test_links_within_a_file_are_followed_and_circles_are_not(tmp_path):
    with h5py.File(path := tmp_path / "x.h5", "w") as file:
        file["a/b"], file["features"] = X, h5py.SoftLink("/a/b")
        file["one"], file["two"], file["none"] = h5py.SoftLink("/two"), h5py.SoftLink("/one"), h5py.SoftLink("/away")
    np.testing.assert_array_equal(np.concatenate(list(chunks(open_features(path, 5), 7))), X)
    refused("'one': its links go round in a circle", open_features, path, 5, "one")
    refused("'none': need a matrix", open_features, path, 5, "none")


@pytest.mark.parametrize("options", [{}, {"chunks": (1000, 1000)}, {"chunks": (1000, 1000), "compression": "gzip"}])
def test_a_small_file_that_says_it_is_large(options, tmp_path):
    def huge(file, key):
        file.create_dataset(key, (1_000_000, 1_000_000), "f8", **options)

    with h5py.File(tmp_path / "x.mat", "w") as file:
        huge(file, "att")
        huge(file, "features")
    refused("'att': cut short: 0 of", read_variables, tmp_path / "x.mat", ("att",))
    refused("'features': cut short: 0 of", open_features, tmp_path / "x.mat", 1_000_000)
    refused("cut short: 0 of", read_classes, tmp_path / "x.mat")


def test_what_takes_more_than_memory(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "x.mat", "w") as file:
        file.create_dataset("att", data=np.zeros((1000, 1000)), compression="gzip")
    scipy.io.savemat(tmp_path / "y.mat", {"att": np.zeros((1000, 1000))}, do_compression=True)
    np.savez_compressed(tmp_path / "x.npz", semantics=np.zeros((1000, 1000)))
    monkeypatch.setattr(sizes, "free_host_memory", lambda: 2**20)
    for name in ("x.mat", "y.mat", "x.npz"):
        refused("takes .* MiB of memory and 1.0 MiB are free", read_classes, tmp_path / name)


def npy_header(shape, fortran=False):
    text = f"{{'descr': '<f8', 'fortran_order': {fortran}, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize("fortran", [False, True])
def test_npy_headers_that_say_too_much(fortran, tmp_path):
    (tmp_path / "x.npy").write_bytes(npy_header((10**6, 10**6), fortran) + bytes(80))
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("semantics.npy", npy_header((10**6, 10**6), fortran) + bytes(80))
        archive.writestr("features.npy", npy_header((-1, 10**6), fortran) + bytes(80))
    refused("x.npy: cut short: 80 of 8000000000000 bytes", read_classes, tmp_path / "x.npy")
    refused("x.npz: 'semantics': cut short: 80 of", read_classes, tmp_path / "x.npz")
    refused("x.npy: cut short", open_features, tmp_path / "x.npy", 10**6)
    refused("not a readable|cut short", open_features, tmp_path / "x.npz", 10**6)


def test_a_member_that_cannot_hold_what_it_says(tmp_path):
    np.savez(path := tmp_path / "x.npz", semantics=X)
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<I", 2**31)  # the size of the member, in the directory
    path.write_bytes(raw)
    refused("says that it holds 2147483648 bytes|not a readable", read_classes, path)
    with pytest.raises(UserError, match="says that it holds"), zipfile.ZipFile(path) as archive:
        npy_files.member_size(archive, "semantics.npy", "x")


def sparse_group(file, name, matrix):
    csc = scipy.sparse.csc_matrix(matrix)
    group = file.create_group(name)
    group.attrs["MATLAB_sparse"] = np.uint64(csc.shape[0])
    group["data"], group["ir"], group["jc"] = csc.data, csc.indices.astype("u8"), csc.indptr.astype("u8")
    return group


def test_sparse_attributes(tmp_path, mat_folder):
    att = small.mat_arrays()["att_splits"]["att"] * (np.arange(6) % 2)
    plain, expected = tmp_path / "plain", att.T.astype(np.float32)
    small.write_mat_folder(plain, att_splits={"att": scipy.sparse.csc_matrix(att)})
    np.testing.assert_array_equal(read_xlsa17(plain, "CUB").semantics, expected)
    small.write_hdf5_folder(hdf5 := tmp_path / "hdf5")
    with h5py.File(hdf5 / "att_splits.mat", "a") as file:
        del file["att"]
        group = sparse_group(file, "att", att)
    np.testing.assert_array_equal(read_xlsa17(hdf5, "CUB").semantics, expected)
    for member, value, message in (
        ("ir", 10**9, "a damaged sparse matrix"), ("jc", 10**9, "damaged|readable"), ("jc", None, "a sparse matrix without 'jc'"),
    ):  # fmt: skip
        with h5py.File(hdf5 / "att_splits.mat", "a") as file:
            group, kept = file["att"], file["att"][member][()]
            del group[member]
            if value is not None:
                group[member] = np.full(kept.shape, value, kept.dtype)
        refused(message, read_xlsa17, hdf5, "CUB")
        with h5py.File(hdf5 / "att_splits.mat", "a") as file:
            if member in file["att"]:
                del file["att"][member]
            file["att"][member] = kept


def test_a_sparse_matrix_whose_row_numbers_point_outside(tmp_path):
    matrix = scipy.sparse.csc_matrix(np.eye(4))
    matrix.indices[:] = 2**30
    with pytest.raises(UserError, match="a damaged sparse matrix"):
        hdf5_files.dense(matrix, "x")


def test_structs_and_string_arrays_are_told(tmp_path):
    with h5py.File(tmp_path / "x.mat", "w") as file:
        file["att/deep"] = X
        file.create_dataset("allclasses_names", data=np.zeros((1, 6), np.uint32)).attrs["MATLAB_object_decode"] = 3
    refused("'att': is a struct", read_variables, tmp_path / "x.mat", ("att",))
    refused("'allclasses_names': is a MATLAB object .*cellstr", read_variables, tmp_path / "x.mat", ("allclasses_names",))
    scipy.io.savemat(tmp_path / "y.mat", {"att": {"deep": X}})
    refused("'att': is a struct", read_variables, tmp_path / "y.mat", ("att",))
    with h5py.File(tmp_path / "z.mat", "w") as file:  # a cell that holds itself
        cells = file.create_dataset("allclasses_names", (1, 1), dtype=h5py.ref_dtype)
        cells[0, 0] = cells.ref
    refused("cells in cells in cells", read_variables, tmp_path / "z.mat", ("allclasses_names",))


def test_damage_is_never_a_traceback(tmp_path):
    small.write_hdf5_folder(tmp_path)
    path = tmp_path / "att_splits.mat"
    whole = path.read_bytes()
    for position in range(0, len(whole), max(len(whole) // 60, 1)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        message = ""
        try:
            read_xlsa17(tmp_path, "CUB")
        except UserError as error:
            message = str(error)
        assert "\n" not in message
