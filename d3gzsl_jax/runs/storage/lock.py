"""The lock of a run folder: one process at a time writes it; who only reads needs none.

The kernel frees it when its process ends, however that ends. The file run.lock stays when the lock is free, since removing it would
let two processes each lock a file of that name; while it is held it says who holds it. Where what was to be written is refused, it
goes with the lock if it came with it: filelock looks whether the file it has locked is still there, and else begins anew.
"""

import contextlib
import errno
import functools
import json
import os
import socket
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import psutil

from d3gzsl_jax.errors import UserError, cannot_write

NAME = "run.lock"
MARKER = "run.lock.held"
"""Is there while the lock is held on a file system that has no locks of its own (some network shares)."""
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
_FRESH_SECONDS = 0.2  # a holder may have the lock and not have said so yet


class Held(UserError):
    """Another process, or another caller in this one, writes the run folder."""


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Within it this process, and in it this caller alone, may write `folder`, which exists. A block that refuses, and has written
    nothing, leaves no lock file that was not there before.

    Raises:
        Held: another one does, who is named. UserError: the folder cannot be written.
    """
    path, before = folder / NAME, _names(folder)
    with contextlib.ExitStack() as stack:
        try:
            _acquire(filelock.FileLock(path, timeout=0, thread_local=False, fallback_to_soft=False, on_acquired=_sign), stack)
            stack.push(functools.partial(_remove_if_refused, folder, before, _number(path)))  # both while it is held still
            stack.callback(_unsign, path)
        except filelock.Timeout:
            raise Held(_taken(folder)) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise cannot_write(path, error) from None
            _acquire_marker(folder, stack)
            stack.push(functools.partial(_remove_if_refused, folder, before, _number(path)))
        yield


def _names(folder: Path) -> set[str]:
    """What is in a folder; nothing where that cannot be seen."""
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def _number(path: Path) -> int | None:
    """By which the file system knows a file; None where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _remove_if_refused(
    folder: Path, before: set[str], own: int | None, kind: type | None, error: BaseException | None, trace: object
) -> None:
    """Removes the lock file, `own` by its number, that was not there `before`, where a UserError is all that came of the lock."""
    if isinstance(error, UserError) and NAME not in before and _names(folder) - before <= {NAME, MARKER}:
        with contextlib.suppress(OSError):
            if _number(folder / NAME) == own:
                (folder / NAME).unlink()


def _acquire(lock: filelock.BaseFileLock, stack: contextlib.ExitStack) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lock.acquire()
    stack.callback(lock.release)


def _acquire_marker(folder: Path, stack: contextlib.ExitStack) -> None:
    """Where there are no locks, a file's being there is one. That of a process of this machine that is dead is taken over."""
    path = folder / MARKER
    try:
        _acquire(filelock.SoftFileLock(path, timeout=0, thread_local=False), stack)
    except filelock.Timeout:
        with contextlib.suppress(OSError, IndexError):
            process, host = path.read_text(encoding="utf-8", errors="replace").split("\n")[:2]
            raise Held(
                f"--workdir={folder}: is being written by process {process} on {host}; wait until it is done, or, if it is "
                f"gone, remove {path}"
            ) from None
        raise Held(f"--workdir={folder}: is being written by another process; if that is gone, remove {path}") from None
    except OSError as error:
        raise cannot_write(path, error) from None


def _sign(descriptor: int) -> None:
    """Says in the lock file who holds it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    text = json.dumps({"process": os.getpid(), "host": socket.gethostname(), "since": now}) + "\n"
    with contextlib.suppress(OSError):  # a full disk must not keep a run from saying so elsewhere
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def _unsign(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.truncate(path, 0)


def holder(folder: Path) -> dict[str, Any]:
    """Who holds, or at its end held, the lock of `folder`: its 'process', 'host' and 'since'; {} where nobody says so."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and {"process", "host", "since"} <= found.keys() else {}


def _taken(folder: Path) -> str:
    found, until = holder(folder), time.monotonic() + _FRESH_SECONDS
    while not _alive(found) and time.monotonic() < until:
        time.sleep(0.02)
        found = holder(folder)
    who = "process {process} on {host} since {since}".format(**found) if found else "another process"
    own = " (this very process)" if found.get("process") == os.getpid() and found.get("host") == socket.gethostname() else ""
    return f"--workdir={folder}: is being written by {who}{own}; wait until it is done, or name another folder"


def _alive(found: dict[str, Any]) -> bool:
    """Whether a holder may be there: of another machine that cannot be told."""
    if not found:
        return False
    return found["host"] != socket.gethostname() or not isinstance(found["process"], int) or psutil.pid_exists(found["process"])
