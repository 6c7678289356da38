"""The extras of the package: libraries that only some of it needs, and the command that installs them."""

import importlib.util
import os
import shlex
import tomllib
from pathlib import Path

import d3gzsl_jax
from d3gzsl_jax.errors import UserError

PROJECT = "d3gzsl-jax"
_PACKAGES = {"PIL": "pillow"}  # libraries that are imported by another name


def install_command(extra: str) -> str:
    """What to type to install an extra: `pip install -e '.[images]'` in a checkout, else `pip install 'd3gzsl-jax[images]'`.

    The folder of a checkout counts from the working directory where it lies in that.

    Args:
        extra: by its name in pyproject.toml.
    """
    folder = Path(d3gzsl_jax.__file__).resolve().parents[1]
    if not _is_checkout(folder):
        return f"pip install {shlex.quote(f'{PROJECT}[{extra}]')}"
    return f"pip install -e {shlex.quote(f'{_from_here(folder)}[{extra}]')}"


def require(library: str, extra: str, wanted_by: str) -> None:
    """Refuses what needs a library that is not installed.

    Args:
        library: as it is imported, 'optuna'.
        extra: which installs it.
        wanted_by: what needs it, for the message.

    Raises:
        UserError: saying what to install.
    """
    if importlib.util.find_spec(library) is None:
        raise UserError(f"{wanted_by} needs {package_of(library)}, which is not installed: {install_command(extra)}")


def package_of(module: str) -> str:
    """What a module is installed as: 'pillow' of 'PIL.Image'."""
    library = module.partition(".")[0]
    return _PACKAGES.get(library, library)


def _is_checkout(folder: Path) -> bool:
    """Whether a folder has this project's own pyproject.toml."""
    try:
        found = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    project = found.get("project")
    return isinstance(project, dict) and project.get("name") == PROJECT


def _from_here(folder: Path) -> str:
    try:
        here = Path(os.getcwd())
    except OSError:  # it was removed
        return str(folder)
    if folder == here:
        return "."
    return f"./{folder.relative_to(here).as_posix()}" if folder.is_relative_to(here) else str(folder)
