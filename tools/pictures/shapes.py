"""Coloured shapes as PNG files, and a sentence about each: a set that works, and is made in a second.

    python tools/pictures/shapes.py FOLDER

Four shapes in four colours are sixteen classes: twelve have pictures in FOLDER/pictures; of the four others, each of a shape and a
colour that are seen apart, FOLDER/new has pictures to predict (a folder for each, or all in one with --flat), and
FOLDER/classes.csv a sentence, as of all. Size, place, tint and background of a shape are drawn by chance, the same in every run.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.pictures import folder
from tools.pictures.folder import Drawn

COLOURS = {"red": (205, 40, 45), "blue": (40, 80, 200), "green": (40, 150, 70), "yellow": (235, 200, 40)}
SHAPES = {
    "circle": "round, without any corner", "square": "with four equal sides and four corners", "triangle": "with three corners",
    "cross": "of two bars, one upright and one across, like a plus sign",
}  # fmt: skip
NEW = ("red square", "blue circle", "green cross", "yellow triangle")
_SIDE = 96  # pixels
_TINT = 18  # of a colour, and of the background


def drawn(count: int = 40, new_count: int = 20) -> list[Drawn]:
    """The sixteen classes. count, new_count: pictures of a class, and of one that is new."""
    names = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    found = []
    for place, (colour, shape) in enumerate(names):
        name = f"{colour} {shape}"
        numbers = range(1000 * place, 1000 * place + (new_count if name in NEW else count))
        description = f"A {colour} {shape}: a shape {SHAPES[shape]}, filled with {colour}."
        found.append(Drawn(name, description, name in NEW, _pictures(colour, shape, numbers)))
    return found


def _pictures(colour: str, shape: str, numbers: range) -> Iterator[tuple[int, Any]]:
    for number in numbers:
        yield number, _picture(COLOURS[colour], shape, np.random.default_rng(number))


def _picture(colour: tuple[int, int, int], shape: str, chance: np.random.Generator) -> Any:
    """A shape on a light ground."""
    from PIL import Image, ImageDraw

    ground, tint = 235 + chance.integers(-_TINT, _TINT, 3), np.array(colour) + chance.integers(-_TINT, _TINT, 3)
    picture = Image.new("RGB", (_SIDE, _SIDE), tuple(np.clip(ground, 0, 255).tolist()))
    half = chance.uniform(0.22, 0.36) * _SIDE
    x, y = (chance.uniform(half + 2, _SIDE - half - 2) for _ in range(2))
    corners = {"square": 4, "triangle": 3}
    draw, fill = ImageDraw.Draw(picture), tuple(np.clip(tint, 0, 255).tolist())
    if shape == "circle":
        draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)
    elif shape == "cross":
        draw.rectangle((x - half, y - half / 3, x + half, y + half / 3), fill=fill)
        draw.rectangle((x - half / 3, y - half, x + half / 3, y + half), fill=fill)
    else:
        draw.regular_polygon((x, y, half), corners[shape], rotation=float(chance.uniform(-12, 12)), fill=fill)
    return picture


def _options(parser: Parser) -> None:
    parser.add_argument("--count", type=int, default=40, metavar="N", help="pictures of a class (default: 40)")
    parser.add_argument("--new-count", type=int, default=20, metavar="N", help="of a class that is new (default: 20)")


def main(argv: list[str] | None = None) -> int:
    """Writes the pictures; returns the exit code."""
    return folder.command(argv, __doc__, _options, lambda given: drawn(given.count, given.new_count))


if __name__ == "__main__":
    sys.exit(run_command(main))
