"""An embedded benchmark that needs no download: real 8x8 images of handwritten digits with visual stroke attributes.

Images: the 1797 digits shipped inside scikit-learn (UCI Optical Recognition of Handwritten Digits, test set; Alpaydin and
Kaynak 1998). Features are the 64 grey values.

Attributes (21 per digit, 0 or 1) say what the usual handwritten form of a digit looks like:
- where its strokes run, on a grid of 5 rows and 3 columns (without the middle cells of top and bottom row, which all digits have);
- closed loops: in the upper half, in the lower half, over the full height;
- openings of its upper half (to the left, to the right, to the top) and of its lower half (to the left, to the right).

Unseen digits are 3, 6 and 9. They were chosen for what they look like, before anything was trained: each is roughly a new
combination of an upper half and a lower half that seen digits show. 3 is the upper half of 2 over the lower half of 5; 6 the
upper half of 5, bent, over the lower half of 8; 9 the upper half of 8 over the lower half of 4 and 7. Every attribute is present
in at least one seen digit and absent in at least one. (The attributes were revised once: seven-segment strokes in place of the
grid did not carry over to classes held out among the seven seen digits. docs/components.md tells.) Trainval and test_seen are a
fixed, seeded 80/20 split within each seen digit.
"""

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData

_CELLS = tuple((row, column) for row in range(5) for column in range(3) if (row, column) not in ((0, 1), (4, 1)))
ATTRIBUTES = (
    *(f"stroke in row {row + 1} of 5, {('left', 'middle', 'right')[column]}" for row, column in _CELLS),
    "loop upper", "loop lower", "loop full height", "upper half open to the left", "upper half open to the right",
    "upper half open to the top", "lower half open to the left", "lower half open to the right",
)  # fmt: skip

# strokes on the grid, top row first; loops upper, lower, full; upper half open left, right, top; lower half open left, right
_FORMS = (
    ("111 101 101 101 111", "001 000 00"),  # 0
    ("010 010 010 010 010", "000 000 00"),  # 1
    ("111 001 010 100 111", "000 100 01"),  # 2
    ("111 001 011 001 111", "000 100 10"),  # 3
    ("010 100 111 010 010", "000 001 10"),  # 4
    ("111 100 111 001 111", "000 010 10"),  # 5
    ("010 100 111 101 111", "010 010 00"),  # 6
    ("111 001 011 010 010", "000 100 10"),  # 7
    ("111 101 010 101 111", "110 000 00"),  # 8
    ("111 101 111 001 010", "100 000 10"),  # 9
)
UNSEEN = (3, 6, 9)


def stroke_attributes() -> np.ndarray:
    """The attribute matrix (10, 21) float32, rows by digit, columns as in ATTRIBUTES."""
    rows = []
    for grid, shape in _FORMS:
        cells = grid.split()
        rows.append([int(cells[row][column]) for row, column in _CELLS] + [int(x) for x in shape.replace(" ", "")])
    return np.array(rows, np.float32)


def read_digits(unseen: tuple[int, ...] = UNSEEN) -> GZSLData:
    """The benchmark: 1797 rows of 64 grey values in 0..16; other `unseen` digits make other benchmarks of the same kind."""
    values = _table()
    labels = values[:, -1].astype(np.int64)
    rng = np.random.default_rng(0)
    trainval, test_seen = [], []
    for digit in range(10):
        rows = rng.permutation(np.flatnonzero(labels == digit))
        if digit not in unseen:
            cut = round(0.8 * len(rows))
            trainval.append(rows[:cut])
            test_seen.append(rows[cut:])
    return GZSLData(
        name="digits",
        features=values[:, :-1].astype(np.float32),
        labels=labels,
        semantics=stroke_attributes(),
        class_names=tuple(str(digit) for digit in range(10)),
        trainval=np.sort(np.concatenate(trainval)),
        test_seen=np.sort(np.concatenate(test_seen)),
        test_unseen=np.flatnonzero(np.isin(labels, unseen)),
        declared_unseen=np.array(unseen, np.int64),
        provenance={"source": "digits", "feature_file": "scikit-learn digits", "semantics": "strokes", "sha256": {}},
    )


def _table() -> np.ndarray:
    """What scikit-learn's load_digits reads, (1797, 65) float64: 64 grey values and the digit. The file is read without importing
    scikit-learn, which takes a second, where it lies where it has always lain."""
    found = importlib.util.find_spec("sklearn")
    file = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz" if found and found.origin else None
    if file is not None and file.is_file():
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            return np.loadtxt(lines, delimiter=",")
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.column_stack([digits.data, digits.target])
