"""Text from outside made fit to be shown and written: names of classes and data sets, messages of one line, cells of CSV files."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

LONGEST_VALUE = 120
"""Characters of a value that a message shows."""

_ALIKE = 0.7  # of two names' letters, for the one to be meant by the other
_NOT_TEXT = ("Cc", "Cs", "Cn")  # control characters, surrogates, what Unicode has not assigned
_STEERS = ("Cc", "Zl", "Zp")  # control characters, and what ends a line or a paragraph
_TURNS = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}  # bidirectional overrides and isolates
_FORMULA = re.compile(r"^[=+\-@＝＋－＠]")  # noqa: RUF001 (the full-width forms, which some spreadsheets take for the others)
_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$")


def clean_name(value: Any) -> str:
    """A name as a person would write it, on one line; '' where there is none.

    Bytes are read as UTF-8 (else Latin-1), arrays and lists of one value are unwrapped, surrogate pairs are joined, half of one
    becomes U+FFFD, control characters vanish, and blanks (line breaks among them) become one blank between words and none around.
    Letters with accents have one form (NFC), so that a name typed and a name read are the same.

    Args:
        value: what a file holds in place of a name.
    """
    import numpy as np  # here, because messages need this module before anything is computed

    while isinstance(value, np.ndarray | list | tuple):  # cells in cells, as MATLAB's
        parts = list(value.ravel()) if isinstance(value, np.ndarray) else list(value)
        if len(parts) == 1:
            value = parts[0]
        elif any(isinstance(part, np.ndarray | list | tuple) for part in parts):
            value = " ".join(map(clean_name, parts))
        else:  # characters, or nothing
            value = b"".join(parts) if parts and all(isinstance(part, bytes) for part in parts) else "".join(map(str, parts))
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
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


def text_of(codes: Iterable[int]) -> str:
    """The text of character codes, as MATLAB holds it; what is none becomes U+FFFD."""
    return "".join(chr(code) if 0 <= code < 0x110000 else "\ufffd" for code in codes)


def clean_names(values: Iterable[Any]) -> tuple[str, ...]:
    """`clean_name` of each."""
    return tuple(map(clean_name, values))


def folder_name(name: str) -> str:
    """What of a name can begin the name of a folder on any system: letters, digits, '_', '.' and '-', at most 60 of them."""
    plain = re.sub(r"[^\w.-]+", "-", clean_name(name)).strip(".-")
    return plain.encode()[:60].decode(errors="ignore") or "data"


def listed(names: Iterable[Any], most: int = 12) -> str:
    """Names for a message, with commas between: cleaned, each cut if it is long, the first `most` of them; '' for none."""
    found = [name if len(name) <= LONGEST_VALUE // 3 else f"{name[: LONGEST_VALUE // 3]}..." for name in clean_names(names)]
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def same_name_twice(names: Sequence[str]) -> tuple[int, int] | None:
    """The places of the first two names that are equal; None if all differ."""
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in first:
            return first[name], place
        first[name] = place
    return None


def evened(name: str) -> str:
    """A name without what hardly tells it from others: in small letters, with blanks for underscores."""
    return " ".join(clean_name(name).casefold().replace("_", " ").split())


def alike(name: str, others: Iterable[str]) -> str:
    """The first of other names that is `evened` the same as `name`; '' where none is."""
    return next((other for other in others if evened(other) == evened(name)), "")


def nearest(name: str, others: Sequence[str]) -> str:
    """The one of other names that is most likely meant by `name`: one that is `alike`, else one of nearly the same letters; ''
    where none is. By 'class 9' 'class 3' is not meant: another number is no slip."""
    if same := alike(name, others):
        return same
    known, given = {evened(other): other for other in others}, evened(name)[:LONGEST_VALUE]
    close = difflib.get_close_matches(given, known, n=3)
    return next((known[other] for other in close if _DIGITS.sub("", other) != _DIGITS.sub("", given)), "")


def did_you_mean(name: str, others: Sequence[str]) -> str:
    """'; did you mean OTHER?' of the one that is most likely meant by `name`, see `nearest`; '' where none is."""
    return f"; did you mean {meant}?" if (meant := nearest(name, others)) else ""


def nearest_file(name: str, others: Sequence[str]) -> str:
    """The one of other file names that is most likely meant by `name`: in other letters, with another suffix, or nearly the same
    without the suffix, which all files of a kind have in common; '' where none is."""
    others = [other for other in others if other != name]
    if same := next((other for other in others if other.casefold() == name.casefold()), ""):
        return same
    stems = {PurePath(other).stem: other for other in reversed(others)}
    close = difflib.get_close_matches(PurePath(name).stem[:LONGEST_VALUE], stems, n=1, cutoff=_ALIKE)
    return stems[close[0]] if close else ""


def ended(text: str) -> str:
    """A sentence with a full stop, unless it ends already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def printable(text: str, encoding: str | None = "utf-8") -> str:
    """`text` with what `encoding` cannot hold written as escapes (\\u2026)."""
    return text.encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")


def visible(text: str) -> str:
    """`text` for a terminal, on one line: characters that would steer it, break the line (as those of a path may) or turn the
    direction of writing, as escapes."""
    steers = lambda c: unicodedata.category(c) in _STEERS or c in _TURNS  # noqa: E731
    return "".join(c.encode("unicode_escape").decode() if steers(c) else c for c in text)


def one_line(text: object) -> str:
    """`text` on one line."""
    return " ".join(str(text).split())


def shortened(value: Any, longest: int = LONGEST_VALUE) -> str:
    """repr of a value for a message; the middle of a long one is left out."""
    try:
        text = repr(value)
    except Exception:  # a whole number of more digits than Python writes, or an object of somebody's own
        text = f"<{type(value).__name__}>"
    return cut(one_line(text), longest)


def cut(text: str, longest: int = LONGEST_VALUE) -> str:
    """`text` as it was given, on one line (see `visible`; `one_line` is for the messages of libraries); the middle of a long one is
    left out."""
    text = visible(text)
    return text if len(text) <= longest else f"{text[: longest * 2 // 3]} ... {text[-(longest // 4) :]}"


def given(text: str) -> str:
    """What was given in place of a word, for the end of a message: `cut`, and nothing as ''."""
    return cut(text) or "''"


def csv_cell(value: Any) -> Any:
    """What to write into a cell of a CSV: a text on one line (`clean_name`), with an apostrophe before one that a spreadsheet would
    run as a formula.

    Numbers, and texts that are numbers as Python writes them, stay as they are.
    """
    if not isinstance(value, str):
        return value
    text = clean_name(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def csv_row(values: Iterable[Any]) -> list[Any]:
    """`csv_cell` of each."""
    return [csv_cell(value) for value in values]
