"""Libraries of the extras that studies use: asked for before anything is computed."""

import importlib.util

from d3gzsl_jax.errors import UserError


def require(library: str, extra: str, wanted_by: str) -> None:
    """Refuses what needs a library that is not installed.

    Args:
        library: as it is imported, 'optuna'.
        extra: which installs it.
        wanted_by: what needs it, for the message.

    Raises:
        UserError: saying what to install.
    """
    if importlib.util.find_spec(library) is None:
        raise UserError(f"{wanted_by} needs {library}, which is not installed: pip install 'd3gzsl-jax[{extra}]'")
