"""Tables of classes in words or numbers, and the vectors of them."""

import numpy as np
import pytest

from d3gzsl_jax.encoders.class_table import class_semantics, read_class_table
from d3gzsl_jax.errors import UserError


class Letters:
    """Counts of letters, for an encoder of texts."""

    def encode(self, texts):
        return np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float32)


def table(tmp_path, text):
    (tmp_path / "classes.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_class_table(tmp_path / "classes.csv")


def test_descriptions_are_averaged_as_directions(tmp_path):
    found = table(tmp_path, "\ufeffClass, Description\nzebra,aaaa\n\nokapi,\"b, and\nso\"\nzebra,b\n")
    assert found.names == ("zebra", "okapi") and found.attributes is None and found.attribute_names == ()
    assert found.descriptions == (("aaaa", "b"), ("b, and so",))
    vectors = class_semantics(found, Letters())
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[0], np.array([1, 1, 0]) / np.sqrt(2), rtol=1e-6)  # as if each had been said once
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    with pytest.raises(UserError, match="need a text encoder"):
        class_semantics(found, None)
    with pytest.raises(UserError, match="class 'x': the text encoder makes no vector"):
        class_semantics(table(tmp_path, "class,description\nx,zzz\n"), Letters())


def test_numbers_stay_as_they_are(tmp_path):
    found = table(tmp_path, "stripes,class,legs\n1,zebra,4\n-0.5,okapi,4e0\n")
    assert found.names == ("zebra", "okapi") and found.attribute_names == ("stripes", "legs") and found.descriptions is None
    np.testing.assert_array_equal(class_semantics(found, None), np.array([[1, 4], [-0.5, 4]], np.float32))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("class,description\n", "holds no classes"),
        ("name,description\na,b\n", "no column class"),
        ("class\na\n", "names of classes alone"),
        ("class,description,legs\na,b,4\n", "column 'legs' beside description"),
        ("class,legs,habitat\na,4,savannah\n", "line 2, column habitat: 'savannah' is no finite number"),
        ("class,text\na,striped\n", "is it the description?"),
        ("class,legs\na,4\nb,nan\n", "line 3, column legs: 'nan' is no finite number"),
        ("class,legs\na,4\nb,1e99\n", "line 3, column legs: '1e99' is no finite number"),
        ("class,legs\na,4\nb,2e15\n", "line 3, column legs: '2e15' is too large for float32 networks; correct it"),
        ("class,legs\na,4\nb,\n", "line 3, column legs: '' is no finite number"),
        ("class,legs\na,4\na,5\n", "line 3: class 'a' is there twice"),
        ("class,description\na,b\na,b\n", "line 3: class 'a' has this description twice"),
        ("class,description\nBlue jay,b\nblue_jay,c\n", "line 3: class 'blue_jay' is called 'Blue jay' in line 2; write it one way"),
        ("class,legs\na,4\nA,5\n", "line 3: class 'A' is called 'a' in line 2"),
        ("class,description\na,\n", "line 2: class 'a' has no description"),
        ("class,description\n ,b\n", "line 2 names no class"),
        ("class,description\na,b,c\n", "needs double quotes around it"),
        ("class,description\na\n", "line 2 has 1 cells, needs 2"),
        ("class,class\na,b\n", "two columns 'class'"),
        ("class,\na,b\n", "column 2 has no name"),
        (b"class,description\na,\xff\n", "not readable as UTF-8"),
    ],
)
def test_a_table_that_is_wrong_is_refused_in_a_line(tmp_path, text, told):
    with pytest.raises(UserError) as refused:
        table(tmp_path, text)
    assert told in str(refused.value) and "classes.csv" in str(refused.value) and "\n" not in str(refused.value)


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "classes.xlsx").write_bytes(b"x")
    for name, told in (("nowhere.csv", "no such file"), ("classes.xlsx", "need a .csv"), (".", "is no file")):
        with pytest.raises(UserError, match=told):
            read_class_table(tmp_path / name)
