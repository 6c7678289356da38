"""The ways a run is refused or stopped, each told to the user in one line."""

import errno
import os
import re

_LONGEST = 200  # characters of another library's message that are shown
_IN_THE_WAY = "something of that name is in the way: move it, or name another place"
_REMEDIES = {
    errno.ENOSPC: "free space there",
    errno.EDQUOT: "free space there: the quota is used up",
    errno.EFBIG: "the file system takes no file of that size: name another place",
    errno.EROFS: "the file system is read-only: name another place",
    errno.EACCES: "there is no permission to: name another place",
    errno.EPERM: "there is no permission to: name another place",
    errno.ENOENT: "its folder does not exist (any more): make it, or name another place",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ENAMETOOLONG: "the name is too long: give a shorter one",
    errno.EMFILE: "this process has too many open files: raise the limit (ulimit -n)",
    errno.EIO: "the disk reports an error: name another place",
}
_NUMBER = re.compile(r"(?:os_error_code='|\[Errno )(\d+)")  # as TensorStore and Python say it
_READ = {
    errno.EACCES: "there is no permission to: chmod u+r lets its owner read it",
    errno.EPERM: "there is no permission to: name another file",
    errno.ENOENT: "it is not there (any more)",
    errno.ELOOP: "its links go round in a circle: name the file itself",
    errno.ENAMETOOLONG: "the name is too long: give a shorter one",
    errno.EIO: "the disk reports an error: copy it again",
}


class UserError(ValueError):
    """Bad input: names the file, key, row or option and what to do. The command line prints it and exits with 2."""


class AgreedError(UserError):
    """A UserError of one process that all of them raise: the first one prints it."""


class DivergenceError(ArithmeticError):
    """Training produced NaN, infinity or an exploding loss: names the outer step and the terms. The command line exits with 3.

    Attributes:
        seeds: of the runs that it says it is of; () where it does not yet.
    """

    seeds: tuple[int, ...] = ()

    def of(self, message: str, *seeds: int) -> "DivergenceError":
        """One with this message that is of these seeds besides."""
        found = DivergenceError(message)
        found.seeds = tuple(dict.fromkeys((*self.seeds, *seeds)))
        return found


class Terminated(Exception):
    """SIGTERM came: what could be saved is saved. The command line exits with 143."""


def reason(error: BaseException) -> str:
    """The kind and first line of an exception of another library, for a message of one line."""
    lines = f"{type(error).__name__}: {error}".splitlines()
    return lines[0][:_LONGEST] if lines else type(error).__name__


def system_error(error: BaseException) -> OSError | None:
    """The refusal of the system that is behind an exception of another library; None where there is none."""
    seen: list[BaseException] = []
    behind: BaseException | None = error
    while behind is not None and behind not in seen:
        seen.append(behind)
        if isinstance(behind, OSError) and behind.errno:
            return behind
        if found := _NUMBER.search(str(behind)):
            return OSError(int(found[1]), os.strerror(int(found[1])))
        behind = behind.__cause__ or behind.__context__
    return None


def remedy(error: BaseException) -> str:
    """What to do where a file could not be written, by its cause."""
    found = system_error(error)
    return _REMEDIES.get(found.errno or 0, "name another place") if found else "name another place"


def cannot_write(path: object, error: BaseException) -> UserError:
    """The refusal of a file that cannot be written, with the system's reason and what to do about it."""
    found = system_error(error)
    return UserError(f"{path}: cannot be written ({(found and found.strerror) or reason(error)}); {remedy(error)}")


def cannot_read(path: object, error: OSError) -> UserError:
    """The refusal of a file that cannot be read, with the system's reason and what to do about it."""
    advice = _READ.get(error.errno or 0, "name another file")
    return UserError(f"{path}: cannot be read ({error.strerror or reason(error)}); {advice}")
