"""Loads a configuration, by file or by name, and overrides its fields: for commands, notebooks and studies alike."""

import contextlib
import difflib
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import re
import runpy
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from d3gzsl_jax.config import schema
from d3gzsl_jax.config.schema import VARIANTS
from d3gzsl_jax.config.variants import VariantError
from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import cut, nearest_file, shortened

_PACKAGE = "configs"  # what configurations import their neighbours from, whatever their folder is called
_LOADING = threading.RLock()  # sys.path and sys.modules are the whole process's


def load_config(spec: str | Path, overrides: Mapping[str, Any] | None = None) -> ConfigDict:
    """The configuration of a file, 'FILE.py' or 'FILE.py:variant', or one that comes with this package, 'NAME' or 'NAME:variant'.

    The file is a program, and is run. What it imports from `configs` is read anew, from its own folder if that is called so, else
    from what comes with this package, whatever was imported from another folder before; that stays as it is.

    Args:
        spec: the file, relative to the working directory, or the name; and the variant.
        overrides: values by dotted field, as in {'train.epochs': 5}.

    Raises:
        UserError: there is no such file, it fails, or an override names no field or is of another type.
    """
    given, variant = split(str(spec))
    path = found_file(given)

    def made(found: Mapping[str, Any]) -> Any:
        if not callable(of := found.get("get_config")):
            raise UserError(f"{path}: has no function get_config; start from configs/default.py")
        if not inspect.signature(of).parameters and given != str(spec):
            raise UserError(f"--config={cut(str(spec))}: {path} has no variants; leave the colon and what is after it out")
        if given != str(spec) and not variant.strip():
            words = ", ".join((*VARIANTS, *found.get("FRAMEWORKS", ()), *found.get("OPTIONS", ())))
            raise UserError(f"--config={shortened(spec)}: nothing is after the colon; give one of {words}, or leave the colon out")
        try:
            return of(*([variant] if variant else []))
        except VariantError as error:
            raise UserError(f"--config={cut(str(spec))}: {error}") from None

    config = _run(path, str(spec), made)
    if isinstance(config, FrozenConfigDict):
        config = ConfigDict(config)
    if not isinstance(config, ConfigDict):
        raise UserError(
            f"{path}: get_config returned {shortened(config)}, not a ml_collections.ConfigDict; start from configs/default.py"
        )
    for field, value in (overrides or {}).items():
        override(config, field, value)
    return config


def frameworks_of(spec: str) -> list[str]:
    """The frameworks that a configuration file has settings for, as the words after its colon: the keys of its FRAMEWORKS.

    Raises:
        UserError: there is no such file, it fails, or it has none.
    """
    path = found_file(split(spec)[0])
    found = _run(path, spec, lambda found: found.get("FRAMEWORKS"))
    if not isinstance(found, Mapping) or not found:
        raise UserError(f"{path}: has no FRAMEWORKS, settings by framework; see configs/flo_small.py")
    return list(found)


def _run(path: Path, spec: str, use: Callable[[Mapping[str, Any]], Any]) -> Any:
    """What `use` makes of what a configuration file defines, while the file can import its neighbours."""
    try:
        with _LOADING, _neighbours_of(path):
            return use(runpy.run_path(str(path)))
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a configuration file is code: it can fail in any way, and call sys.exit
        raise UserError(f"{spec}: {cut(reason(error), 300)}") from None


def split(spec: str) -> tuple[str, str]:
    """File or name, and 'variant', of 'FILE.py:variant' or 'NAME:variant'; '' where there is none."""
    found = re.fullmatch(r"(.*?\.py):(.*)", spec, re.DOTALL)
    # What is before the colon of gs:// and C:\ is no name.
    if not found and not paths.scheme_of(spec) and not re.match(r"[A-Za-z]:[\\/]", spec):
        found = re.fullmatch(r"([^:/\\]+):(.*)", spec, re.DOTALL)
    return (found[1], found[2]) if found else (spec, "")


def found_file(given: str) -> Path:
    """The configuration file that is meant: a path if it has a separator or ends in .py, else the name of one in `shipped`.

    Raises:
        UserError: it is not there; with what is like it.
    """
    path, names = paths.clean(given, "--config"), shipped()
    if not _is_path(given) and given in names:
        return names[given]
    if os.path.isdir(path):
        raise UserError(f"--config={cut(given)}: is a folder; name a configuration file in it")
    if not _is_path(given):
        close = difflib.get_close_matches(given, names, n=1)
        guess = f"did you mean {close[0]}? There are" if close else "there are"
        raise UserError(
            f"--config={cut(given)}: no configuration of that name; {guess} {', '.join(names)}; a file is given by its path, as "
            "./mine.py"
        )
    try:
        there, others = path.is_file(), [other.name for other in path.parent.glob("*.py")]
    except OSError:  # a name that is too long, a folder that may not be read
        there, others = False, []
    if not there:
        near = nearest_file(path.name, others)
        guess = f"file; did you mean {path.with_name(near)}?" if near else "configuration file"
        if not near and path.stem in names:
            guess += f"; --config={path.stem} is the one that comes with the package"
        raise UserError(f"--config={cut(given)}: no such {guess}")
    return path


def shipped() -> dict[str, Path]:
    """The configuration files that come with the package, by name."""
    return {path.stem: path for path in sorted(_shipped_folder().glob("*.py")) if path.stem != "__init__"}


def _shipped_folder() -> Path:
    """configs/ of a wheel, within the package; of a checkout, also one that is installed editable, beside it."""
    package = Path(__file__).absolute().parents[1]
    return next((found for found in (package / _PACKAGE, package.parent / _PACKAGE) if found.is_dir()), package / _PACKAGE)


def _is_path(given: str) -> bool:
    return given.endswith(".py") or any(separator in given for separator in (os.sep, os.altsep, "/") if separator)


@contextlib.contextmanager
def _neighbours_of(path: Path) -> Iterator[None]:
    """Within it `configs` is the folder of `path`, see `_make_package`; afterwards all is as it was."""
    folder = Path(os.path.abspath(path)).parent
    names = {_PACKAGE} | ({folder.name} - {"d3gzsl_jax", *sys.stdlib_module_names})
    ours = lambda name: name.partition(".")[0] in names  # noqa: E731
    before, path_before = {name: module for name, module in sys.modules.items() if ours(name)}, list(sys.path)
    for name in before:
        if not _lies_in(before.get(name.partition(".")[0]), folder) or name.partition(".")[0] == _PACKAGE:
            del sys.modules[name]
    if folder != _shipped_folder():  # of a wheel, it lies among the modules of this package
        sys.path.insert(0, str(folder.parent))
    importlib.invalidate_caches()  # a file may be newer than the last look
    try:
        _make_package(folder)
        yield
    finally:
        sys.path[:] = path_before
        for name in [name for name in sys.modules if ours(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _make_package(folder: Path) -> None:
    """Makes the package `configs`: of `folder` if that is called so, then of what folder of that name is on sys.path, then of the
    configurations that come with this package. A file is taken from the first that has it."""
    places = [folder] if folder.name == _PACKAGE else []
    places += [found for entry in sys.path if (found := Path(entry or ".", _PACKAGE).absolute()).is_dir()]
    places = list(dict.fromkeys((*places, _shipped_folder())))
    start = places[0] / "__init__.py"
    spec = importlib.util.spec_from_file_location(_PACKAGE, start) if start.is_file() else None
    spec = spec or importlib.machinery.ModuleSpec(_PACKAGE, None, is_package=True)
    spec.submodule_search_locations = list(map(str, places))
    module = sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    if spec.loader is not None:
        spec.loader.exec_module(module)


def _lies_in(module: Any, folder: Path) -> bool:
    return any(os.path.realpath(place) == os.path.realpath(folder) for place in getattr(module, "__path__", ()))


def override(config: ConfigDict, field: str, value: Any) -> None:
    """Sets a dotted field.

    Raises:
        UserError: there is no such field, or the value is of another type.
    """
    before = _value(config, field)
    try:
        config.update_from_flattened_dict({field: value})
    except (TypeError, ValueError, OverflowError):
        raise UserError(schema.not_held(field, value, before)) from None


def override_by_text(config: ConfigDict, field: str, text: str) -> None:
    """Sets a dotted field as `--config.FIELD=TEXT` does.

    Raises:
        UserError: there is no such field, or the text is no value of its type.
    """
    before = _value(config, field)
    try:
        parse_overrides(config, [f"--config.{field}={text}"])
    except Exception:  # of many kinds
        raise UserError(schema.not_held(field, text, before)) from None


def parse_overrides(config: ConfigDict, options: Sequence[str]) -> dict[str, Any]:
    """Sets fields as options say, '--config.group.field=value' each; returns the values by dotted field.

    Raises:
        Exception: of many kinds, as ml_collections' parser has them.
    """
    from absl import flags
    from ml_collections import config_flags

    given = flags.FlagValues()
    config_flags.DEFINE_config_dict("config", config, flag_values=given, sys_argv=["", *options])
    given(["", *options])
    return config_flags.get_override_values(given["config"])


def _value(config: ConfigDict, field: str) -> Any:
    """The value of a dotted field.

    Raises:
        UserError: there is no such field; with one that is like it.
    """
    known = dict(flat(config))
    if field not in known:
        near = difflib.get_close_matches(field, known, n=1)
        raise UserError(f"config.{cut(field)}: no such field" + (f"; did you mean config.{near[0]}?" if near else ""))
    return known[field]


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted fields of a nested configuration, with their values."""
    for name, value in config.items():
        if hasattr(value, "items"):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
