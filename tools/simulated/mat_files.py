"""Writes a simulated benchmark in the layout of the .mat files that published GZSL code reads (1-based, features by column)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io


class MatSize(NamedTuple):
    """Dimensions, class counts and row counts of a benchmark; every class gets at least one row of each kind it has."""

    features: int
    semantics: int
    seen: int
    unseen: int
    train: int
    test_seen: int
    test_unseen: int


def simulate(size: MatSize, seed: int, dtype: type = np.float64) -> dict[str, np.ndarray]:
    """The arrays of both files by their names in them.

    Features are a nonnegative function of the class's semantics plus noise. Which ids are unseen is drawn, rows lie in no order and
    classes have unequal counts, so that a mixed-up id, row or weighting shows.

    Args:
        size: see `MatSize`.
        seed: of everything drawn.
        dtype: of the features; the published files have doubles.
    """
    rng = np.random.default_rng(seed)
    ids = rng.permutation(size.seen + size.unseen)
    seen, unseen = np.sort(ids[: size.seen]), np.sort(ids[size.seen :])

    def draw(classes: np.ndarray, rows: int) -> np.ndarray:
        return np.concatenate([classes, rng.choice(classes, rows - len(classes))])

    parts = [draw(seen, size.train), draw(seen, size.test_seen), draw(unseen, size.test_unseen)]
    labels = np.concatenate(parts)
    place = rng.permutation(len(labels))  # row i of the parts lies at place[i] of the file
    trainval, test_seen, test_unseen = np.split(place, np.cumsum([len(part) for part in parts])[:2])
    att = rng.normal(size=(len(ids), size.semantics))
    shape = (size.semantics, size.features)
    centres = np.maximum(att @ rng.normal(size=shape) / size.semantics**0.5, 0.0).astype(dtype)
    features = centres[labels] + (rng.random((len(labels), size.features), np.float32) * 0.5).astype(dtype)
    held_out = size.train // 4
    location = lambda rows: (np.asarray(rows)[:, None] + 1).astype(np.uint16)  # noqa: E731
    order = np.argsort(place)
    return {
        "features": features[order].T, "labels": location(labels[order]), "att": att.T, "original_att": att.T,
        "trainval_loc": location(trainval), "train_loc": location(trainval[held_out:]), "val_loc": location(trainval[:held_out]),
        "test_seen_loc": location(test_seen), "test_unseen_loc": location(test_unseen),
    }  # fmt: skip


def write(folder: Path, arrays: dict[str, np.ndarray], splits: str = "att_splits") -> None:
    """Writes `res101.mat` and `{splits}.mat` into a new folder."""
    folder.mkdir(parents=True)
    images = np.array([f"{i:05d}.jpg" for i in range(arrays["features"].shape[1])], object)[:, None]
    first = {name: arrays[name] for name in ("features", "labels")}
    scipy.io.savemat(folder / "res101.mat", first | {"image_files": images})
    scipy.io.savemat(folder / f"{splits}.mat", {name: array for name, array in arrays.items() if name not in first})
