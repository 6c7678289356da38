"""How good predictions are of rows whose classes are known: accuracies by class, U, S and H, and the confusion matrix."""

import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from d3gzsl_jax.evaluation.metrics import harmonic_mean, mean_over_classes, per_class_accuracy
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.truth import Truth
from d3gzsl_jax.system import atomic
from d3gzsl_jax.text import listed, nearest, shortened

_LONGEST = 2**26  # bytes of a file that is looked into
_ASKED = 12  # classes for which nearly equal names are looked for
TRAINED_ON = "S says nothing new of what the model was trained on."


class Accuracy(NamedTuple):
    """Of n rows whose classes the model knows; accuracies are fractions, NaN where there are no rows.

    Attributes:
        rows, right: how many there are, and how many are recognised.
        classes: (k,) ids of the classes that have rows, seen ones first.
        of_classes: (k,) accuracy of each.
        by_class: the mean of these.
        unseen, seen, harmonic: means over unseen and over seen classes, and their harmonic mean: U, S and H of these rows.
        predicted: (m,) ids of `classes` and of the others that rows are taken for, seen ones first.
        confusion: (k, m) numbers of rows of a class that are taken for another.
        strangers: classes that the model does not know, with their numbers of rows, which count nowhere else.
    """

    rows: int
    right: int
    classes: np.ndarray
    of_classes: np.ndarray
    by_class: float
    unseen: float
    seen: float
    harmonic: float
    predicted: np.ndarray
    confusion: np.ndarray
    strangers: dict[str, int]

    def said(self, things: str = "rows") -> str:
        """In a line, percent."""
        both = not np.isnan([self.unseen, self.seen]).any()
        figures = {"U": self.unseen, "S": self.seen, "H": self.harmonic} if both else {"accuracy, mean over classes": self.by_class}
        kind = "" if both else f" ({'seen' if np.isnan(self.unseen) else 'unseen'} classes only)"
        told = ", ".join(f"{name} {100 * value:.1f}" for name, value in figures.items())
        return f"{self.right} of {self.rows} {things} are recognised: {told} percent{kind}"


def accuracy_of(predicted: np.ndarray, truth: Truth, unseen: np.ndarray) -> Accuracy | None:
    """The accuracy of predictions (n,); None where the model knows no class of a row.

    Args:
        predicted: class ids.
        truth: of the rows.
        unseen: ids of the unseen classes.
    """
    known = truth.ids >= 0
    if not known.any():
        return None
    labels, predicted = truth.ids[known].astype(np.int64), np.asarray(predicted)[known].astype(np.int64)
    there = np.unique(labels)
    classes = np.concatenate([np.setdiff1d(there, unseen), np.intersect1d(there, unseen)])
    columns = np.union1d(there, predicted)
    columns = np.concatenate([np.setdiff1d(columns, unseen), np.intersect1d(columns, unseen)])
    row, column = (np.zeros(int(columns.max()) + 1, np.int64) for _ in range(2))
    row[classes], column[columns] = np.arange(len(classes)), np.arange(len(columns))
    cells = row[labels] * len(columns) + column[predicted]
    confusion = np.bincount(cells, minlength=len(classes) * len(columns)).reshape(len(classes), -1)
    of_classes, is_unseen = per_class_accuracy(predicted, labels, classes), np.isin(classes, unseen)
    u, s = mean_over_classes(of_classes[is_unseen]), mean_over_classes(of_classes[~is_unseen])
    return Accuracy(
        len(labels), int((predicted == labels).sum()), classes, of_classes, mean_over_classes(of_classes), u, s,
        harmonic_mean(u, s), columns, confusion, truth.strangers,
    )  # fmt: skip


def output_file(target: str | Path, option: str, inputs: Sequence[Path] = ()) -> Path:
    """Where accuracies may be written: nothing is there, or accuracies are; see `contents.output`."""
    return contents.output(target, option, _is_accuracy, "accuracies of predictions", inputs)


def _is_accuracy(path: Path) -> bool:
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size < _LONGEST else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"harmonic", "per_class", "confusion"} <= found.keys()


def write_accuracy(found: Accuracy, class_names: Sequence[str], unseen: np.ndarray, target: Path) -> None:
    """Writes a JSON file, whole or not at all; numbers that are not known are null.

    Raises:
        UserError: it cannot be written.
    """
    hidden = set(np.asarray(unseen).tolist())

    def number(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    counts = found.confusion.sum(axis=1)
    content: dict[str, Any] = {
        "rows": found.rows, "recognised": found.right, "accuracy_of_rows": found.right / found.rows,
        "accuracy_of_classes": number(found.by_class), "unseen": number(found.unseen), "seen": number(found.seen),
        "harmonic": number(found.harmonic),
        "per_class": [
            {"class": label, "name": class_names[label], "seen": label not in hidden, "rows": int(rows), "accuracy": number(value)}
            for label, value, rows in zip(found.classes.tolist(), found.of_classes, counts, strict=True)
        ],
        "confusion": {
            "true": found.classes.tolist(), "predicted": found.predicted.tolist(), "rows": found.confusion.tolist(),
        },
        "unknown_classes": found.strangers,
    }  # fmt: skip
    lines = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in content.items())
    atomic.write_text(target, "{\n" + ",\n".join(lines) + "\n}\n", parents=True)


def said_of_strangers(found: dict[str, int], class_names: Sequence[str], things: str = "rows") -> str:
    """Classes that the model does not know, in a line, with those that may be meant.

    Args:
        found: numbers of rows by class, at least one.
        class_names: that the model knows.
        things: what the rows are.
    """
    count = sum(found.values())
    counted = f"{count} {things if count > 1 else things[:-1]}, which count in no accuracy"
    return f"the model does not know {listed(found)}: {counted}{meant(found, class_names)}"


def meant(strangers: Iterable[str], class_names: Sequence[str]) -> str:
    """'; did you mean NAME?' of classes that the model does not know, where it knows nearly such; else ''."""
    names = list(itertools.islice(strangers, _ASKED))
    near = [(name, found) for name in names if (found := nearest(name, class_names))]
    if not near:
        return ""
    asked = [shortened(found) + (f" by {shortened(name)}" if len(names) > 1 else "") for name, found in near]
    return f"; did you mean {', '.join(asked)}?"
