"""From raw features to what the networks see."""

import dataclasses

import numpy as np
from sklearn.preprocessing import MinMaxScaler

from d3gzsl_jax.data.gzsl_data import GZSLData


@dataclasses.dataclass(frozen=True)
class Scaling:
    """What the features of any row go through: min-max scaling per dimension, fitted on trainval, then division by `top`.

    Attributes:
        scale, offset: (dx,) float64, of min-max scaling.
        top: the maximum of scaled trainval.
    """

    scale: np.ndarray
    offset: np.ndarray
    top: float

    @classmethod
    def fit(cls, features: np.ndarray) -> "Scaling":
        """Fits to trainval rows (n, dx), which then lie in [0, 1]; a dimension that is constant there becomes 0."""
        scaler = MinMaxScaler().fit(features)
        unit = cls(scale=scaler.scale_, offset=scaler.min_, top=1.0)
        return dataclasses.replace(unit, top=float(unit.apply(features).max()))

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Scaled float32 rows of raw ones (n, dx); rows that were not fitted to may leave [0, 1]."""
        if not len(features):
            return np.zeros((0, len(self.scale)), np.float32)
        scaler = MinMaxScaler()
        scaler.scale_, scaler.min_, scaler.n_features_in_ = self.scale, self.offset, len(self.scale)
        scaled = scaler.transform(features).astype(np.float32)
        return scaled if self.top == 1.0 else np.asarray(scaled / np.float32(self.top), np.float32)

    def invert(self, features: np.ndarray) -> np.ndarray:
        """Raw rows of scaled ones (n, dx), float32."""
        return ((features.astype(np.float64) * self.top - self.offset) / self.scale).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class SplitArrays:
    """Preprocessed float32 features (n, dx) and int32 original labels (n,) of the three splits, and how they were scaled."""

    train_features: np.ndarray
    train_labels: np.ndarray
    test_seen_features: np.ndarray
    test_seen_labels: np.ndarray
    test_unseen_features: np.ndarray
    test_unseen_labels: np.ndarray
    scaling: Scaling


def scale_splits(data: GZSLData) -> SplitArrays:
    """The three splits, scaled as trainval asks for."""
    scaling = Scaling.fit(data.features[data.trainval])
    labels = data.labels.astype(np.int32)
    arrays = {}
    for name, rows in (("train", data.trainval), ("test_seen", data.test_seen), ("test_unseen", data.test_unseen)):
        arrays |= {f"{name}_features": scaling.apply(data.features[rows]), f"{name}_labels": labels[rows]}
    return SplitArrays(**arrays, scaling=scaling)
