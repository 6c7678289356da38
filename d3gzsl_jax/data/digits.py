"""An embedded benchmark that needs no download: real 8x8 images of handwritten digits with visual stroke attributes.

Images: the 1797 digits shipped inside scikit-learn (UCI Optical Recognition of Handwritten Digits, test set; Alpaydin and
Kaynak 1998). Features are the 64 grey values.

Attributes (16 per digit, 0 or 1) say what strokes the usual handwritten form of a digit has:
- the seven segments of a seven-segment display it covers: top, upper left, upper right, middle, lower left, lower right, bottom;
- closed loops: in the upper half, in the lower half, over the full height;
- openings of its upper half (to the left, to the right, to the top) and of its lower half (to the left, to the right);
- a single vertical stroke in the middle of the image (the digit 1 here is written so, not at the right edge).

Unseen digits are 3, 6 and 9. They were chosen for what they look like, before anything was trained: each is a new combination
of an upper half and a lower half that seen digits show. 3 is the upper half of 2 over the lower half of 5; 6 the upper half of
5 over the lower half of 8; 9 the upper half of 8 over the lower half of 4 and 7. Every attribute is present in at least one seen
digit and absent in at least one. Trainval and test_seen are a fixed, seeded 80/20 split within each seen digit.
"""

import numpy as np
from sklearn.datasets import load_digits

from d3gzsl_jax.data.gzsl_data import GZSLData

ATTRIBUTES = (
    "segment top", "segment upper left", "segment upper right", "segment middle", "segment lower left", "segment lower right",
    "segment bottom", "loop upper", "loop lower", "loop full height", "upper half open to the left",
    "upper half open to the right", "upper half open to the top", "lower half open to the left", "lower half open to the right",
    "vertical stroke in the middle",
)  # fmt: skip

#              t ul ur  m ll lr  b   lu ll lf   ul ur ut dl dr   v
_STROKES = (
    "0             1  1  1  0  1  1  1    0  0  1    0  0  0  0  0    0",
    "1             0  0  0  0  0  0  0    0  0  0    0  0  0  0  0    1",
    "2             1  0  1  1  1  0  1    0  0  0    1  0  0  0  1    0",
    "3             1  0  1  1  0  1  1    0  0  0    1  0  0  1  0    0",
    "4             0  1  1  1  0  1  0    0  0  0    0  0  1  1  0    0",
    "5             1  1  0  1  0  1  1    0  0  0    0  1  0  1  0    0",
    "6             1  1  0  1  1  1  1    0  1  0    0  1  0  0  0    0",
    "7             1  0  1  0  0  1  0    0  0  0    1  0  0  1  0    0",
    "8             1  1  1  1  1  1  1    1  1  0    0  0  0  0  0    0",
    "9             1  1  1  1  0  1  0    1  0  0    0  0  0  1  0    0",
)
UNSEEN = (3, 6, 9)


def stroke_attributes() -> np.ndarray:
    """The attribute matrix (10, 16) float32, rows by digit, columns as in ATTRIBUTES."""
    return np.array([line.split()[1:] for line in _STROKES], np.float32)


def read_digits(unseen: tuple[int, ...] = UNSEEN) -> GZSLData:
    """The benchmark; other `unseen` digits make other benchmarks of the same kind, for choosing settings on."""
    digits = load_digits()
    labels = digits.target.astype(np.int64)
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
        features=digits.data.astype(np.float32),
        labels=labels,
        semantics=stroke_attributes(),
        class_names=tuple(str(digit) for digit in range(10)),
        trainval=np.sort(np.concatenate(trainval)),
        test_seen=np.sort(np.concatenate(test_seen)),
        test_unseen=np.flatnonzero(np.isin(labels, unseen)),
        declared_unseen=np.array(unseen, np.int64),
        provenance={"source": "digits", "feature_file": "scikit-learn digits", "semantics": "strokes", "sha256": {}},
    )
