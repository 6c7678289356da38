"""The options of a command: help that begins with an example and ends with the exit codes, and one line for whatever is wrong."""

import argparse
import difflib
import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import cut, given, shortened

Guess = Callable[[str, str], str]
"""What to say of an unknown option, given its name without dashes and its value, '' for nothing; or it raises UserError."""

_NO_DEFAULT: tuple[object, ...] = (None, "", 0, False, [], argparse.SUPPRESS)


def flag(name: str) -> str:
    """'--data-root' of 'data_root': how an option is written in help and messages. `Parser` takes '_' for '-' as well."""
    return f"--{name.replace('_', '-')}"


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UserError`, of one line, and takes '_' for '-' in names.

    Args:
        prog: as it is called, 'd3gzsl predict'.
        description: what it does, with an example.
        exit_codes: ends the help.
        guess: looks beyond the command's own options for what an unknown one means.
    """

    def __init__(self, *args: Any, exit_codes: str = "", guess: Guess | None = None, **more: Any) -> None:
        codes = {"epilog": f"Exit codes: {exit_codes}"} if exit_codes else {}
        usual: dict[str, Any] = {"formatter_class": _Help, "allow_abbrev": False, "usage": argparse.SUPPRESS}
        super().__init__(*args, **usual | codes | more)
        self._guess = guess

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> argparse.Namespace:
        """The options given; None: those of the command line.

        Raises:
            UserError: something is unknown, missing, or has no such value.
        """
        known, more = self.parse_known_args(list(sys.argv[1:] if args is None else args), namespace)
        if more:
            self._refuse(more[0])
        return known

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse has it, but for an unknown option, which is told first."""
        if args and not self._subparsers:
            end = args.index("--") if "--" in args else len(args)  # what comes after it is another command's
            known = []
            for text in args[:end]:
                name = self._spelled(text).partition("=")[0]
                if re.match(r"-[-A-Za-z]", text) and name not in self._option_string_actions:
                    self._refuse(text)
                known.append(self._spelled(text))
            self._require_once(known)
            args = [*known, *args[end:]]
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises `UserError`."""
        if found := re.match(r"the following arguments are required: ([^,]+)", message):
            raise UserError(f"{found[1]} is missing")
        if found := re.match(r"one of the arguments (.+) is required$", message):
            raise UserError(f"{' or '.join(found[1].split())} is missing")
        message = message.removeprefix("argument ")
        raise UserError(cut(re.sub(r"expected (one|at least one) argument$", "give a value", message), 400))

    def _spelled(self, text: str) -> str:
        """'--data-root=x' of '--data_root=x' and '-data-root=x', where that is an option."""
        name, equals, value = text.partition("=")
        if not name.startswith("-") or name in self._option_string_actions:
            return text
        bare = name.lstrip("-")
        for other in (f"--{bare}", f"--{bare.replace('-', '_')}", f"--{bare.replace('_', '-')}"):
            if other in self._option_string_actions:
                return f"{other}{equals}{value}"
        return text

    def _require_once(self, args: Sequence[str]) -> None:
        """Refuses an option that is given again with another value. What is spelled as an option is never the value of another one,
        so that it is enough to look for those."""
        given: dict[str, tuple[str, str]] = {}
        for place, text in enumerate(args):
            name, equals, value = text.partition("=")
            action = self._option_string_actions.get(name)
            if action is None or action.nargs == 0 or isinstance(action, argparse._AppendAction):
                continue
            value = value if equals else "".join(args[place + 1 : place + 2])
            require_same(*given.setdefault(action.dest, (name, value)), name, value)

    def _refuse(self, text: str) -> NoReturn:
        name, _, value = text.partition("=")
        if not text.startswith("-"):
            raise UserError(f"unexpected argument {shortened(text)}; options are written --name=value")
        bare = name.lstrip("-").replace("-", "_")  # as fields and destinations are called
        if len(bare) > 100:  # nothing is like that, and looking takes long
            raise UserError(f"{cut(name)}: no such option")
        near = difflib.get_close_matches(flag(bare), list(self._option_string_actions), n=1, cutoff=0.75)
        guess = self._guess(bare, value) if self._guess and not near else ""
        raise UserError(f"unknown option {name}; {guess or (f'did you mean {near[0]}?' if near else '--help lists all')}")


def require_same(name: str, value: str, name_again: str, value_again: str) -> None:
    """Refuses an option that was given twice with different values, of which the last alone would count.

    Args:
        name, value: of the option, dashes and all, as it was given first.
        name_again, value_again: as it was given then.

    Raises:
        UserError: naming both.
    """
    if value != value_again:
        first, second = (re.sub(r"(://[^/@:\s]*):[^@/\s]*@", r"\1:***@", text) for text in (value, value_again))  # passwords
        raise UserError(f"{name}={cut(first)} and {name_again}={cut(second)}: give one of them")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Options as '--name=VALUE', with their defaults."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=100)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return ", ".join(action.option_strings) or super()._format_action_invocation(action)
        return f"{action.option_strings[0]}={self._format_args(action, self._get_default_metavar_for_optional(action))}"

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if "default" in text or not action.option_strings or any(action.default is none for none in _NO_DEFAULT[1:]):
            return text
        return text if action.default in _NO_DEFAULT else f"{text} (default: %(default)s)"


def whole(lowest: int, highest: float = math.inf) -> Callable[[str], int]:
    """The type of an option that is a whole number in a range."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"expected a whole number, {_range(lowest, highest)}, not {given(text)}")
        return value

    return read


def require_whole(name: str, value: object, lowest: int, highest: float = math.inf) -> int:
    """What a caller gives for a whole number in a range, numpy's among them; as `whole` has it of an option.

    Raises:
        UserError: it is none.
    """
    is_whole = hasattr(value, "__index__") and type(value).__name__ not in ("bool", "bool_", "ndarray")
    if not is_whole or not lowest <= int(value) <= highest:  # type: ignore[call-overload]
        raise UserError(f"{name}={shortened(value)}: expected a whole number, {_range(lowest, highest)}")
    return int(value)  # type: ignore[call-overload]


def _range(lowest: int, highest: float) -> str:
    return f"{lowest} to {highest}" if highest < math.inf else f"{lowest} or more"


def share() -> Callable[[str], float]:
    """The type of an option that is a share: 0 or more, and below 1."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < 1:
            raise argparse.ArgumentTypeError(f"expected a share, 0 to below 1, not {given(text)}")
        return value

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """The type of an option that is one of some words."""

    def read(text: str) -> str:
        if text not in words:
            near = difflib.get_close_matches(text[:100], words, n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(words)}, not {given(text)}{guess}")
        return text

    return read
