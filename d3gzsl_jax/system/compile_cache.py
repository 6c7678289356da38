"""Compiled programs are kept from start to start, in a cache folder of the user's (JAX's persistent compilation cache).

It changes no bit: what is kept is the compiled program itself, by a digest of what it was compiled from, JAX's version, its flags
and, here, the processor. JAX reads and writes the folder; a file that another start is writing right now, or that was cut off,
does not unpack, and its program is compiled as if it were not there. So runs side by side may share it.

Whoever sets JAX_COMPILATION_CACHE_DIR has a cache of their own, which is left alone; JAX_ENABLE_COMPILATION_CACHE=false is JAX's
switch for none.
"""

import contextlib
import hashlib
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import platformdirs
from jax.experimental.compilation_cache import compilation_cache

from d3gzsl_jax.errors import reason

LARGEST = 2**30
"""Bytes of the whole folder; beyond, programs that were not used for long make room."""
_EVERYTHING = {"jax_persistent_cache_min_compile_time_secs": 0.0, "jax_persistent_cache_min_entry_size_bytes": -1}
_ours: str | None = None  # what `use` chose last
_is_warned = False


def root() -> Path:
    """The folder of all that is kept: under ~/.cache, or what the system has in its place."""
    return platformdirs.user_cache_path("d3gzsl-jax", appauthor=False) / "compiled"


def use(is_on: bool) -> None:
    """Keeps compiled programs from here on, or does not. Where the folder cannot be used things go on without, with a warning.

    Args:
        is_on: what config.compile_cache says.
    """
    global _ours
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or _now("jax_compilation_cache_dir") not in (None, "", _ours):
        return
    folder = _prepared() if is_on and _now("jax_enable_compilation_cache") else None
    if folder is not None:
        # It is no more than a help: a file cut off, or a full disk, costs the time of compiling and nothing else.
        warnings.filterwarnings("ignore", r"Error (reading|writing) persistent compilation cache entry")
    if folder != _ours:
        _ours = folder
        _set({"jax_compilation_cache_dir": folder} | (_wished() if folder is not None else {}))


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
    folder = root() / _machine()
    try:
        if not folder.is_absolute():  # a user without a home
            raise OSError("there is no home folder")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
        _make_room(folder.parent)
    except OSError as error:
        if not _is_warned:
            print(
                f"d3gzsl_jax: warning: compiled programs are not kept for the next start: {folder} cannot be used "
                f"({reason(error)}); JAX_COMPILATION_CACHE_DIR=FOLDER names another, --config.compile_cache=False does without",
                file=sys.stderr,
            )
        _is_warned = True
        return None
    return str(folder)


def _require_own(folder: Path) -> None:
    """Refuses a folder that somebody else can write to: what is in it is run."""
    found = folder.stat()
    if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
        raise OSError("others can write there")


def _machine() -> str:
    """What programs are compiled for besides what JAX takes into account: a home may be shared by machines of several kinds."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about = [platform.system(), platform.machine(), platform.processor(), str(cores)]
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        first = file.read().partition("\n\n")[0]
        about += [line for line in first.splitlines() if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return f"jax-{jax.__version__}-{hashlib.sha256(repr(about).encode()).hexdigest()[:16]}"


def _make_room(folder: Path) -> None:
    """Removes what was used the longest ago where all of it is more than `LARGEST`, down to half of that."""
    entries = []
    for path in folder.glob("*/*"):
        with contextlib.suppress(OSError):  # another start makes room too
            about = path.stat()
            entries.append((max(about.st_atime, about.st_mtime), about.st_size, path))
    total = sum(size for _, size, _ in entries)
    if total <= LARGEST:
        return
    for _, size, path in sorted(entries):
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size
        if total <= LARGEST // 2:
            return
