"""A configuration as run folders and models keep it, and the number of their format; another number, or none, is refused."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.config import schema
from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.text import shortened

FORMAT = 1
"""Of run folders (in config.json and results.json) and of models (in their notes). Whoever changes what a field means, or which
fields there are, raises it; a new framework with options of its own changes neither for the runs there are, nor does a field of
ADDED."""

ADDED = (
    "classifier.zsl", "classifier.zsl_epochs", "classifier.zsl_n_syn", "data.representation_file", "data.scaling",
    "networks.output", "train.outer_steps", "teacher.updates", "eval.baselines", "log.wandb", "eval.calibration",
    "eval.ensemble", "eval.model_predicts",
    "classifier.synthesis", "classifier.inputs",
)  # fmt: skip
"""Fields that what was saved in this format earlier does not have: what their defaults say is what was done then."""

KEY = "format"


def content(config: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json holds of a nested configuration."""
    return {KEY: FORMAT, **config}


def nested(found: Mapping[str, Any], where: Any) -> dict[str, Any]:
    """The nested configuration of what config.json holds.

    Args:
        found: as JSON holds it.
        where: it is from, for messages.

    Raises:
        UserError: it is of another format.
    """
    require_format(found, where)
    return with_added({name: value for name, value in found.items() if name != KEY})


def with_added(found: Mapping[str, Any]) -> dict[str, Any]:
    """A nested configuration with what of ADDED it does not have, where it has the group."""
    whole, fields = dict(found), schema.by_name()
    for name in ADDED:
        group, _, last = name.rpartition(".")
        if isinstance(whole.get(group), Mapping):
            whole[group] = {last: fields[name].default, **whole[group]}
    return whole


def require_format(found: Mapping[str, Any], where: Any) -> None:
    """Refuses what another version of this package saved.

    Raises:
        UserError: with what to do.
    """
    number = found.get(KEY)
    if number == FORMAT and not isinstance(number, bool):
        return
    said = f"has format {shortened(number)}" if number is not None else "has no format number"
    raise UserError(
        f"{where}: {said}, and this version of d3gzsl_jax reads format {FORMAT}; use the version that wrote it, or train anew in "
        "another folder"
    )


def read(found: Mapping[str, Any], where: Any) -> ConfigDict:
    """The configuration of what config.json holds; its values are not looked at.

    Raises:
        UserError: it is none, or of another format.
    """
    return configuration(nested(found, where), where)


def configuration(found: Mapping[str, Any], where: Any) -> ConfigDict:
    """A nested configuration as a ConfigDict; its values are not looked at.

    Raises:
        UserError: it is none.
    """
    try:
        return ConfigDict(with_added(found))
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # names that ConfigDict refuses
        raise UserError(f"{where}: holds no configuration ({reason(error)})") from None
