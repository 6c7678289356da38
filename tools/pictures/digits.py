"""The digits as a new user has pictures: PNG files in a folder for each class, and a sentence about what each digit looks like.

    python tools/pictures/digits.py FOLDER

FOLDER/pictures has folders of seven digits, FOLDER/new those of the three that are known by words only, to predict (a folder for
each, or all in one with --flat), FOLDER/classes.csv a line for each of the ten. The images are scikit-learn's, of 8 by 8 pixels.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sklearn.datasets import load_digits

from d3gzsl_jax.data.digits import UNSEEN
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.pictures import folder
from tools.pictures.folder import Drawn

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


def drawn(per_digit: int = 0, new_per_digit: int = 0, size: int = 64) -> list[Drawn]:
    """The ten digits.

    Args:
        per_digit: pictures of each of the seven digits, 0 for all there are.
        new_per_digit: of each of the three others, 0 for all.
        size: pixels of a side, to which the 8 by 8 are enlarged.
    """
    from PIL import Image

    digits = load_digits()

    def pictures(rows: np.ndarray) -> Iterator[tuple[int, Any]]:
        for row in rows.tolist():
            grey = np.rint(255 - digits.images[row] * (255 / 16)).astype(np.uint8)  # dark on white, as on paper
            yield row, Image.fromarray(grey).resize((size, size), Image.Resampling.BICUBIC)

    found = []
    for digit, (name, description) in enumerate(zip(NAMES, DESCRIPTIONS, strict=True)):
        is_new = digit in UNSEEN
        rows = np.flatnonzero(digits.target == digit)[: (new_per_digit if is_new else per_digit) or None]
        found.append(Drawn(name, description, is_new, pictures(rows)))
    return found


def _options(parser: Parser) -> None:
    parser.add_argument("--per-digit", type=int, default=0, metavar="N", help="of each of the seven digits (default: all)")
    parser.add_argument("--new-per-digit", type=int, default=0, metavar="N", help="of each of the three others (default: all)")
    parser.add_argument("--size", type=int, default=64, metavar="PIXELS")


def main(argv: list[str] | None = None) -> int:
    """Writes the pictures; returns the exit code."""
    return folder.command(argv, __doc__, _options, lambda given: drawn(given.per_digit, given.new_per_digit, given.size))


if __name__ == "__main__":
    sys.exit(run_command(main))
