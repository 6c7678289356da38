"""Fields of a configuration that are set on the command line of a tool which runs several seeds."""

import ast
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.config.load import flat, load_config, override
from d3gzsl_jax.errors import UserError


def assignment(option: str, text: str) -> tuple[str, str]:
    """FIELD and VALUE of 'FIELD=VALUE'.

    Raises:
        UserError: it is no such thing, or the field is the seed, which --seeds sets.
    """
    field, equals, value = text.partition("=")
    if not (field and equals and value):
        raise UserError(f"{option} {text}: must be FIELD=VALUE, as in distillation.temperature=2")
    field = field.removeprefix("config.")
    if field == "seed":
        raise UserError(f"{option} {text}: every run is made with seeds 0, 1, ..., as many as --seeds says; leave it out")
    return field, value


def configured(spec: str, given: Mapping[str, Any]) -> ConfigDict:
    """A configuration with some fields set, for runs that have one seed each.

    Args:
        spec: 'FILE.py' or 'FILE.py:variant'.
        given: values by dotted field. A text is what a command line holds: a Python literal, or a word; where the field is a text,
            3 is the text '3'.

    Raises:
        UserError: see `load_config`; or the configuration has several seeds.
    """
    found = load_config(spec)
    known = dict(flat(found))
    for field, value in given.items():
        override(found, field, _value(value, known.get(field)))
    if seeds := found.get("seeds"):
        raise UserError(
            f"{spec}: config.seeds={tuple(seeds)!r}, and every run here has one seed; give --seeds {len(seeds)} --set 'seeds=()'"
        )
    return found


def _value(given: Any, before: Any) -> Any:
    """What is given, as a value of a field that has been `before`."""
    if not isinstance(given, str):
        return given
    try:
        literal = ast.literal_eval(given)
    except (ValueError, SyntaxError):
        return given
    return given if isinstance(before, str) and not isinstance(literal, str) else literal
