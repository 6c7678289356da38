"""What the features of a benchmark look like, in a few numbers, and whether they are like those that min-max scaling suits."""

import dataclasses
from typing import Any

import numpy as np

_CHUNK_ROWS = 4096
# Where the mean of a dimension lies within its range over trainval, on average over dimensions: 0.05 to 0.13 for features after a
# ReLU (VGG and EfficientNet on CUB and FLO), 0.32 for the digits' pixels, 0.5 for Gaussian ones.
_DENSE = 0.4
_DENSE_TWO_SIDED = 0.2
_TWO_SIDED = 0.2  # share of the values that are below 0


@dataclasses.dataclass(frozen=True)
class FeatureProfile:
    """What raw features look like.

    Attributes:
        dtype: as they are stored.
        zeros, negatives: shares of the values that are 0, and below it.
        middle: where the mean of a dimension lies within its range, 0 to 1, on average over the dimensions that vary.
        norm: mean L2 norm of a row.
        low, high: the smallest and the largest value.
    """

    dtype: str
    zeros: float
    negatives: float
    middle: float
    norm: float
    low: float
    high: float

    @property
    def is_two_sided(self) -> bool:
        """Whether many values are below 0."""
        return self.negatives > _TWO_SIDED

    @property
    def is_dense(self) -> bool:
        """Whether most values lie far from the least one of their dimension: not so after a ReLU."""
        return self.middle > (_DENSE_TWO_SIDED if self.is_two_sided else _DENSE)

    def described(self) -> str:
        """The numbers in words."""
        return (
            f"{self.dtype}, {100 * self.zeros:.0f} % zeros, {100 * self.negatives:.0f} % below 0, from {self.low:.3g} to "
            f"{self.high:.3g}, rows of length {self.norm:.3g} on average, mean of a dimension at {self.middle:.2f} of its range"
        )

    def content(self) -> dict[str, Any]:
        """What results.json holds of it."""
        return dataclasses.asdict(self)


def profile(features: np.ndarray) -> FeatureProfile:
    """Of finite rows (n, dx), n > 0, of any real type."""
    zeros = negatives = 0
    norms, total = 0.0, np.zeros(features.shape[1])
    low, high = np.full(features.shape[1], np.inf), np.full(features.shape[1], -np.inf)
    with np.errstate(over="ignore"):
        for start in range(0, len(features), _CHUNK_ROWS):
            rows = features[start : start + _CHUNK_ROWS].astype(np.float64)
            zeros, negatives = zeros + int((rows == 0).sum()), negatives + int((rows < 0).sum())
            norms += float(np.sqrt(np.square(rows).sum(axis=1)).sum())
            total += rows.sum(axis=0)
            low, high = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
    varying = high > low
    places = (total / len(features) - low)[varying] / (high - low)[varying]
    return FeatureProfile(
        dtype=str(features.dtype), zeros=zeros / features.size, negatives=negatives / features.size,
        middle=float(np.clip(places, 0.0, 1.0).mean()) if len(places) else 0.0, norm=norms / len(features),
        low=float(low.min()), high=float(high.max()),
    )
