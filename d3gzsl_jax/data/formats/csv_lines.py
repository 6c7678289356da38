"""Lines of a CSV of texts and numbers, as cells."""

import csv
from pathlib import Path

from d3gzsl_jax.errors import UserError, cannot_read, reason

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_COLUMNS = {"file", "class"}


def csv_lines(path: Path, has_header: bool = False, columns: int = 1) -> list[tuple[int, list[str]]]:
    """Lines that hold something, as (number, cells); with commas between, of a .tsv tabs.

    Args:
        path: of the file.
        has_header: whether there must be at least one line, with names of columns.
        columns: how many there are at least.

    Raises:
        UserError: it cannot be read, is no text in UTF-8, is empty and must not be, or something else is between its cells.
    """
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
            lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except OSError as error:
        raise cannot_read(path, error) from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as UTF-8 text with commas ({reason(error)}); save it so") from None
    if has_header and not lines:
        raise UserError(f"{path}: is empty; it needs a first line with the names of its columns")
    if lines and (other := _other_separator(lines[0][1], separator, has_header, columns)):
        how = f"{_SEPARATORS[separator]} are needed; save it with {_SEPARATORS[separator]}"
        further = ", or as .tsv with tabs" if has_header and separator == "," else ""
        raise UserError(f"{path}: its cells are separated by {_SEPARATORS[other]}, and {how}{further}")
    return lines


def _other_separator(first: list[str], separator: str, has_header: bool, columns: int) -> str:
    """What is between the cells of a first line in place of the separator; '' where it may be part of a name."""
    for other in _SEPARATORS.keys() - {separator}:
        parts = [part.strip(' "').casefold() for part in first[0].split(other)]
        is_whole = len(first) == 1 and (has_header or columns > 1 or _COLUMNS.issuperset(parts))
        if len(parts) > 1 and (is_whole or (has_header and not _COLUMNS.isdisjoint(parts))):
            return other
    return ""
