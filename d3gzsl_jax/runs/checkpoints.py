"""Checkpoints of a run, by Orbax: written while training goes on, whole or absent, the newest few and the best kept."""

import contextlib
import io
import logging
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy as keep_policy

from d3gzsl_jax import atomic, together
from d3gzsl_jax.errors import UserError, cannot_write, reason, remedy

PROBE = "probe"
"""The name of a checkpoint that is only written to see whether one can be."""
_UNFINISHED = ".orbax-checkpoint-tmp"  # in the name of what Orbax has not finished writing


class Checkpoints:
    """The folder `checkpoints` of a run: one folder per outer step, named after it.

    A checkpoint is `training`, a pytree of arrays, and `history`, what JSON can hold. It is written under another name and renamed
    when it is whole, so a process killed at any moment leaves no half of one behind under a step's name.

    Args:
        folder: 'checkpoints' in the run folder; made at the first save.
        keep: how many of the newest to keep.
        best: name of the metric whose highest checkpoint is kept besides; '' for none.
        minutes: how long to wait between two checkpoints.
        say: where warnings go, a line each.
        look: only look, and leave everything as it is.
    """

    def __init__(
        self, folder: Path, keep: int, best: str, minutes: float, say: Callable[[str], None], look: bool = False
    ) -> None:
        self.folder, self._say, self._seconds = Path(os.path.abspath(folder)), say, 60.0 * minutes
        self._best, self._saved_at, self._failed = best, time.monotonic(), False
        policies = [keep_policy.LatestN(keep)]
        if best:
            policies.append(
                keep_policy.BestN(get_metric_fn=lambda metrics: metrics[best], n=1, keep_checkpoints_without_metrics=False)
            )
        _quiet_threads()
        if not look:
            self._discard_unfinished()
        options = ocp.CheckpointManagerOptions(
            preservation_policy=keep_policy.AnyPreservationPolicy(policies), create=False, read_only=look,
            best_fn=(lambda metrics: metrics[best]) if best else None, multiprocessing_options=_by_first(),
        )
        with _quiet():
            self._manager = ocp.CheckpointManager(self.folder, options=options)
        known = [self._manager.metrics(step) for step in self.steps] if best else []
        self._highest = max((metrics[best] for metrics in known if metrics and best in metrics), default=-1.0)

    @property
    def steps(self) -> list[int]:
        """Outer steps that have a whole checkpoint, ascending."""
        return sorted(self._manager.all_steps()) if self.folder.is_dir() else []

    def due(self) -> bool:
        """Whether it is time for another one, and the last one is written."""
        return time.monotonic() - self._saved_at >= self._seconds and not self._manager.is_saving_in_progress()

    def better(self, metrics: dict[str, float]) -> bool:
        """Whether the best is to be kept, and this is better than all before."""
        return bool(self._best) and metrics[self._best] > self._highest

    def save(self, step: int, training: Any, history: dict[str, Any], metrics: dict[str, float] | None, wait: bool = False) -> bool:
        """Begins to write a checkpoint; `wait`s until it is there if asked. A step that has one already is left alone.

        A failure, of this one or of the one before, is said once, and training goes on: the last good one stays.

        Args:
            step: outer steps done.
            training: arrays; they may be donated to another computation as soon as this returns.
            history: what JSON can hold.
            metrics: of the evaluation at this step, if there was one.

        Returns:
            Whether nothing is known to have failed.
        """
        self._saved_at = time.monotonic()
        try:
            with _quiet():
                self.folder.mkdir(exist_ok=True)
                if step not in self.steps:
                    items = {"training": ocp.args.StandardSave(_savable(training)), "history": ocp.args.JsonSave(history)}
                    self._manager.save(step, args=ocp.args.Composite(**items), metrics=metrics)
                if wait:
                    self._manager.wait_until_finished()
        except Exception as error:  # Orbax and TensorStore raise many kinds for a full or vanished disk
            self._complain(error)
            return False
        if metrics and self._best:
            self._highest = max(self._highest, metrics[self._best])
        return True

    def newest(self) -> Path | None:
        """Where the newest whole checkpoint is."""
        return self.folder / str(self.steps[-1]) if self.steps else None

    def best_step(self) -> int:
        """The step of the best checkpoint.

        Raises:
            UserError: none was kept as the best.
        """
        found = {step: self._manager.metrics(step) for step in self.steps} if self._best else {}
        values = {step: metrics[self._best] for step, metrics in found.items() if metrics and self._best in metrics}
        if not values:
            raise UserError(f"{self.folder}: no checkpoint was kept as the best (config.checkpoint.best={self._best!r})")
        return max(values, key=values.__getitem__)

    def restore_newest(self, abstract: Any) -> tuple[int, Any, dict[str, Any]] | None:
        """The newest checkpoint that can be read, as (step, training, history); None without one.

        One that cannot be read is skipped with a warning, and put aside under another name.

        Args:
            abstract: shapes and dtypes of `training`.
        """
        for step in reversed(self.steps):
            try:
                return step, *self.restore(step, abstract)
            except UserError as error:
                aside = self.folder / f"damaged-{step}"
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(self.folder / str(step), aside)
                self._manager.reload()
                self._say(f"warning: {error}; skipped, and put aside as {aside.name}")
        return None

    def restore(self, step: int, abstract: Any) -> tuple[Any, dict[str, Any]]:
        """`training` and `history` of one step.

        Raises:
            UserError: it cannot be read, or is of other shapes.
        """
        items = {"training": ocp.args.StandardRestore(_on_device(abstract)), "history": ocp.args.JsonRestore()}
        try:
            with _quiet():
                found = self._manager.restore(step, args=ocp.args.Composite(**items))
        except Exception as error:
            raise UserError(f"{self.folder / str(step)}: not a whole checkpoint of this model ({reason(error)[:120]})") from None
        return found.training, found.history

    def close(self) -> None:
        """Waits for what is being written."""
        try:
            with _quiet():
                self._manager.close()
        except Exception as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        self._discard_unfinished(quietly=True)
        if not self._failed:
            newest = self.newest()
            left = f"the last good one is {newest}" if newest else "there is none yet"
            self._say(
                f"warning: a checkpoint could not be written to {self.folder} ({reason(error)[:120]}); {left}; training goes on: "
                f"{remedy(error)}"
            )
        self._failed = True

    def _discard_unfinished(self, quietly: bool = False) -> None:
        for path in (*self.folder.glob(f"*{_UNFINISHED}*"), *self.folder.glob(f"{PROBE}*")):
            shutil.rmtree(path, ignore_errors=True)
            if not quietly and not path.name.startswith(PROBE):
                self._say(f"warning: {path.name.split('.')[0]} in {self.folder} is a half-written checkpoint: skipped and removed")


def save_once(path: Path, arrays: Any, notes: dict[str, Any]) -> None:
    """Writes arrays and notes that never change to `path`, whole or absent, in place of what is there.

    Raises:
        UserError: it cannot be written.
    """
    path = Path(os.path.abspath(path))
    with atomic.replacing_folder(path) as new:
        try:
            with _quiet(), ocp.Checkpointer(_handler(), multiprocessing_options=_by_first()) as checkpointer:
                items = {"arrays": ocp.args.StandardSave(_savable(arrays)), "notes": ocp.args.JsonSave(notes)}
                checkpointer.save(new, args=ocp.args.Composite(**items))
        except Exception as error:
            raise cannot_write(path, error) from None


def load_once(path: Path) -> tuple[Any, dict[str, Any]]:
    """Arrays and notes of `save_once`.

    Raises:
        UserError: nothing whole is there.
    """
    path = Path(os.path.abspath(path))
    try:
        with _quiet(), ocp.Checkpointer(_handler(), multiprocessing_options=_by_first()) as checkpointer:
            notes = checkpointer.restore(path, args=ocp.args.Composite(notes=ocp.args.JsonRestore())).notes
    except Exception as error:
        raise UserError(f"{path}: not a whole saved model ({reason(error)[:120]})") from None
    return load_arrays(path / "arrays"), notes


def load_arrays(path: Path) -> Any:
    """The pytree of arrays under `path`, lists and dicts in place of whatever containers it was saved from.

    Raises:
        UserError: nothing whole is there.
    """
    path = Path(os.path.abspath(path))
    try:
        with _quiet(), ocp.StandardCheckpointer(multiprocessing_options=_by_first()) as reader:
            shapes = reader.metadata(path).item_metadata.tree
            return reader.restore(path, _on_device(shapes))
    except Exception as error:
        raise UserError(f"{path}: no whole arrays ({reason(error)[:120]})") from None


def _on_device(abstract: Any) -> Any:
    """Shapes with the place they go to: the default device, wherever they were saved."""
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), abstract)


def _savable(tree: Any) -> Any:
    """What Orbax takes: among many processes it refuses arrays that are on one's own devices, and takes those of the host."""
    return tree if together.alone() else jax.tree.map(np.array, tree)


def _by_first() -> ocp.options.MultiprocessingOptions:
    """Only the first process saves and restores: everything is replicated, and so no shared disk is needed."""
    return ocp.options.MultiprocessingOptions(primary_host=0, active_processes=None if together.alone() else {0})


def _handler() -> ocp.CompositeCheckpointHandler:
    """Of a folder with several items."""
    return ocp.CompositeCheckpointHandler(composite_options=ocp.CompositeOptions(multiprocessing_options=_by_first()))


def _quiet_threads() -> None:
    """From here on the threads that write say nothing of a failure: it is raised at the next save, and said there in one line."""
    logging.getLogger("absl").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps off the screen what the libraries print besides the exception they raise, tracebacks of their threads above all."""
    logger = logging.getLogger("absl")
    level = logger.level
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)
