"""The table writer: one table in every format."""

import csv
import io

import pytest
from rich.console import Console

from d3gzsl_jax.studies.tables.writer import FORMATS, Cell, Column, Table, comma_separated, markdown_lines, terminal

COLUMNS = [Column.of("name", right=False), Column("H", ("H", "H std"))]


def table(name, heading="a heading"):
    return Table(heading, COLUMNS, [[Cell.of(name), Cell("48.0 ± 1.0", (48.0, 1.0))], [Cell.of("other"), Cell("—", (None, None))]])


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_shows_every_cell(form):
    text = FORMATS[form]([table("one"), table("two", "another")])
    for shown in ("a heading", "another", "name", "one", "two", "other", "48.0"):
        assert shown in text


@pytest.mark.parametrize("name", ["=1+1", "@x", "a|b", "a\nb", "\x1b[31mred", "<script>", "a & b \\\\", "[bold]", "{{ 789 * 789 }}"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_cell_stays_one_cell_whatever_it_holds(form, name):
    text = FORMATS[form]([table(name, name)])
    assert "\x1b" not in text and "622521" not in text
    if form == "csv":
        rows = list(csv.reader(text.splitlines()))
        assert [len(row) for row in rows] == [4, 4, 4] and not any(cell.startswith(("=", "@")) for row in rows for cell in row)
        assert rows[2] == [rows[1][0], "other", "", ""]
    if form == "html":
        assert text.count("<td") == 4 and text.count("<tr>") == 3 and "<script>" not in text
    if form == "latex":
        assert text.count(r" \\") == 3
    if form == "markdown":
        assert len({line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_a_table_alone():
    assert markdown_lines(table("x"))[:3] == ["| name | H |", "|---|---:|", "| x | 48.0 ± 1.0 |"]
    assert comma_separated([table("x", "")]).splitlines()[0] == "name,H,H std"


def test_tables_of_one_csv_have_the_same_columns():
    with pytest.raises(ValueError, match="same columns"):
        comma_separated([table("x"), Table("y", COLUMNS[:1], [])])


def test_a_terminal_shows_names_as_they_are():
    console = Console(width=60, record=True, quiet=False, file=io.StringIO())
    console.print(terminal(table("[bold]x\x1b[31m", "[red]heading")))
    text = console.export_text()
    assert "[bold]x" in text and "[red]heading" in text and "\x1b" not in text and "48.0 ± 1.0" in text


def test_a_row_that_begins_with_a_star_and_mathematics_show_as_they_are():
    found = [Table("", [Column.of("*"), Column.of("b")], [[Cell.of("*x"), Cell.of("$y$")]])]
    latex, markdown = FORMATS["latex"](found), FORMATS["markdown"](found)
    assert r"{*} & b \\" in latex and r"{*}x & \$y\$ \\" in latex
    assert "$" not in markdown and r"| \*x | &#36;y&#36; |" in markdown
