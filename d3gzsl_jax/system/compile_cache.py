"""Compiled programs are kept from start to start, in a cache folder of the user's (JAX's persistent compilation cache).

It changes no bit: what is kept is the compiled program itself, by a digest of what it was compiled from, JAX's version, its flags
and, here, the processor. JAX reads and writes the folder; a file that another start is writing right now, or that was cut off,
does not unpack: its program is compiled as if it were not there, and written anew. So runs side by side may share it.

Whoever sets JAX_COMPILATION_CACHE_DIR has a cache of their own, which is left alone; JAX_ENABLE_COMPILATION_CACHE=false is JAX's
switch for none.
"""

import contextlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import jax
from jax.experimental.compilation_cache import compilation_cache

from d3gzsl_jax.errors import reason
from d3gzsl_jax.system import compiled_folder

_EVERYTHING = {"jax_persistent_cache_min_compile_time_secs": 0.0, "jax_persistent_cache_min_entry_size_bytes": -1}
_FAILED = r"Error (reading|writing) persistent compilation cache entry for '([^']*)'"  # as JAX warns
_ours: str | None = None  # what `use` chose last
_is_decided = False
_is_warned = False
_heeding: Callable[..., None] | None = None


def use(is_on: bool) -> None:
    """Keeps compiled programs from here on, or does not. Where the folder cannot be used things go on without, with a warning.

    Args:
        is_on: what config.compile_cache says.
    """
    global _is_decided
    _is_decided = True
    _turn(is_on)


def use_unless_decided(is_on: bool) -> None:
    """`use`, unless that was called before in this process: a model that is opened does not undo what a run was started with.

    Args:
        is_on: what config.compile_cache of the model says.
    """
    if not _is_decided:
        _turn(is_on)


def is_usable() -> bool:
    """Whether `use(True)` would not warn; if it would, this does, so that processes to be started need not, one by one."""
    return _is_theirs() or not _now("jax_enable_compilation_cache") or _prepared() is not None


@contextlib.contextmanager
def at_least_here() -> Iterator[None]:
    """Within it, of programs that are equal only the first is compiled, also where none are kept: runs that differ in their seed
    alone have most in common."""
    if _now("jax_compilation_cache_dir"):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="d3gzsl-jax-") as folder:
        options = {"jax_compilation_cache_dir": folder} | _EVERYTHING
        before = {name: _now(name) for name in options}
        try:
            _set(options)
            yield
        finally:
            _set(before)


def _turn(is_on: bool) -> None:
    global _ours
    if _is_theirs():
        return
    folder = _prepared() if is_on and _now("jax_enable_compilation_cache") else None
    if folder is not None:
        _heed_failures()
    if folder != _ours:
        _ours = folder
        _set({"jax_compilation_cache_dir": folder} | (_wished() if folder is not None else {}))


def _is_theirs() -> bool:
    """Whether the user has a cache of their own, or wants none."""
    return "JAX_COMPILATION_CACHE_DIR" in os.environ or _now("jax_compilation_cache_dir") not in (None, "", _ours)


def _now(name: str) -> Any:
    """What JAX has for a setting."""
    return getattr(jax.config, name)


def _set(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX decides at the first compilation whether it has one


def _wished() -> dict[str, object]:
    """Small programs are kept too, for there are many; unless the user's environment says otherwise."""
    return {name: value for name, value in _EVERYTHING.items() if name.upper() not in os.environ}


def _prepared() -> str | None:
    """The folder for programs of this machine, there and with room; None if it cannot be used, which is said once."""
    global _is_warned
    try:
        return str(compiled_folder.prepared("compiled"))
    except OSError as error:
        if not _is_warned:
            print(
                "d3gzsl_jax: warning: compiled programs are not kept for the next start: "
                f"{compiled_folder.of_machine('compiled')} cannot be used ({reason(error)}); JAX_COMPILATION_CACHE_DIR=FOLDER "
                "names another, --config.compile_cache=False does without",
                file=sys.stderr,
            )
        _is_warned = True
        return None


def _heed_failures() -> None:
    """Has what JAX warns of the folder's files come here: it is no more than a help, and a file cut off, or a full disk, costs the
    time of compiling and nothing else.

    JAX writes over no file that is there. So what could not be read is removed before its program is compiled and written; JAX
    tells the program's name only, and all files of that name go.
    """
    global _heeding
    warnings.filterwarnings("always", _FAILED)
    show = warnings.showwarning
    if show is _heeding:
        return

    def heed(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        found = re.match(_FAILED, str(message))
        if not found or _ours is None or _now("jax_compilation_cache_dir") != _ours:
            show(message, category, filename, lineno, file, line)
        elif found[1] == "reading":
            _remove(Path(_ours), found[2])

    _heeding = warnings.showwarning = heed


def _remove(folder: Path, program: str) -> None:
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if path.name.startswith(f"{program}-") and path.name.endswith("-cache"):
                path.unlink(missing_ok=True)
