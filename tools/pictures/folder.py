"""Pictures and sentences as a new user has them: PNG files in folders, and a CSV of class and description."""

import argparse
import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from d3gzsl_jax.system import paths
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.text import csv_row


class Drawn(NamedTuple):
    """Pictures of a class.

    Attributes:
        name: of the class.
        description: a sentence.
        is_new: whether it is known by the sentence alone.
        pictures: of Pillow, each with a number that no other of the set has.
    """

    name: str
    description: str
    is_new: bool
    pictures: Iterable[tuple[int, Any]]


def write(folder: Path, classes: Sequence[Drawn], flat: bool = False) -> None:
    """Writes FOLDER/pictures, a folder for each class that is not new, FOLDER/new and FOLDER/classes.csv.

    Args:
        folder: where to; what is there of these names is written over.
        classes: in the order of the CSV.
        flat: the new pictures all in one folder, called by numbers, so that nothing tells their class; else in one for each.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = paths.clean(folder, "FOLDER")
    paths.make_folder(folder, "FOLDER")
    for one in classes:
        has_no_name = one.is_new and flat
        place = folder / ("new" if one.is_new else "pictures") / ("" if has_no_name else one.name)
        paths.make_folder(place, "FOLDER")
        for number, picture in one.pictures:
            picture.save(place / (f"{number:04d}.png" if has_no_name else f"{one.name}-{number:04d}.png"))
    lines = io.StringIO(newline="")
    rows = [("class", "description"), *((one.name, one.description) for one in classes)]
    csv.writer(lines).writerows(map(csv_row, rows))
    write_text(folder / "classes.csv", lines.getvalue())


def command(
    argv: list[str] | None, about: str | None, options: Callable[[Parser], None],
    draw: Callable[[argparse.Namespace], Sequence[Drawn]],
) -> int:
    """The command line of a set; returns the exit code.

    Args:
        argv: of the command; None for the process's own.
        about: its help.
        options: adds those of the set.
        draw: from all options to its classes.
    """
    parser = Parser(description=about)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    options(parser)
    parser.add_argument("--flat", action="store_true", help="the new pictures all in one folder, as yours will be")
    given = parser.parse_args(argv)
    classes = draw(given)
    write(given.folder, classes, given.flat)
    counts = {name: sum(len(files) for _, _, files in os.walk(given.folder / name)) for name in ("pictures", "new")}
    new = sum(one.is_new for one in classes)
    print(
        f"wrote {given.folder}: {counts['pictures']} pictures of {len(classes) - new} classes, {counts['new']} of {new} others, "
        "and classes.csv"
    )
    return 0
