"""Names of rows, and the classes they are of, as files of features and lists beside them have them."""

import h5py
import numpy as np
import pytest

from d3gzsl_jax.data.formats.feature_files import chunks, open_features
from d3gzsl_jax.data.formats.row_names import RowNames, row_names
from d3gzsl_jax.errors import UserError

ROWS = np.arange(6.0).reshape(3, 2)
NAMES = ("a.png", "b/c.png", "Ärger, x.png")


def read(path, beside=None):
    source = open_features(path, 2)
    np.testing.assert_array_equal(np.concatenate(list(chunks(source, 2))), ROWS)
    return row_names(source, beside)


CSV = {
    "no names": ("0,1\n2,3\n4,5\n", None), "a header": ("x,y\n0,1\n2,3\n4,5\n", None),
    "names": ('a.png,0,1\nb/c.png,2,3\n"Ärger, x.png",4,5\n', NAMES),
    "names and a header": ('picture,x,y\na.png,0,1\n\nb/c.png,2,3\n"Ärger, x.png",4,5\n', NAMES),
    "numbers for names": ("file,x,y\n7,0,1\n8,2,3\n9,4,5\n", ("7", "8", "9")),
    "an empty heading, as of pandas": (',x,y\na.png,0,1\nb/c.png,2,3\n"Ärger, x.png",4,5\n', NAMES),
}  # fmt: skip


@pytest.mark.parametrize("name", CSV)
def test_a_first_column_of_text_names_the_rows(tmp_path, name):
    text, expected = CSV[name]
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    assert read(tmp_path / "x.csv") == RowNames(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,7\n2,3,8\n", "line 1 has 3 values, but the model takes 2 features a row; a column of names of rows is the first one, headed file"),
        ("x,y,label\n0,1,7\n", "line 1 has 3 values.*the first one, headed file"),
        ("file,x,y\n", "holds no rows"),
        ("a,0,1\nb,2,x\n", r"line 2, column 3: 'x' is no number"),
        ("a,0,1\nb,2\n", "line 2 has 1 values, a row has 2 features"),
    ],
)
def test_a_csv_with_a_column_too_many(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        list(chunks(open_features(tmp_path / "x.csv", 2), 2))


ARRAYS = {
    "names alone": ({"row_names": NAMES}, RowNames(NAMES)),
    "ids": ({"labels": [2, 0, 1]}, RowNames(None, (2, 0, 1))),
    "ids of names": ({"labels": [1, 0, 1], "class_names": ["cat", "dog"]}, RowNames(None, ("dog", "cat", "dog"))),
    "classes by name": ({"labels": ["dog", "cat", "okapi"], "row_names": NAMES}, RowNames(NAMES, ("dog", "cat", "okapi"))),
    "nothing": ({}, RowNames()),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_beside_the_features(tmp_path, name):
    arrays, expected = ARRAYS[name]
    np.savez(tmp_path / "x.npz", features=ROWS, **{key: np.array(value) for key, value in arrays.items()})
    assert read(tmp_path / "x.npz") == expected


def test_hdf5_and_formats_without_names(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["features"], file["row_names"], file["labels"] = ROWS, [name.encode() for name in NAMES], [0, 1, 1]
    assert read(tmp_path / "x.h5") == RowNames(NAMES, (0, 1, 1))
    np.save(tmp_path / "x.npy", ROWS)
    assert read(tmp_path / "x.npy") == RowNames()


@pytest.mark.parametrize(
    ("arrays", "note"),
    [
        ({"labels": [1, 2]}, "'labels' holds 2 values for 3 rows"),
        ({"labels": [0.5, 1, 2]}, "need whole numbers"),
        ({"labels": [0, 1, 5], "class_names": ["cat", "dog"]}, "ids go from 0 to 5, and there are 2 class_names"),
    ],
)
def test_labels_that_are_of_no_use_are_told_and_cost_no_prediction(tmp_path, arrays, note):
    np.savez(tmp_path / "x.npz", features=ROWS, **{key: np.array(value) for key, value in arrays.items()})
    found = read(tmp_path / "x.npz")
    assert found.classes is None and note in found.note


def test_names_that_are_not_one_a_row_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", features=ROWS, row_names=np.array(["a", "b"]))
    with pytest.raises(UserError, match="'row_names': 2 names for 3 rows; give one for each"):
        read(tmp_path / "x.npz")


def test_a_list_beside_the_file(tmp_path):
    np.save(tmp_path / "x.npy", ROWS)
    listed = tmp_path / "names.csv"
    listed.write_text('a.png\nb/c.png\n"Ärger, x.png"\n', encoding="utf-8")
    assert read(tmp_path / "x.npy", listed) == RowNames(NAMES)
    listed.write_text("class,file\ncat,a\n,b\n dog ,c\n")
    assert read(tmp_path / "x.npy", listed) == RowNames(("a", "b", "c"), ("cat", None, "dog"))
    listed.write_text("file\na\nb\nc\nd\n")
    with pytest.raises(UserError, match=r"names.csv: 4 names for 3 rows"):
        read(tmp_path / "x.npy", listed)
    plain = tmp_path / "names.txt"
    plain.write_text('a, b.png\nc,d.png\n\n"e, f.png"\n')
    assert read(tmp_path / "x.npy", plain) == RowNames(("a, b.png", "c,d.png", "e, f.png"))
    tabs = tmp_path / "names.tsv"
    tabs.write_text("file\tclass\na, b\tcat\nc\t\nd\tdog\n")
    assert read(tmp_path / "x.npy", tabs) == RowNames(("a, b", "c", "d"), ("cat", None, "dog"))
    listed.write_bytes(b"\xff\xfe\0")
    with pytest.raises(UserError, match=r"names.csv: not readable as UTF-8"):
        read(tmp_path / "x.npy", listed)


def test_a_csv_that_is_no_utf8_further_down_is_refused_in_a_line(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"file,x,y\n" + b"name.png,0,1\n" * 2000 + "Ärger.png,0,1\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"x\.csv: not readable as UTF-8 text"):
        row_names(open_features(path, 2))
