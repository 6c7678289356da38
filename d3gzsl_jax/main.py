"""The command line: which command is meant, and how it ends.

    d3gzsl COMMAND [--option=value ...]        = python -m d3gzsl_jax = python -m d3gzsl_jax.main
    python -m d3gzsl_jax.main --config=configs/cub.py[:base] [--workdir=RUN] [--config.group.field=value ...]
    python -m d3gzsl_jax.main --mode=evaluate|predict|synthesize|add_classes --workdir=RUN ...

Without a command --mode says which, and without that it is `train`.
"""

import difflib
import gc
import platform
import re
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata

from d3gzsl_jax import __version__
from d3gzsl_jax.commands import COMMANDS, MODES
from d3gzsl_jax.errors import AgreedError, DivergenceError, Terminated, UserError
from d3gzsl_jax.system import terminal
from d3gzsl_jax.system.options import require_same
from d3gzsl_jax.text import cut, shortened, visible

_HELP = ("--help", "-h", "--helpfull", "-help", "-helpfull", "--helpshort", "-helpshort")


def main(argv: Sequence[str] | None = None) -> int:
    """Does what the arguments (default: the process's) ask for; returns the exit code."""
    try:
        name, arguments = _chosen(list(sys.argv[1:] if argv is None else argv))
    except UserError as error:
        return _end(2, "", str(error))
    if not name:
        print(versions() if arguments else overview())
        raise SystemExit(0)  # as the help of a command ends
    try:
        return _left(_ended(name, arguments))
    except BaseException as error:
        if not _joined() or isinstance(error, SystemExit):
            raise
        traceback.print_exc()
        return _left(1)


def command() -> int:
    """`main` as a process: its exit code, also where nobody reads the output any more."""
    # What JAX traces are hundreds of thousands of objects that stay: to look through them for cycles at every turn took a tenth of
    # the time of a short run.
    gc.set_threshold(50_000, 20, 20)
    try:
        return terminal.run_command(main, "d3gzsl")
    finally:
        gc.freeze()  # nor are they looked through as the process ends


def overview() -> str:
    """The help that lists the commands."""
    listed = "\n".join(f"  {name:<13} {found.about}" for name, found in COMMANDS.items())
    return f"""D3GZSL (arXiv 2402.11424) in JAX/Flax: generalized zero-shot learning by data-distribution distillation.

    d3gzsl train --config=configs/digits.py --workdir=runs/digits
    d3gzsl predict --workdir=runs/digits --input=features.npy --output=classes.csv

Commands; d3gzsl COMMAND --help lists the options of one, with their defaults, and d3gzsl --version says which this is:
{listed}

d3gzsl, python -m d3gzsl_jax and python -m d3gzsl_jax.main are the same. Without a command, --config=... trains
and --mode={'|'.join(MODES)} does that.

Exit codes: 0 done, 2 bad input (one line says what), 3 training broke down (not finite, or exploded), 130 ended
by ctrl-C, 141 nobody reads the output any more, 143 SIGTERM (what there was is saved; the same command goes on).
Ctrl-C and SIGTERM are how serve ends: 0, unless a request was cut off."""


def versions() -> str:
    """What a report of a fault begins with."""
    return f"d3gzsl-jax {__version__}, jax {metadata.version('jax')}, Python {platform.python_version()}"


def _chosen(given: list[str]) -> tuple[str, list[str]]:
    """The command that is meant and its arguments; '' for the overview, or with --version for that.

    Raises:
        UserError: there is no such command or mode.
    """
    if given in (["version"], ["--version"], ["-version"], ["-V"]):
        return "", ["--version"]
    if given[:1] == ["help"]:
        given = [*given[1:], "--help"]
    if given and not given[0].startswith("-"):
        if given[0] in COMMANDS:
            return given[0], given[1:]
        near = difflib.get_close_matches(given[0].replace("_", "-")[:100], COMMANDS, n=1)
        guess = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
        raise UserError(f"unknown command {shortened(given[0])}; {guess}")
    mode, rest, waiting = "", [], iter(given)
    for argument in waiting:
        match = re.fullmatch("--?mode(?:=(.*))?", argument, re.DOTALL)
        if match:
            before, mode = mode, match[1] if match[1] is not None else next(waiting, "")
            if not mode:
                raise UserError(f"--mode: give one of train, {', '.join(MODES)}")
            require_same("--mode", before or mode, "--mode", mode)
            if mode not in ("train", *MODES):
                near = difflib.get_close_matches(mode[:100], ("train", *MODES), n=1)
                guess = f"; did you mean {near[0]}?" if near else ""
                raise UserError(f"--mode={cut(mode)}: expected one of train, {', '.join(MODES)}, not {cut(mode)}{guess}")
        else:
            rest.append("--help" if argument in _HELP else argument)
    if "--help" in rest and not mode:
        return "", []
    return mode.replace("_", "-") or "train", rest


def _ended(name: str, arguments: list[str]) -> int:
    """The exit code of a command; why it ended is told in one line."""
    try:
        return COMMANDS[name].run(arguments)
    except AgreedError as error:
        return _end(2, name, str(error), once=True)
    except UserError as error:
        return _end(2, name, str(error))
    except DivergenceError as error:
        return _end(3, name, str(error), once=True)
    except Terminated as error:
        if terminal.reader_is_gone():
            text = str(error).replace("SIGTERM", "nobody reads the output any more", 1)
            return _end(terminal.READER_GONE, name, text, once=True)
        return _end(143, name, str(error), once=True)
    except KeyboardInterrupt as error:
        further = f"; {error}" if str(error) else ""
        return _end(130, name, f"stopped before there was a result{further}", once=True)


def _end(code: int, name: str, message: str, once: bool = False) -> int:
    """Says why; `once`: all processes of a run end alike, and the first one says it."""
    if not once or not _joined() or _is_first():
        print(f"d3gzsl {name}".rstrip() + f": {visible(message)}", file=sys.stderr)
    return code


def _joined() -> bool:
    """Whether this process is one of many. JAX is asked if it was needed so far."""
    jax = sys.modules.get("jax")
    return jax is not None and jax.distributed.is_initialized()


def _is_first() -> bool:
    from d3gzsl_jax.system.processes import is_first

    return is_first()


def _left(code: int) -> int:
    """Leaves the other processes, if there are any; returns the exit code."""
    if not _joined():
        return code
    from d3gzsl_jax.system.startup import leave

    return leave(code)


if __name__ == "__main__":
    sys.exit(command())
