"""Loads a configuration file as the main command does, for notebooks and tools."""

import difflib
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.errors import UserError, reason


def load_config(spec: str | Path, overrides: Mapping[str, Any] | None = None) -> ConfigDict:
    """The configuration of 'FILE.py' or 'FILE.py:variant'.

    Args:
        spec: the file, relative to the working directory, and the variant.
        overrides: values by dotted field, as in {'train.epochs': 5}.

    Raises:
        UserError: there is no such file, it fails, or an override names no field or is of another type.
    """
    path, _, variant = str(spec).partition(":")
    if not Path(path).is_file():
        raise UserError(f"{path}: no such configuration file")
    parent = str(Path(path).resolve().parent.parent)  # configurations import their neighbours as configs.<name>
    if parent not in sys.path:
        sys.path.insert(0, parent)
    try:
        config = runpy.run_path(path)["get_config"](*([variant] if variant else []))
    except Exception as error:  # a configuration file is code: it can fail in any way
        raise UserError(f"{spec}: {reason(error)}") from None
    for field, value in (overrides or {}).items():
        override(config, field, value)
    return config


def override(config: ConfigDict, field: str, value: Any) -> None:
    """Sets a dotted field.

    Raises:
        UserError: there is no such field, or the value is of another type.
    """
    known = dict(flat(config))
    if field not in known:
        near = difflib.get_close_matches(field, known, n=1)
        raise UserError(f"config.{field}: no such field" + (f"; did you mean config.{near[0]}?" if near else ""))
    try:
        config.update_from_flattened_dict({field: value})
    except TypeError:
        raise UserError(f"config.{field}={value!r}: must be of type {type(known[field]).__name__}") from None


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted fields of a nested configuration, with their values."""
    for name, value in config.items():
        if hasattr(value, "items"):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
