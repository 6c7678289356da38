"""Text from outside in a table: whatever a name holds, a cell stays one cell on one line, and says nothing to what shows it."""

import re

from d3gzsl_jax.text import clean_name

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "±": r"$\pm$", "…": r"\ldots{}", "—": r"\textemdash{}", "[": "{[}", "]": "{]}", '"': r"\char34{}",
}  # fmt: skip
# A bracket after the end of a row would be its option.
_MARKDOWN = {character: f"\\{character}" for character in "\\`*_[]|#~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def markdown(text: str) -> str:
    """A text in Markdown, where it shows as it is."""
    return clean_name(text).translate(str.maketrans(_MARKDOWN))


def markdown_code(text: str) -> list[str]:
    """The lines of a block of code in Markdown that hold `text`, of one line."""
    line = clean_name(text)
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", line)), 0)
    return [f"{fence}bash", line, fence]


def latex(text: str) -> str:
    """A text in LaTeX, where it shows as it is."""
    # Two hyphens, as options begin with, would become a dash.
    return re.sub("-(?=-)", "-{}", clean_name(text).translate(str.maketrans(_LATEX)))
