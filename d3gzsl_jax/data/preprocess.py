"""From raw features to what the networks see."""

import dataclasses

import numpy as np
from sklearn.preprocessing import MinMaxScaler

from d3gzsl_jax.data.gzsl_data import GZSLData


@dataclasses.dataclass(frozen=True)
class SplitArrays:
    """Preprocessed float32 features (n, dx) and int32 original labels (n,) of the three splits."""

    train_features: np.ndarray
    train_labels: np.ndarray
    test_seen_features: np.ndarray
    test_seen_labels: np.ndarray
    test_unseen_features: np.ndarray
    test_unseen_labels: np.ndarray


def scale_splits(data: GZSLData) -> SplitArrays:
    """Min-max scaling per dimension, fitted on trainval and applied to all; then division by the maximum of scaled trainval.

    So trainval lies in [0, 1]; test rows may leave that range. A dimension that is constant on trainval becomes 0 there.
    """
    scaler = MinMaxScaler()
    train = scaler.fit_transform(data.features[data.trainval]).astype(np.float32)
    top = train.max()
    train /= top

    def apply(rows: np.ndarray) -> np.ndarray:
        scaled = scaler.transform(data.features[rows]).astype(np.float32) if rows.size else np.zeros((0, train.shape[1]))
        return np.asarray(scaled / top, np.float32)

    labels = data.labels.astype(np.int32)
    return SplitArrays(
        train_features=train,
        train_labels=labels[data.trainval],
        test_seen_features=apply(data.test_seen),
        test_seen_labels=labels[data.test_seen],
        test_unseen_features=apply(data.test_unseen),
        test_unseen_labels=labels[data.test_unseen],
    )
