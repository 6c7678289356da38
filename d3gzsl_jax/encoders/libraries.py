"""Libraries of the extras: imported where they are used, and named with their extra where they are missing."""

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.system.extras import install_command, package_of

_WITH_TORCH = ("timm", "torch", "transformers", "sentence_transformers")


def library(name: str, extra: str, wanted_by: str) -> Any:
    """A module that only an extra installs.

    Args:
        name: of the module, as 'onnxruntime'.
        extra: which installs it, as 'onnx'.
        wanted_by: what needs it, as '--image-encoder=onnx:FILE', for the message.

    Raises:
        UserError: it is not installed, or does not load; the extra is named.
    """
    try:
        return importlib.import_module(name)
    except Exception as error:  # one that is half installed raises nearly anything
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0]
        if missing:
            raise UserError(f"{wanted_by}: {package_of(missing)} is not installed; {install_command(extra)}") from None
        first = _first(error)
        advice = _of_torch(name) if name in _WITH_TORCH else "it is there, beside versions that do not fit it: install it anew"
        raise UserError(f"{wanted_by}: {name} does not load ({reason(first)}); {advice}") from None


def _first(error: BaseException) -> BaseException:
    """What went wrong first: the others follow from it."""
    while before := error.__cause__ or error.__context__:
        error = before
    return error


def _of_torch(name: str = "") -> str:
    """What to do where PyTorch, or what builds on it, does not load. `name`: of the module."""
    can_do_without = name not in ("timm", "torch") and importlib.util.find_spec("torchvision") is not None
    without = ", or pip uninstall torchvision: only timm needs it, ONNX and texts do not" if can_do_without else ""
    return f"install torch and torchvision of one release and one build (both for the CPU, or both for CUDA){without}"


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
        first = _first(error)
        if "torchvision" in str(first):  # transformers imports it when it is asked for a model
            raise UserError(f"{what} ({reason(first)}); {_of_torch()}") from None
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
