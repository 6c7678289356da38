"""Fields of a configuration that are set on the command line of a tool which runs several seeds."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.config.load import load_config, override, override_by_text
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.options import require_same


def assignment(option: str, text: str, form: str = "must be FIELD=VALUE, as in distillation.temperature=2") -> tuple[str, str]:
    """FIELD and VALUE of 'FIELD=VALUE'.

    Args:
        option: it was given for.
        text: as it was given.
        form: what it must be, in words.

    Raises:
        UserError: it is no such thing, or the field is the seed, which --seeds sets.
    """
    field, equals, value = text.partition("=")
    if not (field and equals):
        raise UserError(f"{option} {text}: {form}")
    field = field.removeprefix("config.")
    if field == "seed":
        raise UserError(f"{option} {text}: every run is made with seeds 0, 1, ..., as many as --seeds says; leave it out")
    return field, value


def rooted(fixed: Mapping[str, Any], root: str | None) -> dict[str, Any]:
    """Fields that are set, with config.data.root as --data-root says, None where it is not given.

    Raises:
        UserError: it is empty, or one of the fields says another.
    """
    if root is None:
        return dict(fixed)
    if not root.strip():
        raise UserError("--data-root: is empty; give a path")
    require_same("--set data.root", str(fixed.get("data.root", root)), "--data-root", root)
    return {**fixed, "data.root": root}


def with_fields(config: ConfigDict, given: Mapping[str, Any]) -> ConfigDict:
    """A copy of a configuration with some fields set; `given`: values by dotted field, a text as a command line holds it.

    Raises:
        UserError: there is no such field, or it does not hold such a value.
    """
    found = config.copy_and_resolve_references()
    for field, value in given.items():
        (override_by_text if isinstance(value, str) else override)(found, field, value)
    return found


def configured(spec: str, given: Mapping[str, Any]) -> ConfigDict:
    """A configuration with some fields set, for runs that have one seed each.

    Args:
        spec: see `load_config`.
        given: values by dotted field; a text is what a command line holds, as in --config.FIELD=TEXT.

    Raises:
        UserError: see `load_config`; or the configuration has several seeds.
    """
    found = with_fields(load_config(spec), given)
    if seeds := found.get("seeds"):
        raise UserError(
            f"{spec}: config.seeds={tuple(seeds)!r}, and every run here has one seed; give --seeds {len(seeds)} --set 'seeds=()'"
        )
    return found
