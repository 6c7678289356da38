"""What a configuration lacks that an earlier version of this package saved, in a run folder or with a model."""

import copy
from collections.abc import Mapping
from typing import Any

from d3gzsl_jax.data.stress import OFF

ADDED: dict[str, Any] = {
    "data.leave_out": "",
    "precision": "float32", "parallel.devices": 0, "distillation.unseen_per_step": 0, "distillation.head": "all",
    "eval.selection": "last", "eval.criterion": "harmonic", "eval.folds": 1, "eval.fold_classes": 0.2, "eval.fold_rows": 0.2,
    "eval.fold_seed": 0, "eval.retrain": True, "classifier.logit_adjustment": 0.0,
    **{f"data.stress.{name}": value for name, value in OFF.items()}, "data.stress.seed": 0, "seeds": [], "parallel.seeds": 0,
    "parallel.seeds_as": "auto", "data.unseen_classes": "",
}  # fmt: skip
"""Fields added since runs can be gone on with, in that order, each with the value (as JSON holds it) that means what the versions
without it did. A new field of configs/default.py is entered here."""

OF_FOLDS = ("eval.criterion", "eval.folds", "eval.fold_classes", "eval.fold_rows", "eval.fold_seed")
"""Of these, what means nothing where nothing is chosen on folds, as it was in the versions without."""


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a nested configuration with the fields that it lacks of `ADDED`."""
    found = copy.deepcopy(dict(config))
    for field, value in ADDED.items():
        *groups, name = field.split(".")
        node = found
        for group in groups:
            node = node.setdefault(group, {})
        node.setdefault(name, copy.copy(value))
    return found
