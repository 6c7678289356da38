"""GZSLData: the one in-memory form of a benchmark, whatever file it came from."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from d3gzsl_jax.text import shortened

ROLES = ("trainval", "test_seen", "test_unseen")
"""The fields of row numbers that every reader fills."""
TESTED = ROLES[1:]
"""Those that may hold no rows, see data_warnings.py."""


@dataclasses.dataclass(frozen=True, repr=False)
class GZSLData:
    """Features, semantics and split roles of a generalized zero-shot benchmark; classes keep their original ids 0..C-1.

    Attributes:
        name: dataset name, for messages and results.
        features: (N, dx) raw features, as stored: floats or whole numbers of any width.
        labels: (N,) int64 original class ids.
        semantics: (C, da) float32 semantic vectors, by original id.
        class_names: C names.
        trainval, test_seen, test_unseen: int64 row numbers, 0-based. Without test_seen rows this is plain zero-shot learning: T1 is
            known, and no figure that needs seen rows. Without test_unseen rows there are semantics alone of unseen classes: no
            figure that needs their rows is known but on folds.
        extra_roles: further row lists some files carry (for example 'train' and 'val'), kept as they are but never trained on.
        declared_unseen: unseen class ids where a file states them; otherwise every class without trainval rows is unseen.
        provenance: where it came from: 'source', 'feature_file', 'semantics', 'normalized' and 'sha256' by file.
        keys: what the files call a field, for messages ('labels' may be "'labels' in res101.mat").
        first: the number files count rows and classes from (1 in `.mat` files, 0 elsewhere), for messages.
        file_rows: (N,) and
        file_classes: (C,) which row and class of the files, counted from 0, each of these is; None where all are there in order.
        representations: (N, dr) a further array per row, raw as features are, for methods that take one; None where there is none.
        row_names: (N,) text, a name for each row, as of the picture's file; None where there are none.
        descriptions: C texts, what each class looks like in words, several joined by line breaks; None where there are none.
    """

    name: str
    features: np.ndarray
    labels: np.ndarray
    semantics: np.ndarray
    class_names: tuple[str, ...]
    trainval: np.ndarray
    test_seen: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    test_unseen: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    extra_roles: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    declared_unseen: np.ndarray | None = None
    provenance: Mapping[str, object] = dataclasses.field(default_factory=dict)
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    first: int = 0
    file_rows: np.ndarray | None = None
    file_classes: np.ndarray | None = None
    representations: np.ndarray | None = None
    row_names: np.ndarray | None = None
    descriptions: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        """One line, also of arrays that are not validated yet."""
        shapes = {name: np.shape(getattr(self, name)) for name in ("features", "semantics")}
        roles = ", ".join(f"{name} {np.size(getattr(self, name))}" for name in ROLES)
        return f"GZSLData({self.name}: features {shapes['features']}, semantics by class {shapes['semantics']}; rows: {roles})"

    @property
    def class_count(self) -> int:
        """C = |S| + |U|."""
        return self.semantics.shape[0]

    @property
    def feature_size(self) -> int:
        """dx."""
        return self.features.shape[1]

    @property
    def representation_size(self) -> int:
        """dr; 0 without representations."""
        return 0 if self.representations is None else self.representations.shape[1]

    def representations_of(self, rows: np.ndarray) -> np.ndarray | None:
        """(n, dr) of rows (n,); None without representations."""
        return None if self.representations is None else self.representations[rows]

    @property
    def semantic_size(self) -> int:
        """da."""
        return self.semantics.shape[1]

    @cached_property
    def seen_classes(self) -> np.ndarray:
        """Ascending int32 ids of the classes that have trainval rows."""
        return np.unique(self.labels[self.trainval]).astype(np.int32)

    @cached_property
    def unseen_classes(self) -> np.ndarray:
        """Ascending int32 ids of all other classes."""
        return np.setdiff1d(np.arange(self.class_count), self.seen_classes).astype(np.int32)

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of what must agree before figures may stand in one table: features, semantics, and split (labels and roles)."""
        split = sha256_of(self.labels, self.trainval, self.test_seen, self.test_unseen)
        found = {"features": sha256_of(self.features), "semantics": sha256_of(self.semantics), "split": split}
        return found if self.representations is None else found | {"representations": sha256_of(self.representations)}

    def key(self, field: str) -> str:
        """How a message should name `field`, for example \"'labels' in CUB/res101.mat\"."""
        return self.keys.get(field, field)

    def row(self, row: int) -> int:
        """The number of a row for a message: as the files count."""
        numbers = self.file_rows
        return (int(numbers[row]) if numbers is not None and 0 <= row < len(numbers) else int(row)) + self.first

    def rows_there(self, listed: np.ndarray) -> np.ndarray:
        """Those of a list of row numbers, (k,) int64 in its order, that are rows of the data; none of a list of something else.
        Nobody checks the lists of `extra_roles`."""
        listed = np.ravel(listed)
        rows = listed.astype(np.int64) if listed.dtype.kind in "iu" else np.zeros(0, np.int64)
        return rows[(rows >= 0) & (rows < np.size(self.labels))]

    def class_text(self, label: int) -> str:
        """What a message, a result or a warning calls a class, see `class_text`."""
        numbers = self.file_classes
        number = int(numbers[label]) if numbers is not None and 0 <= label < len(numbers) else int(label)
        return class_text(label, self.class_names, number + self.first)


def class_text(label: int, names: Sequence[str], in_file: int | None = None) -> str:
    """What to call a class, as in "class 2 ('zebra'; 3 in the file)": its id, from 0 wherever a user sees or gives one, if it
    has one of its own, and the number that its file counts it by where that is another.

    Args:
        label: the id.
        names: of the classes, by id.
        in_file: what the file calls it by; None where there is no file.
    """
    told = [shortened(names[label])] if 0 <= label < len(names) and names[label] != f"class {label}" else []
    told += [f"{in_file} in the file"] if in_file is not None and in_file != label else []
    return f"class {int(label)}" + (f" ({'; '.join(told)})" if told else "")


def sha256_of(*arrays: np.ndarray) -> str:
    """SHA-256 of dtypes, shapes and contents, hexadecimal."""
    found = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(array.view(np.uint8).data if array.size else b"")
    return found.hexdigest()
