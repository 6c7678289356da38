"""Paths that a user gives: one meaning in every flag and field, and what may be written where."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from d3gzsl_jax.errors import UserError, cannot_write
from d3gzsl_jax.text import shortened

BUCKETS = ("gs", "s3")
"""Schemes of object stores that run folders may be in."""


def scheme_of(given: str | os.PathLike[str]) -> str:
    """'gs' of 'gs://bucket/run'; '' of a local path."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):/", os.fspath(given))  # pathlib makes one slash of two
    return found[1].lower() if found and len(found[1]) > 1 else ""


def clean(given: str | os.PathLike[str], option: str) -> Path:
    """The local path that is meant: `~` is the home folder, a relative one counts from the working directory.

    Args:
        given: as a flag, a field of the configuration or a caller has it.
        option: which one, for messages, as '--output' or 'config.data.root'.

    Raises:
        UserError: it is empty, is in an object store, or no path at all; or it lies in a folder that may not be looked into.
    """
    text = os.fspath(given)
    if not text.strip():
        raise UserError(f"{option}: is empty; give a path")
    if "\0" in text:
        raise UserError(f"{option}={shortened(text)}: a path cannot hold a zero byte")
    if scheme := scheme_of(text):
        hint = "give the path without file://" if scheme == "file" else "copy it here and give a local path"
        raise UserError(f"{option}={shortened(text)}: {scheme}:// is not read or written here; {hint}")
    try:
        path = Path(text).expanduser()
        os.lstat(path)
        os.stat(path)
    except RuntimeError:
        raise UserError(f"{option}={shortened(text)}: there is no such home folder; write the path in full") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # whatever is asked about it would raise
            raise UserError(f"{option}={shortened(text)}: the name is too long for a path; give a shorter one") from None
        if error.errno == errno.EACCES:  # likewise, or it would be said not to be there
            raise _hidden(path, f"{option}={path}: ") from None
    return path


def is_there(path: Path) -> bool:
    """Whether something is at a path, be it a link that leads nowhere.

    Raises:
        UserError: that cannot be known, for a folder above it may not be looked into.
    """
    return _mode(path, os.lstat) != 0


def is_folder(path: Path) -> bool:
    """Whether a folder is at a path, or a link to one.

    Raises:
        UserError: as of `is_there`.
    """
    return stat.S_ISDIR(_mode(path, os.stat))


def _mode(path: Path, look: Callable[[Path], os.stat_result]) -> int:
    try:
        return look(path).st_mode
    except OSError as error:
        if error.errno == errno.EACCES:
            raise _hidden(path, "") from None
        return 0


def _hidden(path: Path, where: str) -> UserError:
    """What is said of a path that lies in a folder which may not be looked into."""
    for place in (Path(os.path.abspath(path)), Path(os.path.realpath(path))):  # a link may lead there
        for below, folder in zip((*place.parents[-2::-1], place), place.parents[::-1], strict=True):
            try:
                os.lstat(below)
            except OSError as error:
                if error.errno == errno.EACCES:
                    return UserError(
                        f"{where}there is no permission to look into {folder}; chmod u+x lets its owner, or name another place"
                    )
                break
    return UserError(f"{where or f'{path}: '}there is no permission to look at it; name another place")


def clean_folder(given: str | os.PathLike[str], option: str) -> Path:
    """The local folder that is meant, to write in; made by nobody yet, see `make_folder`.

    Raises:
        UserError: see `clean`; or it is a file, or it can be seen from where it would lie that it cannot be made.
    """
    path = clean(given, option)
    if not (there := nearest(path)).is_dir():
        raise UserError(f"{option}={path}: cannot be written ({there} is no folder); name another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{option}={path}: cannot be written (there is no permission to in {there}); name another folder")
    return path


def nearest(path: Path) -> Path:
    """What is there of a path: itself, or the nearest of the folders above."""
    there = Path(os.path.abspath(path))
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    return there


def make_folder(path: Path, option: str) -> None:
    """Makes a folder, and those it is in.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(f"{option}={path}", error) from None


@contextlib.contextmanager
def made_folder(path: Path, option: str) -> Iterator[None]:
    """Within it a folder is there, and those it is in. Where the block refuses, those that were made for it and are empty go again.

    Raises:
        UserError: it cannot be made.
    """
    new = missing(path)
    try:
        make_folder(path, option)
        yield
    except UserError:
        remove_empty(new)
        raise


def missing(path: Path) -> list[Path]:
    """What is not there of a folder and those it is in, the innermost first."""
    return [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]


def remove_empty(folders: Sequence[Path]) -> None:
    """Removes those of the folders, the innermost first, in which nothing is."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths, of which neither need exist, mean one file or folder."""
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()


def clean_output(
    given: str | os.PathLike[str], option: str, is_ours: Callable[[Path], bool], what: str, inputs: Sequence[Path] = (),
) -> Path:
    """The local path to write to, refused before anything is computed where something would be lost. The folders above it need not
    be there: who writes it makes them.

    Args:
        given, option: see `clean`.
        is_ours: whether what is there was written by the same command, and so may be replaced.
        what: what is written, as 'predictions'.
        inputs: what is read meanwhile.

    Raises:
        UserError: something else is there, it is an input, or it cannot be made there.
    """
    path = clean(given, option)
    for source in inputs:
        if same_file(path, source):
            raise UserError(f"{option}={path}: is what is read from, too; give another place to write to")
        if path.exists() and any(same_file(path, parent) for parent in source.resolve().parents):
            raise UserError(f"{option}={path}: holds {source}, which is read from; give another place to write to")
    if path.is_symlink():
        raise UserError(f"{option}={path}: is a symbolic link; give the place itself")
    parent = nearest(Path(os.path.abspath(path)).parent)
    if not parent.is_dir():
        raise UserError(f"{option}={path}: {parent} is no folder; give another place")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(f"{option}={path}: {parent} cannot be written to; give another place")
    if path.exists() and not is_ours(path):
        kind = "a folder" if path.is_dir() else "a file"
        raise UserError(f"{option}={path}: {kind} is there that holds no {what}, which stays; remove it, or give another place")
    return path
