"""How Orbax is used here: by the first process alone, on the default device, and without a word besides what it raises."""

import contextlib
import gc
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp

from d3gzsl_jax.errors import reason
from d3gzsl_jax.system import processes

Result = TypeVar("Result")

_AFTER_FAILURE = 0.5  # seconds
_LOGGERS = ("absl", "orbax", "asyncio")  # of Orbax, and of the event loops it reads in
_SILENT = logging.CRITICAL + 1


def on_device(abstract: Any) -> Any:
    """Shapes with the place they go to: the default device, wherever they were saved."""
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), abstract)


def savable(tree: Any) -> Any:
    """What Orbax takes: among many processes it refuses arrays that are on one's own devices, and takes those of the host."""
    return tree if processes.alone() else jax.tree.map(np.array, tree)


def by_first() -> ocp.options.MultiprocessingOptions:
    """Only the first process saves and restores: everything is replicated, and so no shared disk is needed."""
    return ocp.options.MultiprocessingOptions(primary_host=0, active_processes=None if processes.alone() else {0})


def handler() -> ocp.CompositeCheckpointHandler:
    """Of a folder with several items."""
    return ocp.CompositeCheckpointHandler(composite_options=ocp.CompositeOptions(multiprocessing_options=by_first()))


def quiet_threads() -> None:
    """From here on the threads that write say nothing of a failure: it is raised at the next save, and said there in one line."""
    logging.getLogger("absl").setLevel(_SILENT)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps off the screen what the libraries log besides the exception they raise, tracebacks of their threads above all."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(_SILENT)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextlib.contextmanager
def _late_answers_dropped() -> Iterator[None]:
    """Drops what no logger holds back: TensorStore answers a read to the event loop that was closed when the one beside it failed,
    and hands the error of that to `sys.unraisablehook`. All other errors go where they went."""
    hook = sys.unraisablehook

    def other_than_late(found: "sys.UnraisableHookArgs") -> None:
        if not (found.exc_type is RuntimeError and str(found.exc_value) == "Event loop is closed"):
            hook(found)

    sys.unraisablehook = other_than_late
    try:
        yield
    finally:
        sys.unraisablehook = hook


def tried(read: Callable[[], Result]) -> tuple[Result | None, str]:
    """What `read` returns, and ''; or None, and why it failed."""
    with quiet(), _late_answers_dropped():
        try:
            return read(), ""
        except Exception as error:  # Orbax and TensorStore raise many kinds
            why = reason(error)[:120]
        time.sleep(_AFTER_FAILURE)  # reads begun beside the one that failed complain when they end, or when Python does
        gc.collect()
        return None, why
