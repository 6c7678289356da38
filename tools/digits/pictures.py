"""The digits as a new user has pictures: PNG files in a folder for each class, and a sentence about what each digit looks like.

    python tools/digits/pictures.py FOLDER

FOLDER/pictures has folders of seven digits, FOLDER/new those of the three that are known by words only, to predict (a folder for
each, or all in one with --flat), FOLDER/classes.csv a line for each of the ten. The images are scikit-learn's, of 8 by 8 pixels.
"""

import argparse
import csv
import io
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sklearn.datasets import load_digits

from d3gzsl_jax.data.digits import UNSEEN
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.text import csv_row

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DESCRIPTIONS = (
    "A closed ring, taller than wide, with one large hole that runs from top to bottom and nothing in the middle.",
    "A single straight vertical stroke, sometimes with a short flag at its top; it has no loop and no curve.",
    "A bow at the top that opens to the left, a slanted stroke down to the left, and a straight horizontal base line.",
    "Two bows, one above the other, both open to the left; the strokes meet in the middle of the right side.",
    "A short slanted stroke on the left, a bar across the middle, and a long vertical stroke on the right; it is open at the top.",
    "A horizontal bar at the top, a short vertical stroke down its left end, and a round bow at the bottom that opens to the left.",
    "A long stroke bent to the left that comes down from the top and closes a round loop in the lower half.",
    "A horizontal bar at the top, and from its right end a long slanted stroke down; it has no loop.",
    "Two closed loops, one above the other, that touch in the middle; there are two holes.",
    "A round closed loop in the upper half, and from its right side a stroke that runs straight down.",
)


def write(folder: Path, per_digit: int = 0, new_per_digit: int = 0, size: int = 64, flat: bool = False) -> None:
    """Writes pictures and classes.csv.

    Args:
        folder: where to; what is there of these names is written over.
        per_digit: pictures of each of the seven digits, 0 for all there are.
        new_per_digit: of each of the three others, 0 for all.
        size: pixels of a side, to which the 8 by 8 are enlarged.
        flat: the new pictures all in one folder, called by numbers, so that nothing tells their class.

    Raises:
        UserError: the folder cannot be written.
    """
    from PIL import Image

    folder, digits = paths.clean(folder, "FOLDER"), load_digits()
    paths.make_folder(folder, "FOLDER")
    for digit, name in enumerate(NAMES):
        is_new = digit in UNSEEN
        rows = np.flatnonzero(digits.target == digit)[: (new_per_digit if is_new else per_digit) or None]
        place = folder / ("new" if is_new else "pictures") / ("" if is_new and flat else name)
        paths.make_folder(place, "FOLDER")
        for row in rows:
            grey = np.rint(255 - digits.images[row] * (255 / 16)).astype(np.uint8)  # dark on white, as on paper
            picture = Image.fromarray(grey).resize((size, size), Image.Resampling.BICUBIC)
            picture.save(place / (f"{row:04d}.png" if is_new and flat else f"{name}-{row:04d}.png"))
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(map(csv_row, [("class", "description"), *zip(NAMES, DESCRIPTIONS, strict=True)]))
    write_text(folder / "classes.csv", lines.getvalue())


def main(argv: list[str] | None = None) -> int:
    """Writes the pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--per-digit", type=int, default=0, metavar="N", help="of each of the seven digits (default: all)")
    parser.add_argument("--new-per-digit", type=int, default=0, metavar="N", help="of each of the three others (default: all)")
    parser.add_argument("--size", type=int, default=64, metavar="PIXELS")
    parser.add_argument("--flat", action="store_true", help="the new pictures all in one folder")
    args = parser.parse_args(argv)
    try:
        write(args.folder, args.per_digit, args.new_per_digit, args.size, args.flat)
    except UserError as error:
        print(f"pictures: {error}", file=sys.stderr)
        return 2
    counts = {name: sum(len(files) for _, _, files in os.walk(args.folder / name)) for name in ("pictures", "new")}
    print(f"wrote {args.folder}: {counts['pictures']} pictures of seven digits, {counts['new']} of three others, and classes.csv")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
