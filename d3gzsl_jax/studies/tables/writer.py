"""The one table writer: columns and rows as Markdown, LaTeX, HTML, CSV, or on a terminal; every cell is escaped in each of them."""

import csv
import dataclasses
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from d3gzsl_jax.text import clean_name, csv_row

if TYPE_CHECKING:
    from rich.table import Table as TerminalTable

_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "±": r"$\pm$", "…": r"\ldots{}", "—": r"\textemdash{}", "[": "{[}", "]": "{]}", "*": "{*}", '"': r"\char34{}",
})  # fmt: skip
# A bracket or a star after the end of a row would be its option.
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_[]|#~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKDOWN[ord("$")] = "&#36;"  # two of them are mathematics on GitHub


class Cell(NamedTuple):
    """What a person reads, and what CSV holds: as many values as its column has fields, None for an empty one."""

    text: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, value: Any) -> "Cell":
        """A cell that shows a value as it is, and nothing for None."""
        return cls("" if value is None else str(value), (value,))


class Column(NamedTuple):
    """Its heading; the names of its fields in CSV; whether it stands to the right, as numbers do."""

    heading: str
    fields: tuple[str, ...]
    right: bool = True

    @classmethod
    def of(cls, heading: str, right: bool = True) -> "Column":
        """A column of one field that is called as its heading is."""
        return cls(heading, (heading,), right)


@dataclasses.dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        heading: what all its rows have in common, in a line; '' for none.
        columns, rows: a row has a cell for each column.
        footer: by name, what must be read with the table.
    """

    heading: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    footer: Mapping[str, str] = dataclasses.field(default_factory=dict)


def markdown(tables: Sequence[Table]) -> str:
    """Tables of GitHub's Markdown, each under a heading and over its footer."""
    lines = []
    for table in tables:
        lines += [f"## {markdown_text(table.heading)}", "", *markdown_lines(table)]
        for name, text in table.footer.items():
            lines += ["", f"{markdown_text(name)}: {markdown_text(text)}"]
        lines.append("")
    return "\n".join(lines)


def markdown_lines(table: Table) -> list[str]:
    """The table alone, a line a row."""
    head = _markdown_row(column.heading for column in table.columns)
    rule = "|" + "|".join("---:" if column.right else "---" for column in table.columns) + "|"
    return [head, rule, *(_markdown_row(cell.text for cell in row) for row in table.rows)]


def latex(tables: Sequence[Table]) -> str:
    """Plain tabulars that need no package, each under a heading and over its footer."""
    lines = []
    for table in tables:
        alignment = "".join("r" if column.right else "l" for column in table.columns)
        lines += [rf"\paragraph{{{latex_text(table.heading)}}}", "", rf"\begin{{tabular}}{{{alignment}}}", r"\hline"]
        lines += [_latex_row(column.heading for column in table.columns), r"\hline"]
        lines += [_latex_row(cell.text for cell in row) for row in table.rows]
        lines += [r"\hline", r"\end{tabular}"]
        for name, text in table.footer.items():
            lines += ["", f"{latex_text(name)}: {latex_text(text)}"]
        lines.append("")
    return "\n".join(lines)


def html(tables: Sequence[Table]) -> str:
    """One HTML page that fetches nothing."""
    from d3gzsl_jax.runs.report.html import render  # loads jinja2

    title = tables[0].heading if len(tables) == 1 else f"{len(tables)} tables of runs"
    return render("studies/tables/page.html", title=clean_name(title), tables=tables)


def comma_separated(tables: Sequence[Table]) -> str:
    """One CSV of all tables, which must have the same columns: heading and footer are columns too, empty where nothing is known. A
    text that a spreadsheet would run as a formula has an apostrophe before it."""
    first = tables[0]
    footers = list(dict.fromkeys(name for table in tables for name in table.footer))
    headed = any(table.heading for table in tables)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(csv_row([*["table"] * headed, *(field for column in first.columns for field in column.fields), *footers]))
    for table in tables:
        if table.columns != first.columns:
            raise ValueError("tables of one CSV must have the same columns")
        for row in table.rows:
            values = [value for cell in row for value in cell.values]
            writer.writerow(csv_row([*[table.heading] * headed, *values, *(table.footer.get(name) for name in footers)]))
    return buffer.getvalue()


def terminal(table: Table) -> "TerminalTable":
    """The table for a terminal, under its heading."""
    from rich.table import Table as TerminalTable
    from rich.text import Text

    found = TerminalTable(title=Text(clean_name(table.heading)))
    for column in table.columns:
        found.add_column(Text(clean_name(column.heading)), justify="right" if column.right else "left")
    for row in table.rows:
        found.add_row(*(Text(clean_name(cell.text)) for cell in row))
    return found


FORMATS: dict[str, Callable[[Sequence[Table]], str]] = {
    "markdown": markdown, "latex": latex, "html": html, "csv": comma_separated
}  # fmt: skip
"""By name; each makes a whole file of one or more tables."""


def markdown_text(text: str) -> str:
    """A text in Markdown, where it shows as it is, on one line."""
    return clean_name(text).translate(_MARKDOWN)


def markdown_code(text: str) -> list[str]:
    """The lines of a block of code in Markdown that hold `text`, of one line."""
    line = clean_name(text)
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", line)), 0)
    return [f"{fence}bash", line, fence]


def latex_text(text: str) -> str:
    """A text in LaTeX, where it shows as it is, on one line."""
    # Two hyphens, as options begin with, would become a dash.
    return re.sub("-(?=-)", "-{}", clean_name(text).translate(_LATEX))


def _markdown_row(texts: Iterable[str]) -> str:
    return "| " + " | ".join(map(markdown_text, texts)) + " |"


def _latex_row(texts: Iterable[str]) -> str:
    return " & ".join(map(latex_text, texts)) + r" \\"
