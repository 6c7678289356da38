"""Lines of a CSV of texts and numbers, as cells."""

import csv
from pathlib import Path

from d3gzsl_jax.errors import UserError, cannot_read, reason


def csv_lines(path: Path, has_header: bool = False) -> list[tuple[int, list[str]]]:
    """Lines that hold something, as (number, cells); with commas between, of a .tsv tabs.

    Args:
        path: of the file.
        has_header: whether there must be at least one line, with names of columns.

    Raises:
        UserError: it cannot be read, is no text in UTF-8, or is empty and must not be.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, "excel-tab" if path.suffix.lower() == ".tsv" else "excel", skipinitialspace=True)
            lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except OSError as error:
        raise cannot_read(path, error) from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as UTF-8 text with commas ({reason(error)}); save it so") from None
    if has_header and not lines:
        raise UserError(f"{path}: is empty; it needs a first line with the names of its columns")
    return lines
