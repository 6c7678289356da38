"""What a configuration says to no effect: told as warnings, a line each, and never refused."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.config import schema
from d3gzsl_jax.config.check import has_distillation
from d3gzsl_jax.config.field_type import Field
from d3gzsl_jax.text import shortened

_OF_D3 = ("train.student_factor", "train.confidence_factor")
_OF_SEEDS = ("parallel.seeds", "parallel.seeds_as")


def unread(config: ConfigDict, overrides: Mapping[str, Any], of_framework: tuple[str, ...], has_teacher: bool) -> list[str]:
    """Fields set by hand to something else than their default that nothing reads. A file may have settings for several methods, and
    is not asked.

    Args:
        config: checked.
        overrides: dotted names and values of what was set by hand.
        of_framework: fields that the base method does not read.
        has_teacher: whether there is a teacher, for D3 or for what the base method takes.
    """
    told, fields = [], schema.by_name()
    for name, value in overrides.items():
        field = fields.get(name)
        if field is None or value == field.default:
            continue
        if name in of_framework or schema.is_foreign(name, config.framework):
            told.append(f"config.{name}={shortened(value)}: means nothing to {config.framework}; leave it out")
        elif other := _not_read_with(config, field):
            told.append(f"config.{name}={shortened(value)}: means nothing with {other}")
        elif what := _of_no_part(config, name, has_teacher):
            told.append(f"config.{name}={shortened(value)}: means nothing {what}")
    return told


def _of_no_part(config: ConfigDict, name: str, has_teacher: bool) -> str:
    """Without which part of a run, that this one does not have, a field is not read, and what to do; '' if it is read."""
    group, _, last = name.rpartition(".")
    of_d3 = (group == "distillation" and not last.startswith("weight_")) or name in _OF_D3
    if (of_d3 and not has_distillation(config)) or (group == "teacher" and not has_teacher):
        return "without D3; leave it out, or give one of config.distillation.weight_cls, _od, _be, _kl a weight above 0"
    if group == "classifier" and last != "fit" and config.classifier.fit == "never":
        return "to a run with config.classifier.fit='never', only to add-classes; leave it out, or give fit='last'"
    if name in _OF_SEEDS and not config.seeds:
        return "without config.seeds; leave it out"
    return ""


def _not_read_with(config: ConfigDict, field: Field) -> str:
    """The other field with whose value this one is not read, and what to do; '' if it is read."""
    if not field.read_with:
        return ""
    other, *values = field.read_with
    group, _, name = other.partition(".")
    found = config[group][name]
    if found in values:
        return ""
    wanted = " or ".join(schema.shown(value) for value in values)
    return f"config.{other}={shortened(found)}; leave it out, or give --config.{other}={wanted}"


def without_effect(config: ConfigDict) -> list[str]:
    """Terms of the base method whose weight, which grows from epoch X_start to X_end, is 0 in every epoch of the run."""
    of, epochs = config.get(config.framework, {}), config.train.epochs
    names = [name.removesuffix("_end") for name in of if name.endswith("_end")]
    rises = "before the weight of this term rises from 0"
    found = []
    for name in names:
        if of[f"{name}_start"] >= epochs - 1 and of.get(f"{name}_factor", 1.0) > 0.0:
            told = f"a run of {epochs} epochs ends {rises}; lower it, and {name}_end, or raise config.train.epochs"
            if config.eval.selection == "validation":  # nobody asked for so few
                told = f"the folds chose {epochs} epochs, which end {rises}: what they chose is without it"
            found.append(f"config.{config.framework}.{name}_start={of[f'{name}_start']}: {told}")
    return found
