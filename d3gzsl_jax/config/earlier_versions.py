"""What a configuration lacks that an earlier version of this package saved, in a run folder or with a model."""

import copy
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.data.stress import OFF
from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.text import shortened

ADDED: dict[str, Any] = {
    "data.leave_out": "",
    "precision": "float32", "parallel.devices": 0, "distillation.unseen_per_step": 0, "distillation.head": "all",
    "eval.selection": "last", "eval.criterion": "harmonic", "eval.folds": 1, "eval.fold_classes": 0.2, "eval.fold_rows": 0.2,
    "eval.fold_seed": 0, "eval.retrain": True, "classifier.logit_adjustment": 0.0,
    **{f"data.stress.{name}": value for name, value in OFF.items()}, "data.stress.seed": 0, "seeds": [], "parallel.seeds": 0,
    "parallel.seeds_as": "auto", "guards.memory": True, "data.unseen_classes": "",
}  # fmt: skip
"""Fields added since runs can be gone on with, in that order, each with the value (as JSON holds it) that means what the versions
without it did. A new field of configs/default.py is entered here."""

OF_FOLDS = ("eval.criterion", "eval.folds", "eval.fold_classes", "eval.fold_rows", "eval.fold_seed")
"""Of these, what means nothing where nothing is chosen on folds, as it was in the versions without."""


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a nested configuration with the fields that it lacks of `ADDED`.

    Raises:
        UserError: what should be a group of fields is something else.
    """
    found = copy.deepcopy(dict(config))
    for field, value in ADDED.items():
        *groups, name = field.split(".")
        node = found
        for group in groups:
            node = node.setdefault(group, {})
            if not isinstance(node, Mapping):
                raise UserError(f"config.{group}={shortened(node)}: must be a group of fields, for {field} among them")
        node.setdefault(name, copy.copy(value))
    return found


def configuration(found: Mapping[str, Any], where: Any) -> ConfigDict:
    """The configuration that a run folder or a model holds, completed; its values are not looked at.

    Args:
        found: nested, as JSON holds it.
        where: it is from, for messages.

    Raises:
        UserError: it is none.
    """
    try:
        return ConfigDict(completed(found))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # names that ConfigDict refuses
        raise UserError(f"{where}: holds no configuration ({reason(error)})") from None
