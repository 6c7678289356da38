"""GZSLData: the one in-memory form of a benchmark, whatever file it came from."""

import dataclasses
import hashlib
from collections.abc import Mapping
from functools import cached_property

import numpy as np


@dataclasses.dataclass(frozen=True)
class GZSLData:
    """Features, semantics and split roles of a generalized zero-shot benchmark; classes keep their original ids 0..C-1.

    Attributes:
        name: dataset name, for messages and results.
        features: (N, dx) raw float features, as stored.
        labels: (N,) int64 original class ids.
        semantics: (C, da) float32 semantic vectors, by original id.
        class_names: C names.
        trainval, test_seen, test_unseen: int64 row numbers, 0-based.
        extra_roles: further row lists some files carry (for example 'train' and 'val'), kept but never trained on.
        declared_unseen: unseen class ids where a file states them; otherwise every class without trainval rows is unseen.
        provenance: where it came from: 'source', 'feature_file', 'semantics', 'normalized' and 'sha256' by file.
        keys: what the files call a field, for messages ('labels' may be "'labels' in res101.mat").
        first: the number files count rows and classes from (1 in `.mat` files, 0 elsewhere), for messages.
    """

    name: str
    features: np.ndarray
    labels: np.ndarray
    semantics: np.ndarray
    class_names: tuple[str, ...]
    trainval: np.ndarray
    test_seen: np.ndarray
    test_unseen: np.ndarray
    extra_roles: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    declared_unseen: np.ndarray | None = None
    provenance: Mapping[str, object] = dataclasses.field(default_factory=dict)
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    first: int = 0

    @property
    def class_count(self) -> int:
        """C = |S| + |U|."""
        return self.semantics.shape[0]

    @property
    def feature_size(self) -> int:
        """dx."""
        return self.features.shape[1]

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
        return {"features": sha256_of(self.features), "semantics": sha256_of(self.semantics), "split": split}

    def key(self, field: str) -> str:
        """How a message should name `field`, for example \"'labels' in CUB/res101.mat\"."""
        return self.keys.get(field, field)


def sha256_of(*arrays: np.ndarray) -> str:
    """SHA-256 of dtypes, shapes and contents, hexadecimal."""
    found = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(array.view(np.uint8).data if array.size else b"")
    return found.hexdigest()
