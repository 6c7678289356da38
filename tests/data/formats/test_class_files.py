import h5py
import numpy as np
import pytest
import scipy.io

from d3gzsl_jax.data.formats.class_files import check_width, new_names, parse_class_list, read_classes
from d3gzsl_jax.errors import UserError

A = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
NAMES = ("zebra", "quagga, plains", "okapi", "Grévy's zebra")
NEW = ("new 0", "new 1", "new 2", "new 3")
HEADER = "class,a,b,c,d,e,f"


def cells(names=NAMES):
    return np.array(names, object).reshape(-1, 1)


def csv_text(header="", end="\n", array=A):
    lines = ([header] if header else []) + [f'"{n}",' + ",".join(map(repr, row)) for n, row in zip(NAMES, array.tolist(), strict=True)]
    return end.join(lines) + end


def hdf5(path):
    with h5py.File(path, "w") as file:
        file["att"] = A
        codes = [file.create_dataset(f"name{i}", data=np.array([[ord(c)] for c in name])) for i, name in enumerate(NAMES)]
        file.create_dataset("allclasses_names", data=[code.ref for code in codes], dtype=h5py.ref_dtype)


def text(content, encoding="utf-8"):
    return lambda path: path.write_bytes(content.encode(encoding))


WRITERS = {
    "named.npz": (lambda path: np.savez(path, semantics=A, class_names=np.array(NAMES)), NAMES),
    "bytes.npz": (lambda path: np.savez(path, semantics=A, class_names=np.array([n.encode() for n in NAMES])), NAMES),
    "unnamed.npz": (lambda path: np.savez_compressed(path, semantics=A), NEW),
    "x.npy": (lambda path: np.save(path, A), NEW),
    "fortran_big_endian.npy": (lambda path: np.save(path, np.asfortranarray(A.astype(">f8"))), NEW),
    "plain.csv": (text(csv_text()), NAMES),
    "header.csv": (text(csv_text(HEADER)), NAMES),
    "crlf.CSV": (text(csv_text(HEADER, "\r\n")), NAMES),
    "blank.csv": (text("\n" + csv_text() + "\n,,\n\n", "utf-8-sig"), NAMES),
    "no_end.csv": (text(csv_text().rstrip()), NAMES),
    "named.mat": (lambda path: scipy.io.savemat(path, {"att": A.T, "allclasses_names": cells()}), NAMES),
    "sparse.mat": (lambda path: scipy.io.savemat(path, {"att": scipy.sparse.csc_matrix(A.T)}), NEW),
    "unnamed.mat": (lambda path: scipy.io.savemat(path, {"att": A.T.astype(np.float64)}), NEW),
    "hdf5.mat": (hdf5, NAMES),
}


def refused(message, call, *arguments):
    with pytest.raises(UserError, match=message) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_classes(name, tmp_path):
    write, names = WRITERS[name]
    write(tmp_path / name)
    semantics, found = read_classes(tmp_path / name)
    assert found == names and semantics.dtype == np.float32 and semantics.flags.c_contiguous
    np.testing.assert_array_equal(semantics, A)


def test_one_class_of_whole_numbers(tmp_path):
    for name, value in (("x.npy", A[:1].astype(int)), ("x.npz", A[:1].astype(int))):
        np.save(tmp_path / name, value) if name.endswith("npy") else np.savez(tmp_path / name, semantics=value)
        assert read_classes(str(tmp_path / name))[1] == ("new 0",)
    (tmp_path / "x.csv").write_text(" plains   zebra , 1, 2\n")
    semantics, names = read_classes(tmp_path / "x.csv")
    assert names == ("plains zebra",) and semantics.tolist() == [[1, 2]]


def test_a_key_chooses(tmp_path):
    np.savez(tmp_path / "x.npz", semantics=A, other=A + 1)
    np.testing.assert_array_equal(read_classes(tmp_path / "x.npz", "other")[0], A + 1)
    scipy.io.savemat(tmp_path / "x.mat", {"att": A.T, "sent": A.T + 1})
    np.testing.assert_array_equal(read_classes(tmp_path / "x.mat", "sent")[0], A + 1)
    refused(r"x.npz: key 'none' is missing; it holds other, semantics", read_classes, tmp_path / "x.npz", "none")
    refused(r"x.mat: variable 'none' is missing; it holds att, sent", read_classes, tmp_path / "x.mat", "none")
    np.save(tmp_path / "x.npy", A)
    refused(r"x.npy: a .npy file has no keys; leave the key 'att' out", read_classes, tmp_path / "x.npy", "att")


def bad(row, column, value):
    array = A.astype(np.float64)
    array[row, column] = value
    return array


TWICE = ("zebra", "okapi", "okapi", "horse")
BAD = {
    "no key": ("x.npz", lambda path: np.savez(path, features=A), "key 'semantics' is missing; it holds features"),
    "vector": ("x.npy", lambda path: np.save(path, A[0]), r"need a matrix of numbers .*found float32 of shape \(6,\)"),
    "text": ("x.npz", lambda path: np.savez(path, semantics=A.astype(str)), "need a matrix of numbers"),
    "complex": ("x.npy", lambda path: np.save(path, A * 1j), "found complex64"),
    "objects": ("x.npy", lambda path: np.save(path, A.astype(object)), "found object: Python objects are not read"),
    "no class": ("x.npy", lambda path: np.save(path, A[:0]), r"at least 1 class, found float32 of shape \(0, 6\)"),
    "empty csv": ("x.csv", text(""), "at least 1 class"),
    "only a header": ("x.csv", text(HEADER + "\n"), "at least 1 class"),
    "cell array": ("x.mat", lambda path: scipy.io.savemat(path, {"att": cells()}), "need a matrix of numbers"),
    "NaN": ("x.npz", lambda path: np.savez(path, semantics=bad(2, 1, np.nan), class_names=NAMES), r"class 2 \('okapi'\) has a value"),
    "too large": ("x.npy", lambda path: np.save(path, bad(1, 1, 1e200)), r"class 1 \('new 1'\) has a value that is not finite as float32"),
    "too large for networks": ("x.npy", lambda path: np.save(path, bad(1, 2, 1e20)), r"class 1 \('new 1'\) has a value too large for float32 networks, 1\.0+.* in dimension 2; "),
    "NaN in csv": ("x.csv", text(csv_text(array=bad(0, 0, np.nan))), r"class 0 \('zebra'\) has a value"),
    "too few names": ("x.npz", lambda path: np.savez(path, semantics=A, class_names=NAMES[:3]), "3 names for 4 classes"),
    "a name twice": ("x.npz", lambda path: np.savez(path, semantics=A, class_names=TWICE), "classes 1 and 2 are both called 'okapi'"),
    "a name twice in csv": ("x.csv", text("okapi,1,2\nzebra,3,4\nokapi ,5,6\n"), "classes 0 and 2 are both called 'okapi'"),
    "no name": ("x.csv", text("okapi,1,2\n,3,4\n"), "class 1 has no name"),
    "a word": ("x.csv", text("okapi,1,2\n\nzebra,3,four\n"), "line 3, column 3: 'four' is no number"),
    "an empty cell": ("x.csv", text("okapi,1,2\nzebra,,4\n"), "line 2, column 2: '' is no number"),
    "a short line": ("x.csv", text("class,a,b\nokapi,1,2\nzebra,3\n"), "line 3 has 1 numbers after the name, needs 2"),
    "names only": ("x.csv", text("okapi\nzebra\n"), "line 1 has 0 numbers after the name, needs some"),
    "semicolons": ("x.csv", text("okapi;1;2\n"), "x.csv: its cells are separated by semicolons, and commas are needed; save it with commas$"),
    "another encoding": ("x.csv", text("Grévy,1,2\n", "latin-1"), "not readable as UTF-8 text"),
    "no npz": ("x.npz", text("hello"), "not a readable .npz"),
    "no mat": ("x.mat", text("hello"), "not a readable MATLAB file"),
    "no format": ("x.json", text("{}"), "from .json; formats are .npz, .npy, .csv, .mat"),
    "no file": ("x.npy", lambda path: None, "no such file; give a file of semantics"),
    "a folder": ("x.npy", lambda path: path.mkdir(), "not a file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files(case, tmp_path):
    name, write, message = BAD[case]
    write(tmp_path / name)
    refused(message, read_classes, tmp_path / name)


@pytest.mark.parametrize("name", ["named.npz", "unnamed.npz", "x.npy", "named.mat", "hdf5.mat"])
def test_files_cut_short(name, tmp_path):
    path = tmp_path / name
    WRITERS[name][0](path)
    whole = path.read_bytes()
    for keep in (0, 4, 100, len(whole) // 2):
        path.write_bytes(whole[:keep])
        refused("not a readable", read_classes, path)


def test_a_header_of_counted_columns(tmp_path):
    wide = np.hstack([A, A])
    lines = [",".join(["", *map(str, range(12))]), *(f"c{i}," + ",".join(map(repr, row)) for i, row in enumerate(wide.tolist()))]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    semantics, names = read_classes(tmp_path / "x.csv")
    assert names == ("c0", "c1", "c2", "c3")
    np.testing.assert_array_equal(semantics, wide)


def test_the_width_of_a_model():
    check_width(A, 6, "x.npz")
    refused("x.npz: 6 semantic values a class, but the model takes 85$", check_width, A, 85, "x.npz")
    refused("but the model takes 4; it looks transposed", check_width, A, 4, "x.npz")
    refused("but the model takes 7; the first column of a .csv is the name", check_width, A, 7, "x.csv")


CLASSES = ("horse", "zebra", "plains, open", "Okapi", "okapi", "seal", "horse", "7")
SEEN, UNSEEN = np.array([0, 2, 5, 6, 7], np.int32), np.array([1, 3, 4], np.int32)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("all", range(8)),
        ("seen", SEEN),
        ("unseen", UNSEEN),
        ("3,6,zebra", [3, 6, 1]),
        (" 3 , zebra,3,1,", [3, 1]),
        ("ZEBRA", [1]),
        ("okapi,Okapi", [4, 3]),
        ('"plains, open",0', [2, 0]),
        ("5,unseen", [5, 1, 3, 4]),
        ("7", [7]),
    ],
)
def test_class_lists(text, ids):
    found = parse_class_list(text, CLASSES, SEEN, UNSEEN)
    assert found.dtype == np.int32 and found.tolist() == list(ids)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8", "no class 8; ids go from 0 to 7"),
        ("9" * 5000, "no class '999"),
        ("zeb\r\nra\n", "no class 'zeb"),
        ("zebra,-1", "no class -1"),
        ("zebar", "no class 'zebar'; did you mean 'zebra'"),
        ("unsen", "did you mean 'unseen'"),
        ("qqqq", "no class 'qqqq'; give an id, a name, all, seen or unseen"),
        ("OKAPI", "'OKAPI' may be class 3 or 4; give the id"),
        ("horse", "'horse' may be class 0 or 6"),
        ("1.5", "no class '1.5'"),
        ("", "holds no classes"),
        (" , ,", "holds no classes"),
    ],
)
def test_class_lists_that_are_refused(text, message):
    refused(message, parse_class_list, text, CLASSES, SEEN, UNSEEN)


COUNTED, LEFT = tuple("12345678"), tuple("0124")  # folders called by numbers; digits without one of them


def test_a_number_that_is_the_id_of_one_class_and_the_name_of_another_is_refused():
    told = r"--classes: 3 is the id of class 3 \('4'\) and the name of class 2 \('3'\); give \+3 for the first or \+2 for the second$"
    refused(told, parse_class_list, "3", COUNTED, None, None, "--classes")
    refused("3 is the id of class 3 .*and the name of class 2", parse_class_list, "3", ("01", "02", "03", "04"), None, None)
    for text, names, ids in (("+3,+2", COUNTED, [3, 2]), ("8", COUNTED, [7]), ("2,0", LEFT, [2, 0]), ("4", LEFT, [3]), ("+4", ("4",) * 5, [4])):
        assert parse_class_list(text, names, None, None).tolist() == ids


def test_where_names_are_meant_a_number_is_one():
    for text, names, ids in (("3,+3", COUNTED, [2, 3]), ("1", ("zebra", "okapi"), [1]), ("4", LEFT, [3]), ("2", ("01", "02"), [1])):
        assert parse_class_list(text, names, None, None, by_name=True).tolist() == ids
    refused(r"--unseen: there is no class 0; ids go from 0 to 7, with a plus sign as \+0$", parse_class_list, "0", COUNTED, None, None, "--unseen", True)


def test_where_there_are_no_groups_none_is_advised():
    assert parse_class_list("3,zebra", CLASSES, None, None).tolist() == [3, 1]
    for word in ("all", "seen", "unseen", "qqqq"):
        refused(f"no class '{word}'; give an id or a name$", parse_class_list, word, CLASSES, None, None)
    refused("holds no classes; give ids or names with commas between$", parse_class_list, ",", CLASSES, None, None)


def test_a_group_without_classes():
    refused("class list 'unseen': holds no classes", parse_class_list, "unseen", CLASSES, SEEN, UNSEEN[:0])


def test_names_of_new_classes():
    assert new_names(("a ", b"b\n"), ("c",)) == ("a", "b")
    refused("new class 1: has no name", new_names, ("a", " "), ())
    refused("class 'a': there are two new classes of that name", new_names, ("a", "a\n"), ())
    refused("class 'a': the model knows a class of that name", new_names, ("a ",), ("a\r\n",))
    refused("class 'Blue Jay': differs from the class 'blue_jay' in case", new_names, ("Blue Jay",), ("blue_jay",))
    refused("class 'A': differs from the class 'a' in case", new_names, ("a", "A"), ())
    assert new_names(("A-",), ("A+", "A")) == ("A-",)
