"""Standard output and error of every command: nothing written there is fatal, and a reader that goes away is noticed.

    if __name__ == "__main__":
        sys.exit(run_command(main))
"""

import atexit
import contextlib
import errno
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import visible

READER_GONE = 141
"""Exit code of a command whose output nobody reads any more: what a shell shows of a program that SIGPIPE ends."""
_LENIENT = ("backslashreplace", "replace", "ignore", "xmlcharrefreplace", "namereplace")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_gone = False
_name = ""
_prepared = False


def prepare() -> None:
    """Makes writing to standard output and error safe: what their encoding cannot hold is escaped, and where one of them is closed,
    what is written goes nowhere (instead of into the next file that is opened, which would get its number)."""
    global _prepared
    for number, name, mode in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            if os.open(os.devnull, mode) != number:
                continue
        if getattr(sys, name) is None and number:
            setattr(sys, name, open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) not in _LENIENT and hasattr(stream, "reconfigure"):  # a notebook's has neither
            stream.reconfigure(errors="backslashreplace")
    if not _prepared:
        atexit.register(_flush)
    _prepared = True


def reader_is_gone() -> bool:
    """Whether standard output was a pipe whose reader has left."""
    return _gone


def lose_reader() -> None:
    """Notes that the reader has left; what is still to be written goes nowhere."""
    global _gone
    _gone = True
    _silence()


def run_command(main: Callable[[], int | None], name: str = "") -> int:
    """Runs the main function of a command; returns its exit code, `READER_GONE` where the reader of its output has left.

    What it refuses (`UserError`) is told in one line, with exit code 2.

    Args:
        main: the function; None is exit code 0.
        name: begins what is told here; '' for that of the file which runs.
    """
    global _name
    _name = name or Path(sys.argv[0]).stem
    prepare()
    try:
        code = main() or 0
    except SystemExit as error:  # as argparse does after its help, which may be unwritten, or have failed without a word
        if not _flush() or ({"-h", "--help"} & set(sys.argv) and _left()):
            lose_reader()
            return READER_GONE
        raise error
    except UserError as error:
        print(f"{_name}: {visible(str(error))}", file=sys.stderr)
        code = 2
    except BrokenPipeError:
        if not _left():  # another pipe's
            raise
        lose_reader()
        code = READER_GONE
    except OSError as error:
        if error.filename is not None or error.errno not in _FULL:
            raise
        code = _unwritten(error)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        lose_reader()
    except OSError as error:
        code = code or _unwritten(error)
    return READER_GONE if _gone else code


def _unwritten(error: OSError) -> int:
    _silence()
    print(f"{_name}: standard output cannot be written ({error.strerror})", file=sys.stderr)
    return 2


def _flush() -> bool:
    """Writes out what is still to be written; whether there is a reader."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        lose_reader()
    except (OSError, ValueError):  # told already, or nobody's business at the end
        _silence()
    return not _gone


def _left() -> bool:
    """Whether nobody reads standard output."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # not everywhere can that be asked
        asked = select.poll()
        asked.register(sys.stdout.fileno(), select.POLLOUT)
        return any(events & (select.POLLERR | select.POLLHUP) for _, events in asked.poll(0))
    return False


def _silence() -> None:
    with contextlib.suppress(OSError, ValueError):
        number = os.open(os.devnull, os.O_WRONLY)
        os.dup2(number, sys.stdout.fileno())
        os.close(number)
