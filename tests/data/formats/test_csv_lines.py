"""Lines of a CSV, and what is said where something else than commas is between its cells."""

import pytest

from d3gzsl_jax.data.formats.csv_lines import csv_lines
from d3gzsl_jax.data.formats.row_names import _listed
from d3gzsl_jax.encoders.class_table import read_class_table
from d3gzsl_jax.encoders.pictures import find_pictures
from d3gzsl_jax.errors import UserError


def refused(message, read, *arguments, **options):
    with pytest.raises(UserError) as told:
        read(*arguments, **options)
    assert message in str(told.value) and "\n" not in str(told.value)


SEMICOLONS = "x.csv: its cells are separated by semicolons, and commas are needed; save it with commas, or as .tsv with tabs"


@pytest.mark.parametrize("header", ["class;description", '"class";"description"', "Class ; stripes, black;hooves", "description;class"])
def test_semicolons_in_a_table_of_classes(tmp_path, header):
    (tmp_path / "x.csv").write_text(f"{header}\nzebra;A horse, with stripes.\n")
    refused(SEMICOLONS, read_class_table, tmp_path / "x.csv")


def test_semicolons_in_a_list_of_pictures(tmp_path):
    (tmp_path / "x.csv").write_text("file;class\n1.png;zebra\n")
    refused(SEMICOLONS, find_pictures, tmp_path / "x.csv")
    refused(SEMICOLONS.partition(", or as")[0], _listed, tmp_path / "x.csv")  # names of rows, which are no table


def test_tabs_and_commas_in_the_other_kind_of_file(tmp_path):
    (tmp_path / "x.csv").write_text("class\tdescription\nzebra\tA horse, with stripes.\n")
    refused("x.csv: its cells are separated by tabs, and commas are needed; save it with commas, or as .tsv", read_class_table, tmp_path / "x.csv")
    (tmp_path / "x.tsv").write_text("class,description\nzebra,It has stripes.\n")
    refused("x.tsv: its cells are separated by commas, and tabs are needed; save it with tabs", read_class_table, tmp_path / "x.tsv")


def test_a_tsv_is_read_with_tabs(tmp_path):
    (tmp_path / "x.tsv").write_text("class\tdescription\nzebra\tA horse, with stripes; black ones.\n")
    assert read_class_table(tmp_path / "x.tsv").descriptions == (("A horse, with stripes; black ones.",),)


def test_what_may_be_part_of_a_name_is(tmp_path):
    (tmp_path / "x.csv").write_text("a;b.png\nclass;1.png\n")
    assert csv_lines(tmp_path / "x.csv") == [(1, ["a;b.png"]), (2, ["class;1.png"])]
    refused("save it with commas", csv_lines, tmp_path / "x.csv", columns=2)
    (tmp_path / "x.csv").write_text("class,description\nzebra,A horse; with stripes.\n")
    assert read_class_table(tmp_path / "x.csv").names == ("zebra",)
