"""Replays the preprocessing of a recording: its raw `.mat` arrays as a benchmark, scaled by the package's own functions."""

import dataclasses

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.data.semantics import normalize_semantics
from tools.parity_parts.comparison import EXACT, Comparison
from tools.parity_parts.recording import Recording


def read_data(
    recording: Recording, normalized: bool = False, features: np.ndarray | None = None, semantics: str = "att"
) -> GZSLData:
    """The raw arrays.

    Args:
        normalized: whether semantics are divided by their norms.
        features: (N, dx), where they are not the recorded ones of that name.
        semantics: the variable that has them.
    """
    rows = lambda key: recording[f"mat/{key}"].ravel().astype(np.int64) - 1  # noqa: E731
    of_classes = np.asarray(recording[f"mat/{semantics}"].T, np.float32)
    data = GZSLData(
        name="recording", features=recording["mat/features"].T if features is None else features, labels=rows("labels"),
        semantics=of_classes, class_names=tuple(map(str, range(len(of_classes)))), trainval=rows("trainval_loc"),
        test_seen=rows("test_seen_loc"), test_unseen=rows("test_unseen_loc"),
    )
    return dataclasses.replace(data, semantics=normalize_semantics(data)) if normalized else data


def replay_preprocessing(recording: Recording, data: GZSLData, out: Comparison, features: str = "feature") -> None:
    """The arrays we train on, of the raw ones, against the recorded arrays; `features`: what the features are called there."""
    arrays = scale_splits(data)
    for split in ("train", "test_seen", "test_unseen"):
        for field, key in (("features", features), ("labels", "label")):
            recorded = f"data/{split}_{key}"
            out.add("preprocessing", recorded, getattr(arrays, f"{split}_{field}"), recording[recorded], EXACT)
    for ours, key in ((data.semantics, "attribute"), (data.seen_classes, "seen_classes"), (data.unseen_classes, "unseen_classes")):
        out.add("preprocessing", f"data/{key}", ours, recording[f"data/{key}"], EXACT)
    if (key := "data/train_seen_label") in recording:
        index = np.searchsorted(data.seen_classes, arrays.train_labels)
        out.add("preprocessing", key, index, recording[key], EXACT)
