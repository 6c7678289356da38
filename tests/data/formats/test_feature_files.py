import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import scipy.io

from d3gzsl_jax.data.formats.feature_files import chunks, open_features
from d3gzsl_jax.errors import UserError
from tests.conftest import ROOT

ROWS, COLUMNS = 23, 5
X = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)


def csv_text(array, header="", end="\n"):
    lines = [",".join(repr(float(value)) for value in row) for row in array]
    return end.join([header, *lines] if header else lines) + end


def write_csv(path, array, **options):
    path.write_bytes(csv_text(array, **options).encode())


def hdf5(path, matlab, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=np.ascontiguousarray(matlab.T), **options)


WRITERS = {
    "c.npy": np.save,
    "fortran.npy": lambda path, x: np.save(path, np.asfortranarray(x)),
    "big_endian.npy": lambda path, x: np.save(path, x.astype(">f4")),
    "big_endian_fortran.npy": lambda path, x: np.save(path, np.asfortranarray(x.astype(">f8"))),
    "stored.npz": lambda path, x: np.savez(path, features=x, labels=np.arange(len(x)), other=np.eye(3)),
    "compressed.npz": lambda path, x: np.savez_compressed(path, features=x),
    "fortran.npz": lambda path, x: np.savez_compressed(path, features=np.asfortranarray(x)),
    "only.npz": lambda path, x: np.savez(path, rows=x, labels=np.arange(len(x)), name="set"),
    "xlsa17_5.mat": lambda path, x: scipy.io.savemat(path, {"labels": np.ones((len(x), 1)), "features": x.T}),
    "rows_5.mat": lambda path, x: scipy.io.savemat(path, {"features": x}, do_compression=True),
    "xlsa17_73.mat": lambda path, x: hdf5(path, x.T),
    "rows_73.mat": lambda path, x: hdf5(path, x, compression="gzip", chunks=(2, 2)),
    "plain.CSV": write_csv,
    "header.csv": lambda path, x: write_csv(path, x, header='a,b,"c, d",e,f'),
    "crlf.txt": lambda path, x: write_csv(path, x, header="a,b,c,d,e", end="\r\n"),
    "no_end.csv": lambda path, x: path.write_text(csv_text(x).rstrip("\n")),
    "blank_end.csv": lambda path, x: path.write_text(csv_text(x) + "\n  \n\n"),
    "bom.csv": lambda path, x: path.write_text(csv_text(x), encoding="utf-8-sig"),
    "quoted.csv": lambda path, x: path.write_text("\n".join(",".join(f'"{v!r}"' for v in row.tolist()) for row in x)),
}


def read(path, rows=7, columns=COLUMNS, key=""):
    return list(chunks(open_features(path, columns, key), rows))


def refused(message, path, rows=7, columns=COLUMNS, key=""):
    with pytest.raises(UserError, match=message) as caught:
        read(path, rows, columns, key)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(str(path)) and caught.value.__suppress_context__ | (caught.value.__context__ is None)
    return text


@pytest.mark.parametrize("rows", [1, 7, ROWS, 1000])
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(name, rows, tmp_path):
    path = tmp_path / name
    WRITERS[name](path, X)
    source = open_features(path, COLUMNS)
    text = path.suffix.lower() in (".csv", ".txt")
    key = "rows" if name == "only.npz" else "" if text or path.suffix == ".npy" else "features"
    assert source == (path, key, None if text else ROWS, COLUMNS)
    found = list(chunks(source, rows))
    assert [len(block) for block in found] == [min(rows, ROWS - start) for start in range(0, ROWS, rows)]
    wide = text or name == "big_endian_fortran.npy"  # what is read from it may hold more digits than float32
    assert all(block.dtype == (np.float64 if wide else np.float32) and block.flags.c_contiguous for block in found)
    np.testing.assert_array_equal(np.concatenate(found).astype(np.float32), X)


@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f8", "g", "i1", "u1", ">i2", "<u4", ">i8"])
@pytest.mark.parametrize("name", ["c.npy", "compressed.npz", "xlsa17_5.mat", "xlsa17_73.mat"])
def test_number_types(name, dtype, tmp_path):
    if name == "xlsa17_5.mat" and dtype in ("f2", "g"):
        pytest.skip("MATLAB 5 has no such type")
    array = (np.abs(X) * 40).astype(dtype)
    WRITERS[name](tmp_path / name, array)
    found = np.concatenate(read(tmp_path / name))
    assert found.dtype == (np.float64 if np.dtype(dtype).itemsize > 4 or dtype == "<u4" else np.float32)
    np.testing.assert_array_equal(found, array.astype(np.float64))  # no digit that a model may have been trained on is lost


def test_a_key_chooses(tmp_path):
    np.savez(tmp_path / "x.npz", features=X, other=X + 1)
    np.testing.assert_array_equal(np.concatenate(read(tmp_path / "x.npz", key="other")), X + 1)
    scipy.io.savemat(tmp_path / "x.mat", {"features": X.T, "other": X.T + 1})
    np.testing.assert_array_equal(np.concatenate(read(tmp_path / "x.mat", key="other")), X + 1)


def test_a_square_mat_has_its_rows_in_columns(tmp_path):
    square = X[:COLUMNS]
    for name in ("xlsa17_5.mat", "xlsa17_73.mat"):
        WRITERS[name](tmp_path / "x.mat", square)
        np.testing.assert_array_equal(np.concatenate(read(tmp_path / "x.mat")), square)


@pytest.mark.parametrize("first", [0, 1])
def test_columns_a_program_counted_are_a_header(first, tmp_path):
    wide = np.hstack([X, X])
    write_csv(tmp_path / "x.csv", wide, header=",".join(str(first + i) for i in range(10)))
    np.testing.assert_array_equal(np.concatenate(read(tmp_path / "x.csv", columns=10)), wide)


def test_reading_may_stop_early_and_start_again(tmp_path):
    for name in ("c.npy", "compressed.npz", "xlsa17_73.mat", "plain.CSV"):
        WRITERS[name](tmp_path / name, X)
        source = open_features(tmp_path / name, COLUMNS)
        blocks = chunks(source, 4)
        next(blocks)
        blocks.close()
        np.testing.assert_array_equal(next(chunks(source, 4)), X[:4])


def with_value(value, dtype=np.float64):
    array = X.astype(dtype)
    array[9, 3] = array[10, 1] = value
    return array


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("name", ["c.npy", "fortran.npy", "stored.npz", "xlsa17_5.mat", "xlsa17_73.mat", "header.csv"])
def test_values_that_are_not_finite(name, value, tmp_path):
    WRITERS[name](tmp_path / name, with_value(value))
    why = r", more than float32 holds,|" if value == 1e300 else ""
    refused(rf"row 9 has {value}({why}) in dimension 3 \(2 such rows among rows 7 to 13\); extract".replace("+", r"\+"), tmp_path / name)


COMMON = {  # to every format that has a shape ahead
    "another width": (X[:, :4], r"4.* features a row \(shape .*\), but the model takes 5"),
    "no rows": (X[:0], r"holds no rows"),
    "complex": (X * 1j, r"need a matrix of numbers|readable"),
    "text": (np.full((3, 5), "abc"), r"need a matrix of numbers"),
    "three dimensions": (X[..., None, None].repeat(2, 2), r"found shape"),
}


@pytest.mark.parametrize("name", ["c.npy", "stored.npz", "xlsa17_5.mat", "xlsa17_73.mat"])
@pytest.mark.parametrize("case", COMMON)
def test_no_matrix_of_that_width(case, name, tmp_path):
    array, message = COMMON[case]
    if case == "text" and name.endswith("73.mat"):
        array = array.astype("S")
    WRITERS[name](tmp_path / name, array)
    refused(message, tmp_path / name)


@pytest.mark.parametrize("name", ["c.npy", "stored.npz"])
def test_shapes_with_a_hint(name, tmp_path):
    path = tmp_path / name
    WRITERS[name](path, X.T)
    refused(r"23 features a row \(shape \(5, 23\)\), but the model takes 5; it looks transposed", path)
    WRITERS[name](path, X[0])
    refused(r"found shape \(5,\); reshape it to \(1, 5\) if it is one row", path)
    WRITERS[name](path, X > 0)
    refused("need a matrix of numbers, found bool", path)
    WRITERS[name](path, np.zeros((3, 5), [("a", "f4")]))
    refused("need a matrix of numbers, found ", path)
    WRITERS[name](path, np.full((3, 5), None))
    refused("need numbers or text, found object", path)


def test_mat_variables_that_are_no_matrices_of_numbers(tmp_path):
    path = tmp_path / "x.mat"
    for value, kind in ((X > 0, "logical"), (np.full((3, 5), "a", object), "cell"), (scipy.sparse.csc_matrix(X), "sparse")):
        scipy.io.savemat(path, {"features": value})
        refused(f"'features': need a matrix of numbers, found {kind}", path)
    for kind in ("logical", "char"):
        with h5py.File(path, "w") as file:
            file.create_dataset("features", data=X.astype(np.uint8)).attrs["MATLAB_class"] = np.bytes_(kind)
        refused(f"need a matrix of numbers, found {kind}", path)
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=np.array([5, 0], np.uint64)).attrs["MATLAB_empty"] = 1
    refused("holds no rows", path)


def test_keys_that_are_missing(tmp_path):
    np.savez(tmp_path / "x.npz", one=X, two=X)
    refused(r"key 'features' is missing; it holds one, two", tmp_path / "x.npz")
    refused(r"key 'three' is missing", tmp_path / "x.npz", key="three")
    np.savez(tmp_path / "empty.npz")
    refused(r"it holds nothing", tmp_path / "empty.npz")
    scipy.io.savemat(tmp_path / "x.mat", {"feat": X.T})
    refused(r"key 'features' is missing; it holds feat", tmp_path / "x.mat")
    with h5py.File(tmp_path / "y.mat", "w") as file:
        file["feat"], file["group/features"] = X, X
    refused(r"key 'features' is missing; it holds feat", tmp_path / "y.mat")
    for name in ("c.npy", "plain.CSV"):
        WRITERS[name](tmp_path / name, X)
        refused(r"has no keys; leave the key 'features' out", tmp_path / name, key="features")


@pytest.mark.parametrize("keep", [0, 3, 40, 150, 0.5, -8])
@pytest.mark.parametrize("name", ["c.npy", "fortran.npy", "stored.npz", "compressed.npz", "xlsa17_5.mat", "rows_5.mat", "xlsa17_73.mat"])
def test_files_cut_short(name, keep, tmp_path):
    path = tmp_path / name
    WRITERS[name](path, X)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    refused("cut short|not a readable", path)


@pytest.mark.parametrize("name", [name for name in WRITERS if not name.endswith(("csv", "CSV", "txt"))])
def test_damage_is_never_a_traceback(name, tmp_path):
    path = tmp_path / name
    WRITERS[name](path, X)
    whole = path.read_bytes()
    for position in range(0, len(whole), max(len(whole) // 40, 1)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        message = ""
        try:
            read(path)
        except UserError as error:
            message = str(error)
        assert "\n" not in message


def test_a_damaged_value_of_an_npz_is_noticed(tmp_path):
    np.savez(path := tmp_path / "x.npz", features=X)
    path.write_bytes(path.read_bytes().replace(X[4].tobytes(), X[5].tobytes()))
    refused("not a readable .npz file .*CRC", path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("\n\n", "holds no rows"),
        ("a,b,c,d,e\n", "holds no rows"),
        ("1,2,3,4\n" * 3, "line 1 has 4 values, but the model takes 5 features a row$"),
        ("a,b,c,d,e\n" + "1,2,3,4\n" * 3, "line 2 has 4 values, a row has 5 features"),
        ("1,2,3,4\n" * 5, "line 1 has 4 values, but the model takes 5 features a row; it looks transposed"),
        ("1;2;3;4;5\n", "line 1 has 1 values, .*separated by commas, not semicolons$"),
        ("1,5;2;3;4;5\n", "line 1 has 2 values, .*separated by commas, not semicolons$"),
        ("1 2 3 4 5\n", "line 1 has 1 values, .*separated by commas$"),
        ("1,2,3,4,5\n1,2,3,4", "line 2 has 4 values, a row has 5 features"),
        ("h,i,j,k,l\n\n1,2,3,4,5\n\n1,2,3,4,5,6\n", "line 5 has 6 values"),
        ("1,2,3,4,5\n" * 9 + "1,2,3,4,x\n", "line 10, column 5: 'x' is no number"),
        ("1,2,3,4,5\r\n" * 9 + "1,,3,4,5\r\n", "line 10, column 2: '' is no number"),
        ("1,2,3,x,5\n", "line 1, column 4: 'x' is no number"),
        ("NA,NA,NA,NA,NA\n1,2,3,4,5\n", "line 1, column 1: 'NA' is no number"),
        (",,,,\n1,2,3,4,5\n", "line 1, column 1: '' is no number"),
        ("1,2,3,4,5\n# note\n", "line 2 has 1 values"),
        ("1,2,3,4,1_000\n", "line 1, column 5: '1_000' is no number"),
        ("1,2,3,4,\N{FULLWIDTH DIGIT FIVE}\n", "lines 1 to 1 are no rows of 5 plain numbers"),
    ],
)
def test_csv_lines(text, message, tmp_path):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    refused(message, tmp_path / "x.csv")


def test_files_that_are_none(tmp_path):
    refused(r"no such file; give a file of features \(.npy, .npz, .mat, .h5, .hdf5, .csv, .txt\)", tmp_path / "none.npy")
    refused(r"from .parquet; formats are .npy, .npz, .mat, .h5, .hdf5, .csv, .txt", tmp_path / "x.parquet")
    refused(r"from a file without a suffix; formats", tmp_path / "x")
    (tmp_path / "folder.npy").mkdir()
    refused("not a file", tmp_path / "folder.npy")
    for name in ("x.npy", "x.npz", "x.mat"):
        (tmp_path / name).write_text("hello")
        refused("not a readable", tmp_path / name)
    np.save(tmp_path / "binary.npy", X)
    refused("not a readable .csv", (tmp_path / "binary.npy").rename(tmp_path / "x.csv"))


def test_a_chunk_has_rows_and_a_file_keeps_them(tmp_path):
    np.save(path := tmp_path / "x.npy", X)
    source = open_features(path, COLUMNS)
    refused("cannot be read 0 rows at a time", path, rows=0)
    np.save(path, X[:4])
    with pytest.raises(UserError, match="had 23 rows and has 4 now"):
        next(chunks(source, 3))


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs the peak of a process as Linux counts it")
def test_memory_is_that_of_a_few_chunks(tmp_path):
    path = tmp_path / "large.npy"
    rows, columns = 51_200, 2048
    with open(path, "wb") as file:  # 400 MiB that take no room on disk
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)})
        file.truncate(file.tell() + rows * columns * 4)
    # VmHWM starts anew with a program; ru_maxrss would start from what this process takes.
    program = f"""
from d3gzsl_jax.data.formats.feature_files import chunks, open_features
peak = lambda: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
assert sum(map(len, chunks(open_features({str(path)!r}, {columns}), 2048))) == {rows}
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    path.unlink()
    assert done.returncode == 0 and int(done.stdout) < 120 * 1024, done.stderr
