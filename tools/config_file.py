"""Loads a configuration file as the main command does, for tools that run several."""

import runpy
import sys
from pathlib import Path

from ml_collections import ConfigDict

from d3gzsl_jax.errors import UserError, reason


def load_config(spec: str, root: str | None = None) -> ConfigDict:
    """The configuration of 'FILE.py' or 'FILE.py:variant'.

    Args:
        root: replaces config.data.root.

    Raises:
        UserError: there is no such file, or it fails.
    """
    path, _, variant = spec.partition(":")
    if not Path(path).is_file():
        raise UserError(f"{path}: no such configuration file")
    sys.path.insert(0, str(Path(path).resolve().parent.parent))  # configurations import their neighbours as configs.<name>
    try:
        config = runpy.run_path(path)["get_config"](*([variant] if variant else []))
    except Exception as error:  # a configuration file is code: it can fail in any way
        raise UserError(f"{spec}: {reason(error)}") from None
    if root is not None:
        config.data.root = root
    return config
