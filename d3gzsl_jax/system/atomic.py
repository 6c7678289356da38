"""Files and folders written whole or not at all."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path
from typing import IO, Any

from d3gzsl_jax.errors import UserError, cannot_read, cannot_write

PART = ".part"
"""Ends the name of what is being written; nothing of that name is left behind."""
_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_RANDOM = 8  # characters that tempfile puts before it


@contextlib.contextmanager
def replacing(target: Path, mode: str = "w", parents: bool = False) -> Iterator[IO[Any]]:
    """An open file that takes the place of `target` when the block ends, and vanishes where it raises.

    It is on the disk before it has the name, so a machine that loses power has the old file or the new one. A symbolic link of that
    name is refused, and so is writing through one.

    Args:
        target: the file; its folder exists, or is made.
        mode: 'w' for UTF-8 text, line ends as they are given, 'wb', or 'w+b' to read it back, too.
        parents: whether the folders it is in are made; those of a run that vanish are not to come back so.

    Raises:
        UserError: it cannot be written; what was there stays.
    """
    target, part = Path(target), None
    try:
        if target.is_symlink():
            raise UserError(f"{target}: is a symbolic link, which is not written through; remove it")
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=PART, dir=target.parent)
        part = Path(name)
        text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "", "errors": "backslashreplace"}
        with os.fdopen(number, mode, **text) as file:
            with _told_by_name(part, target):
                yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, target)
        part = None
        sync_folder(target.parent)
    except OSError as error:
        raise cannot_write(target, error) from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def write_text(target: Path, text: str, parents: bool = False) -> None:
    """Writes a text file, see `replacing`."""
    with replacing(target, parents=parents) as file:
        file.write(text)


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Where to make a folder, or a file, that takes the place of `target` when the block ends, and vanishes where it raises.

    What is at `target` is there until then, and goes then: whether it may is the caller's to know.

    Args:
        target: the folder that it is in exists.

    Raises:
        UserError: it cannot be written; what was there stays.
    """
    target, room = Path(os.path.abspath(target)), None
    try:
        if target.is_symlink():
            raise UserError(f"{target}: is a symbolic link, which is not written through; remove it")
        room = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=PART, dir=target.parent))
        new, old = room / "new", room / "old"
        with _told_by_name(room, target):
            yield new
        try:
            if os.path.lexists(target):
                os.rename(target, old)
            os.rename(new, target)
        except BaseException:  # ctrl-C, too, which may come as the first of them has its name
            if os.path.lexists(old) and not os.path.lexists(target):
                os.rename(old, target)
            raise
        sync_folder(target.parent)
    except OSError as error:
        raise cannot_write(target, error) from None
    finally:
        if room is not None and (os.path.lexists(target) or not os.path.lexists(room / "old")):  # else it has the only one there is
            shutil.rmtree(room, ignore_errors=True)


@contextlib.contextmanager
def _told_by_name(part: Path, target: Path) -> Iterator[None]:
    """Within it, what the system refuses of another file than `part`, in which `target` is made, is told of that file.

    Raises:
        UserError: naming it.
    """
    try:
        yield
    except OSError as error:
        name = os.path.abspath(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | os.PathLike) else ""
        own = [os.path.abspath(path) for path in (part, target)]
        if not name or any(name == path or name.startswith(path + os.sep) for path in own):
            raise
        raise (cannot_write if error.errno in _OF_WRITING else cannot_read)(error.filename, error) from None


def left_behind(folder: Path, names: Container[str]) -> list[Path]:
    """What a process that was killed left in `folder` of writing files and folders of these `names`."""
    found = []
    for path in folder.glob(f"*{PART}"):
        name, _, random = path.name.removesuffix(PART).rpartition(".")
        if (name in names and len(random) == _RANDOM) or path.name.removesuffix(PART) in names:  # as earlier versions called it
            found.append(path)
    return found


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` last, where the system can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _umask() -> int:
    # Python can only read it by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
