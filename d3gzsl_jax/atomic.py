"""Files written whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from d3gzsl_jax.errors import UserError, cannot_write

PART = ".part"
"""Ends the name of what is being written; nothing of that name is left behind."""


@contextlib.contextmanager
def replacing(target: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """An open file that takes the place of `target` when the block ends, and vanishes where it raises.

    It is on the disk before it has the name, so a machine that loses power has the old file or the new one. A symbolic link of that
    name is refused, and so is writing through one.

    Args:
        target: the file; its folder exists.
        mode: 'w' for UTF-8 text, line ends as they are given, or 'wb'.

    Raises:
        UserError: it cannot be written; what was there stays.
    """
    target, part = Path(target), None
    try:
        if target.is_symlink():
            raise UserError(f"{target}: is a symbolic link, which is not written through; remove it")
        number, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=PART, dir=target.parent)
        part = Path(name)
        text = {} if "b" in mode else {"encoding": "utf-8", "newline": "", "errors": "backslashreplace"}
        with os.fdopen(number, mode, **text) as file:
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


def write_text(target: Path, text: str) -> None:
    """Writes a text file, see `replacing`."""
    with replacing(target) as file:
        file.write(text)


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
