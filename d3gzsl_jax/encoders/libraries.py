"""Libraries of the extras: imported where they are used, and named with their extra where they are missing."""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

from d3gzsl_jax.errors import UserError, reason


def library(name: str, extra: str, wanted_by: str) -> Any:
    """A module that only an extra installs.

    Args:
        name: of the module, as 'onnxruntime'.
        extra: which installs it, as 'images'.
        wanted_by: what needs it, as '--image-encoder=onnx:FILE', for the message.

    Raises:
        UserError: it is not installed, or does not load; the extra is named.
    """
    try:
        return importlib.import_module(name)
    except Exception as error:  # one that is half installed raises nearly anything
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0]
        if missing:
            raise UserError(f"{wanted_by}: {missing} is not installed; pip install 'd3gzsl-jax[{extra}]'") from None
        first: BaseException = error
        while before := first.__cause__ or first.__context__:  # what went wrong first: the others follow from it
            first = before
        raise UserError(
            f"{wanted_by}: {name} does not load ({reason(first)}); it is there, with versions that do not fit each other, of torch "
            "and torchvision perhaps: install those of one release"
        ) from None


@contextlib.contextmanager
def refused(what: str, advice: str) -> Iterator[None]:
    """Whatever another library raises within it becomes one line: `what`, the reason and the advice.

    Raises:
        UserError: in the place of any other exception.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # these libraries raise nearly anything: of the network, of files, of versions
        raise UserError(f"{what} ({reason(error)}); {advice}") from None


@contextlib.contextmanager
def quiet_loading() -> Iterator[None]:
    """Within it transformers draws no bar of its own, beside the display's."""
    try:
        logging = importlib.import_module("transformers.utils.logging")
        shown = logging.is_progress_bar_enabled()
    except Exception:  # it is not there, or calls it otherwise: a bar more is no harm
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
