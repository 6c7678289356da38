"""Loads a configuration file: for the main command, notebooks and tools alike."""

import contextlib
import difflib
import importlib
import os
import re
import runpy
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import cut, shortened

_PACKAGE = "configs"  # what configurations import their neighbours from, whatever their folder is called
_LOADING = threading.RLock()  # sys.path and sys.modules are the whole process's


def load_config(spec: str | Path, overrides: Mapping[str, Any] | None = None) -> ConfigDict:
    """The configuration of 'FILE.py' or 'FILE.py:variant'.

    The file is a program, and is run. What it imports from `configs` is read anew, from its own folder if that is called so,
    whatever was imported from another folder before; that stays as it is.

    Args:
        spec: the file, relative to the working directory, and the variant.
        overrides: values by dotted field, as in {'train.epochs': 5}.

    Raises:
        UserError: there is no such file, it fails, or an override names no field or is of another type.
    """
    path, variant = split(str(spec))
    path = found_file(path)
    try:
        with _LOADING, _neighbours_of(path):
            found = runpy.run_path(str(path))
            if not callable(of := found.get("get_config")):
                raise UserError(f"{path}: has no function get_config; start from configs/default.py")
            config = of(*([variant] if variant else []))
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a configuration file is code: it can fail in any way, and call sys.exit
        raise UserError(f"{spec}: {cut(reason(error), 300)}") from None
    if isinstance(config, FrozenConfigDict):
        config = ConfigDict(config)
    if not isinstance(config, ConfigDict):
        raise UserError(
            f"{path}: get_config returned {shortened(config)}, not a ml_collections.ConfigDict; start from configs/default.py"
        )
    for field, value in (overrides or {}).items():
        override(config, field, value)
    return config


def split(spec: str) -> tuple[str, str]:
    """'FILE.py' and 'variant' of 'FILE.py:variant'; '' where there is none."""
    found = re.fullmatch(r"(.*?\.py):(.*)", spec, re.DOTALL)
    return (found[1], found[2]) if found else (spec, "")


def found_file(given: str) -> Path:
    """The configuration file that is meant.

    Raises:
        UserError: it is not there; with what is like it.
    """
    path = paths.clean(given, "--config")
    if os.path.isdir(path):
        raise UserError(f"--config={cut(given)}: is a folder; name a configuration file in it")
    try:
        there, others = path.is_file(), [other.name for other in path.parent.glob("*.py")]
    except OSError:  # a name that is too long, a folder that may not be read
        there, others = False, []
    if not there:
        near = difflib.get_close_matches(path.name, others, n=1, cutoff=0.7)
        guess = f"file; did you mean {path.with_name(near[0])}?" if near else "configuration file"
        raise UserError(f"--config={cut(given)}: no such {guess}")
    return path


@contextlib.contextmanager
def _neighbours_of(path: Path) -> Iterator[None]:
    """Within it the package of configurations is that of the folder of `path`; afterwards all is as it was."""
    folder = Path(os.path.abspath(path)).parent
    names = {_PACKAGE} | ({folder.name} - {"d3gzsl_jax", *sys.stdlib_module_names})
    ours = lambda name: name.partition(".")[0] in names  # noqa: E731
    before, path_before = {name: module for name, module in sys.modules.items() if ours(name)}, list(sys.path)
    for name in before:
        if not _lies_in(before.get(name.partition(".")[0]), folder) or name.partition(".")[0] == _PACKAGE:
            del sys.modules[name]
    sys.path.insert(0, str(folder.parent))
    importlib.invalidate_caches()  # a file may be newer than the last look
    try:
        yield
    finally:
        sys.path[:] = path_before
        for name in [name for name in sys.modules if ours(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _lies_in(module: Any, folder: Path) -> bool:
    return any(os.path.realpath(place) == os.path.realpath(folder) for place in getattr(module, "__path__", ()))


def override(config: ConfigDict, field: str, value: Any) -> None:
    """Sets a dotted field.

    Raises:
        UserError: there is no such field, or the value is of another type.
    """
    known = dict(flat(config))
    if field not in known:
        near = difflib.get_close_matches(field, known, n=1)
        raise UserError(f"config.{cut(field)}: no such field" + (f"; did you mean config.{near[0]}?" if near else ""))
    try:
        config.update_from_flattened_dict({field: value})
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"config.{field}={shortened(value)}: must be of type {type(known[field]).__name__}") from None


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted fields of a nested configuration, with their values."""
    for name, value in config.items():
        if hasattr(value, "items"):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
