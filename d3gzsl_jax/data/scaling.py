"""From raw features to what the networks see.

Features of any width are scaled in float64 and used as float32. Those that are stored as float32 are scaled in float32, as
scikit-learn does and runs have always done, where that is as good: where no dimension lies further from 0 than `_FAR` times its
range, float32 moves no scaled value of trainval by more than 1e-6. The arithmetic is the model's: whatever width a row comes in
later, its scaled values are the same to the bit. All but min-max scaling is done in float64.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.errors import UserError

_FAR = 8.0
_CHUNK_ROWS = 4096  # scaled at a time: no copy of all features in float64
KINDS = ("minmax", "standard", "unit", "none")
LARGEST = 1e15  # of a scaled value, which should lie about [0, 1]: beyond, sums within a network leave float32


@dataclasses.dataclass(frozen=True)
class Scaling:
    """What the features of any row go through, fitted on trainval: x scale + offset in each dimension, then division by `top`.

    Attributes:
        scale, offset: (dx,), both float32 or both float64: the arithmetic that rows are scaled in. 1 and 0 for 'unit' and 'none'.
        top: the maximum of scaled trainval for 'minmax', else 1.
        kind: one of KINDS: 'minmax', to [0, 1] on trainval; 'standard', to mean 0 and standard deviation 1; 'unit', each row to
            length 1 (one of zeros stays), whatever the others are; 'none'. A dimension constant on trainval becomes 0 by the first
            two.
        length: for 'unit', the mean length of the trainval rows, else 1. How long a row was is lost, so the inverse gives rows the
            lengths they have times this: rows of length 1 become as long as raw ones are on average.
    """

    scale: np.ndarray
    offset: np.ndarray
    top: float
    kind: str = "minmax"
    length: float = 1.0

    @classmethod
    def fit(cls, features: np.ndarray, kind: str = "minmax") -> "Scaling":
        """Fits to trainval rows (n, dx) of any real type."""
        if kind == "minmax":
            return cls._fit_range(features)
        if kind == "standard":
            return cls._fit_deviation(features)
        if kind not in KINDS:
            raise ValueError(f"unknown scaling {kind!r}, expected one of {', '.join(KINDS)}")
        ones, lengths = np.ones(features.shape[1]), _lengths(features).mean() if kind == "unit" else 1.0
        return cls(scale=ones, offset=0.0 * ones, top=1.0, kind=kind, length=float(lengths) or 1.0)

    @classmethod
    def _fit_deviation(cls, features: np.ndarray) -> "Scaling":
        from sklearn.preprocessing import StandardScaler  # a second to import, for this kind alone

        scaler, first, constant = StandardScaler(), features[:1].astype(np.float64), np.ones(features.shape[1], bool)
        for start in range(0, len(features), _CHUNK_ROWS):
            rows = features[start : start + _CHUNK_ROWS].astype(np.float64)
            scaler.partial_fit(rows)
            constant &= (rows == first).all(axis=0)
        scale = np.where(constant, 1.0, 1.0 / scaler.scale_)
        return cls(scale=scale, offset=-np.where(constant, first[0], scaler.mean_) * scale, top=1.0, kind="standard")

    @classmethod
    def _fit_range(cls, features: np.ndarray) -> "Scaling":
        own = np.float32 if features.dtype.type is np.float32 and _float32_will_do(features) else np.float64
        low, high = features.min(axis=0).astype(own), features.max(axis=0).astype(own)
        wide = high - low
        # As scikit-learn's MinMaxScaler, which takes a second to import: a dimension with next to no range is not stretched.
        scale = own(1.0) / np.where(wide < 10 * np.finfo(own).eps, own(1.0), wide)
        unit = cls(scale=scale, offset=own(0.0) - low * scale, top=1.0)
        return dataclasses.replace(unit, top=float(unit.apply(features).max()))

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Scaled float32 rows of raw ones (n, dx) of any real type; rows that were not fitted to may leave the range that those
        have, and what float32 cannot hold becomes infinite (see `check_scaled`)."""
        scaled = np.empty((len(features), len(self.scale)), np.float32)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for start in range(0, len(features), _CHUNK_ROWS):
                rows = features[start : start + _CHUNK_ROWS].astype(self.scale.dtype)
                if self.kind == "unit":
                    lengths = _lengths(rows)[:, None]
                    rows = rows / np.where(lengths > 0, lengths, 1.0)
                scaled[start : start + _CHUNK_ROWS] = rows * self.scale + self.offset
        return scaled if self.top == 1.0 else np.asarray(scaled / np.float32(self.top), np.float32)

    def invert(self, features: np.ndarray) -> np.ndarray:
        """Raw rows of scaled ones (n, dx), float32; what that cannot hold becomes its largest value. Of 'unit', see `length`."""
        with np.errstate(over="ignore"):
            raw = (features.astype(np.float64) * self.top - self.offset) / self.scale * self.length
        largest = np.finfo(np.float32).max
        return np.clip(raw, -largest, largest).astype(np.float32)

    def notes(self) -> dict[str, Any]:
        """What JSON can hold of it."""
        return {
            "scale": self.scale.tolist(), "offset": self.offset.tolist(), "top": self.top, "arithmetic": self.scale.dtype.name,
            "kind": self.kind, **({"length": self.length} if self.kind == "unit" else {}),
        }  # fmt: skip

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> "Scaling":
        """Of what `notes` gave. Earlier versions did not note the arithmetic, which was float32 where that holds every number, nor
        the kind, which was 'minmax'."""
        scale, offset = (np.asarray(notes[name], np.float64) for name in ("scale", "offset"))
        with np.errstate(over="ignore", under="ignore"):
            narrow = all(np.array_equal(array.astype(np.float32), array) for array in (scale, offset))
        own = np.dtype(notes.get("arithmetic") or ("float32" if narrow else "float64"))
        return cls(
            scale=scale.astype(own), offset=offset.astype(own), top=float(notes["top"]), kind=notes.get("kind") or "minmax",
            length=float(notes.get("length") or 1.0),
        )


def _lengths(features: np.ndarray) -> np.ndarray:
    """L2 norms (n,) float64 of rows (n, dx) of any real type, some at a time; no square overflows that a norm does not."""
    found = np.empty(len(features))
    for start in range(0, len(features), _CHUNK_ROWS):
        rows = np.abs(features[start : start + _CHUNK_ROWS].astype(np.float64))
        largest = rows.max(axis=1, initial=0.0)
        divisor = np.where(largest > 0, largest, 1.0)
        found[start : start + _CHUNK_ROWS] = largest * np.linalg.norm(rows / divisor[:, None], axis=1)
    return found


def _float32_will_do(features: np.ndarray) -> bool:
    low, high = features.min(axis=0).astype(np.float64), features.max(axis=0).astype(np.float64)
    wide, vary = high - low, high > low
    # Where float32 takes a range for none, see scikit-learn, or the offset eats up the digits.
    seen_as_none = wide < 10 * np.finfo(np.float32).eps
    far = np.maximum(np.abs(low), np.abs(high)) > _FAR * wide
    return not (vary & (seen_as_none | far)).any()


def check_scaled(scaled: np.ndarray, name: str, first: int = 0) -> None:
    """Refuses scaled rows (n, dx) so far from those that were trained on that no network could say anything of them.

    Args:
        name: of what they are rows of, for the message.
        first: what it calls the first of them.

    Raises:
        UserError: naming row and dimension.
    """
    bad = ~(np.abs(scaled) <= LARGEST)  # NaN is not either
    if bad.any():
        at = int(np.argmax(bad.any(axis=1)))
        column = int(np.argmax(bad[at]))
        raise UserError(
            f"{name}: row {first + at} lies {scaled[at, column]:.0e} times the range of the training rows away in dimension "
            f"{column} ({int(bad.any(axis=1).sum())} such rows), which float32 cannot compute with; extract it again "
            "or drop it"
        )


@dataclasses.dataclass(frozen=True)
class SplitArrays:
    """Preprocessed float32 rows (n, dx) and int32 original labels (n,) of the three splits, and how they were scaled.

    A row is its features; for a method that takes representations which come with the data, these stand behind them, (n, dx + dr),
    scaled as features are, by themselves.
    """

    train_rows: np.ndarray
    train_labels: np.ndarray
    test_seen_rows: np.ndarray
    test_seen_labels: np.ndarray
    test_unseen_rows: np.ndarray
    test_unseen_labels: np.ndarray
    scaling: Scaling
    representation_scaling: Scaling | None = None

    @property
    def train_features(self) -> np.ndarray:
        """(n, dx)."""
        return self._features(self.train_rows)

    @property
    def test_seen_features(self) -> np.ndarray:
        """(n, dx)."""
        return self._features(self.test_seen_rows)

    @property
    def test_unseen_features(self) -> np.ndarray:
        """(n, dx)."""
        return self._features(self.test_unseen_rows)

    def _features(self, rows: np.ndarray) -> np.ndarray:
        return rows if self.representation_scaling is None else rows[:, : len(self.scaling.scale)]


def scaled_rows(
    scaling: Scaling, representation_scaling: Scaling | None, features: np.ndarray, representations: np.ndarray | None
) -> np.ndarray:
    """Rows as `SplitArrays` has them, of raw features (n, dx) and, where there is a scaling for them, representations (n, dr)."""
    if representation_scaling is None or representations is None:
        return scaling.apply(features)
    return np.concatenate([scaling.apply(features), representation_scaling.apply(representations)], axis=1)


def scale_splits(data: GZSLData, represented: bool = False, kind: str = "minmax") -> SplitArrays:
    """The three splits of validated data, scaled as trainval asks for.

    Args:
        data: validated.
        represented: with the representations of the data, which are scaled likewise.
        kind: of the scaling, one of KINDS.
    """
    scaling, further = Scaling.fit(data.features[data.trainval], kind), None
    if represented and data.representations is not None:
        further = Scaling.fit(data.representations[data.trainval], kind)
    labels = data.labels.astype(np.int32)
    arrays: dict[str, np.ndarray] = {}
    for name, rows in (("train", data.trainval), ("test_seen", data.test_seen), ("test_unseen", data.test_unseen)):
        scaled = scaled_rows(scaling, further, data.features[rows], data.representations_of(rows))
        arrays |= {f"{name}_rows": scaled, f"{name}_labels": labels[rows]}
    return SplitArrays(**arrays, scaling=scaling, representation_scaling=further)
