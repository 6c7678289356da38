"""Text from outside made fit to be shown and written: names of classes and data sets, messages of one line, cells of CSV files."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

LONGEST_VALUE = 120
"""Characters of a value that a message shows."""

_NOT_TEXT = ("Cc", "Cs", "Cn")  # control characters, surrogates, what Unicode has not assigned
_FORMULA = re.compile(r"^[=+\-@＝＋－＠]")  # noqa: RUF001 (the full-width forms, which some spreadsheets take for the others)
_NUMBER = re.compile(r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$")


def clean_name(value: Any) -> str:
    """A name as a person would write it, on one line; '' where there is none.

    Bytes are read as UTF-8 (else Latin-1), arrays and lists of one value are unwrapped, surrogate pairs are joined, half of one
    becomes U+FFFD, control characters vanish, and blanks (line breaks among them) become one blank between words and none around.
    Letters with accents have one form (NFC), so that a name typed and a name read are the same.

    Args:
        value: what a file holds in place of a name.
    """
    while isinstance(value, np.ndarray | list | tuple):  # cells in cells, as MATLAB's
        if np.size(value) != 1:
            value = "".join(map(str, np.ravel(value)))  # characters, or nothing
            break
        value = value.item() if isinstance(value, np.ndarray) else value[0]
    if value is None:
        return ""
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value).rstrip(b"\0")
        try:
            value = raw.decode()
        except UnicodeDecodeError:
            value = raw.decode("latin-1")
    text = str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = "".join(" " if character.isspace() else character for character in text)
    text = "".join(character for character in text if unicodedata.category(character) not in _NOT_TEXT and character != "\ufeff")
    return unicodedata.normalize("NFC", " ".join(text.split()))


def clean_names(values: Iterable[Any]) -> tuple[str, ...]:
    """`clean_name` of each."""
    return tuple(map(clean_name, values))


def same_name_twice(names: Sequence[str]) -> tuple[int, int] | None:
    """The places of the first two names that are equal; None if all differ."""
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in first:
            return first[name], place
        first[name] = place
    return None


def printable(text: str, encoding: str | None = "utf-8") -> str:
    """`text` with what `encoding` cannot hold written as escapes (\\u2026)."""
    return text.encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")


def one_line(text: str) -> str:
    """`text` on one line."""
    return " ".join(str(text).split())


def shortened(value: Any, longest: int = LONGEST_VALUE) -> str:
    """repr of a value for a message; the middle of a long one is left out."""
    text = one_line(repr(value))
    return text if len(text) <= longest else f"{text[: longest * 2 // 3]} ... {text[-(longest // 4) :]}"


def csv_cell(value: Any) -> Any:
    """What to write into a cell of a CSV: a text on one line (`clean_name`), with an apostrophe before one that a spreadsheet would
    run as a formula.

    Numbers, and texts that are numbers, stay as they are.
    """
    if not isinstance(value, str):
        return value
    text = clean_name(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def csv_row(values: Iterable[Any]) -> list[Any]:
    """`csv_cell` of each."""
    return [csv_cell(value) for value in values]
