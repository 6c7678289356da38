import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d3gzsl_jax.text import clean_name, csv_row, cut, ended, nearest, nearest_file, printable, same_name_twice, shortened, visible

HALF = "\ud83d"


@pytest.mark.parametrize(("value", "name"), [
    ("wren      ", "wren"), ("bird_3\r\n", "bird_3"), (" a \t b ", "a b"), (b"bird 0", "bird 0"), (np.bytes_(b"x\0\0"), "x"),
    (b"\xe9t\xe9", "été"), (np.array(["cell"]), "cell"), (np.array([np.array(["deep"], object)], object), "deep"),
    (np.array(["w", "r"]), "wr"), (np.array([]), ""), (None, ""), (7, "7"), (f"a{HALF}b", "a\ufffdb"), ("\ud83d\ude00", "😀"),
    ("e\u0301", "é"), ("\ufeffa\x1b[31m", "a[31m"), ("a\u00a0b", "a b"),
])  # fmt: skip
def test_names_are_cleaned(value, name):
    assert clean_name(value) == name


@given(st.one_of(st.text(), st.binary(), st.lists(st.text(max_size=3), max_size=3), st.text(alphabet=[HALF, "\ude00", "\n", " ", "a"])))
def test_a_clean_name_is_one_line_of_utf8_and_stays_as_it_is(value):
    name = clean_name(value)
    assert name.encode() and len(name.splitlines()) == 1 if name else name == ""
    assert clean_name(name) == name


@pytest.mark.parametrize(("name", "meant"), [
    ("own.npz", ""), ("a.npz", ""), ("TWO.npz", "two.npz"), ("two.h5", "two.npz"), ("birdz.npz", "birds.npz"), ("birds.npz", ""), ("x" * 9999, ""),
])  # fmt: skip
def test_a_file_is_meant_by_a_name_that_is_alike_without_the_suffix(name, meant):
    assert nearest_file(name, ("two.npz", "b.npz", "birds.npz")) == meant


@pytest.mark.parametrize("write", [visible, cut])
def test_what_is_given_is_shown_on_one_line_as_it_is(write):
    assert write("a  b\n1\t\x1b[31m\u2028\u202e\x85é") == r"a  b\n1\t\x1b[31m\u2028\u202e\x85é"


@pytest.mark.parametrize(("name", "meant"), [
    ("green circel", "green circle"), ("Green_Circle", "green circle"), ("GREEN CIRCEL", "green circle"), ("okapi", ""), ("class 12", ""),
    ("clas 1", "class 1"), ("x" * 10000, ""),
])  # fmt: skip
def test_the_nearest_name_is_that_of_nearly_the_same_letters_but_no_other_number(name, meant):
    assert nearest(name, ("class 1", "green circle", "green square")) == meant


def test_a_sentence_ends_once():
    assert [ended(text) for text in ("a", "a.", "a?")] == ["a.", "a.", "a?"]


def test_names_that_are_there_twice():
    assert same_name_twice(("a", "b", "a")) == (0, 2)
    assert same_name_twice(("a", "b")) is None


def test_formulas_in_cells_are_no_formulas():
    assert csv_row(["=1+1", "+x", "-x", "@x", "\uff1d1", "a=1", "-3", "+1.5e-3", -3, None]) == [
        "'=1+1", "'+x", "'-x", "'@x", "'\uff1d1", "a=1", "-3", "'+1.5e-3", -3, None
    ]
    # What a spreadsheet would not see before them.
    assert csv_row([" =1", "\t=1", "\r\n@x", "\ufeff+x", "\x00-x", "-3\n", "a\nb"]) == ["'=1", "'=1", "'@x", "'+x", "'-x", "-3", "a b"]


def test_what_an_encoding_cannot_hold_is_escaped():
    assert printable("é…", "ascii") == "\\xe9\\u2026"
    assert printable(HALF) == "\\ud83d"


def test_long_values_are_cut_and_keep_both_ends():
    assert shortened("a") == "'a'"
    assert len(shortened("x" * 3000 + "end")) < 130 and shortened("x" * 3000 + "end").endswith("end'")
