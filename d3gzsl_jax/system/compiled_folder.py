"""The folder that compiled programs are kept in: made for the user alone, refused where somebody else could put something into it,
and kept from growing. JAX is not imported here: it reads the folder's name as it is imported."""

import contextlib
import hashlib
import os
import platform
import stat
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import platformdirs

LARGEST = 2**30
"""Bytes of all folders of a kind; beyond, programs that were not used for long make room."""
_MACHINE = "jax-"  # what the folder of a machine begins with


def root() -> Path:
    """The folder of all that is kept: under ~/.cache, or what the system has in its place."""
    return platformdirs.user_cache_path("d3gzsl-jax", appauthor=False)


def of_machine(kind: str) -> Path:
    """The folder for programs of this machine. Its name holds what they are compiled for besides what JAX takes into account: a
    home may be shared by machines of several kinds."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about = [platform.system(), platform.machine(), platform.processor(), str(cores)]
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        first = file.read().partition("\n\n")[0]
        about += [line for line in first.splitlines() if line.startswith(("model name", "flags", "Features", "CPU part"))]
    name = f"{_MACHINE}{metadata.version('jax')}-{hashlib.sha256(repr(about).encode()).hexdigest()[:16]}"
    return root() / kind / name


def prepared(kind: str) -> Path:
    """The folder for programs of this machine, there, nobody else's, and with room.

    Args:
        kind: 'compiled', or another name under `root`.

    Raises:
        OSError: it cannot be used.
    """
    folder = of_machine(kind)
    if not folder.is_absolute():  # a user without a home
        raise OSError("there is no home folder")
    for path in reversed(root().parents):
        _make(path)
    for path in (root(), folder.parent, folder):
        _make(path)
        _require_own(path)
    with tempfile.TemporaryFile(dir=folder):
        pass
    _make_room(folder.parent)
    return folder


def _make(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        if not folder.exists():
            folder.mkdir(mode=0o700)


def _require_own(folder: Path) -> None:
    """Refuses a folder that somebody else can write to, or turn elsewhere: what is in it is run."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(f"{folder} is {'a symbolic link' if stat.S_ISLNK(found.st_mode) else 'no folder'}")
    if hasattr(os, "geteuid"):
        if found.st_uid != os.geteuid():
            raise OSError(f"{folder} is another user's")
        if found.st_mode & 0o022:
            raise OSError(f"others can write to {folder}: remove it, and it is made anew")


def _make_room(folder: Path) -> None:
    """Removes what was used the longest ago where all of it is more than `LARGEST`, down to half of that."""
    entries = []
    for path in _entries(folder):
        with contextlib.suppress(OSError):  # another start makes room too
            about = path.lstat()
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


def _entries(folder: Path) -> Iterator[Path]:
    """The files that JAX has written, of all machines; nothing else, and nothing where a link leads."""
    for machine in _listed(folder):
        if machine.name.startswith(_MACHINE) and machine.is_dir(follow_symlinks=False):
            for file in _listed(machine.path):
                if file.name.endswith(("-cache", "-atime")) and file.is_file(follow_symlinks=False):
                    yield Path(file.path)


def _listed(folder: str | Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []
