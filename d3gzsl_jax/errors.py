"""The ways a run is refused or stopped, each told to the user in one line."""


class UserError(ValueError):
    """Bad input: names the file, key, row or option and what to do. The command line prints it and exits with 2."""


class AgreedError(UserError):
    """A UserError of one process that all of them raise: the first one prints it."""


class DivergenceError(ArithmeticError):
    """Training produced NaN, infinity or an exploding loss: names the outer step and the terms. The command line exits with 3."""


class Terminated(Exception):
    """SIGTERM came: what could be saved is saved. The command line exits with 143."""


def reason(error: Exception) -> str:
    """The kind and first line of an exception of another library, for a message of one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
