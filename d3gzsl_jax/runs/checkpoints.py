"""Checkpoints of a run, by Orbax: written while training goes on, whole or absent, the newest few and the best kept."""

import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy as keep_policy

from d3gzsl_jax.errors import UserError, cannot_write, reason, remedy
from d3gzsl_jax.runs import checkpoint_metrics
from d3gzsl_jax.runs.storage import digests
from d3gzsl_jax.runs.storage.orbax import by_first, handler, on_device, quiet, quiet_threads, savable, tried
from d3gzsl_jax.system import atomic

PROBE = "probe"
"""The name of a checkpoint that is only written to see whether one can be."""
_UNFINISHED = ".orbax-checkpoint-tmp"  # in the name of what Orbax has not finished writing


class Checkpoints:
    """The folder `checkpoints` of a run: one folder per outer step, named after it.

    A checkpoint is `training`, a pytree of arrays, `history`, what JSON can hold, the digests of both, and the metrics of the
    evaluation at its step, if there was one. It is written under another name and renamed when it is whole, so a process killed at
    any moment leaves no half of one behind under a step's name.

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
        quiet_threads()
        if not look:
            self._discard_unfinished()
        self._values: dict[int, float] = {}  # by step, the metric that the best has the highest of
        policies = [keep_policy.LatestN(keep), _KeepBest(self._values)]
        options = ocp.CheckpointManagerOptions(
            preservation_policy=keep_policy.AnyPreservationPolicy(policies), create=False, read_only=look,
            multiprocessing_options=by_first(),
        )
        try:
            with quiet():
                self._manager = ocp.CheckpointManager(self.folder, options=options)
            steps = self.steps
        except Exception as error:
            raise UserError(f"{self.folder}: cannot be looked through ({reason(error)[:120]}); move it away") from None
        for step in steps if best else ():
            try:
                self._note(step, checkpoint_metrics.read(self.folder / str(step), step))
            except UserError as error:
                say(f"warning: {error}; that checkpoint cannot be the best")

    @property
    def steps(self) -> list[int]:
        """Outer steps that have a whole checkpoint, ascending."""
        return sorted(self._manager.all_steps()) if self.folder.is_dir() else []

    def due(self) -> bool:
        """Whether it is time for another one, and the last one is written."""
        return time.monotonic() - self._saved_at >= self._seconds and not self._manager.is_saving_in_progress()

    def better(self, metrics: dict[str, float]) -> bool:
        """Whether the best is to be kept, and this is better than all before."""
        return bool(self._best) and metrics[self._best] > max(self._values.values(), default=-1.0)

    def save(self, step: int, training: Any, history: dict[str, Any], metrics: dict[str, float] | None, wait: bool = False) -> bool:
        """Begins to write a checkpoint; `wait`s until it is there if asked. Of a step that has one already the arrays are left
        alone, and `metrics` are added where it has none.

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
        known = step in self._values
        try:
            with quiet():
                self.folder.mkdir(exist_ok=True)
                if step not in self.steps:
                    self._note(step, metrics)  # what is kept is decided now, and this may be the best
                    self._manager.save(step, args=ocp.args.Composite(**_items(step, training, history, metrics)))
                elif metrics and not known:
                    self._manager.wait_until_finished()  # it may be on its way
                    checkpoint_metrics.add(self.folder / str(step), step, metrics)
                    self._note(step, metrics)
                if wait:
                    self._manager.wait_until_finished()
        except Exception as error:  # Orbax and TensorStore raise many kinds for a full or vanished disk
            if not known:
                self._values.pop(step, None)
            self._complain(error)
            return False
        return True

    def newest(self) -> Path | None:
        """Where the newest whole checkpoint is."""
        return self.folder / str(self.steps[-1]) if self.steps else None

    def best_step(self) -> int:
        """The step of the best checkpoint.

        Raises:
            UserError: none was kept as the best.
        """
        there = [step for step in self.steps if step in self._values]
        if not there:
            raise UserError(f"{self.folder}: no checkpoint was kept as the best (config.checkpoint.best={self._best!r})")
        return max(there, key=self._values.__getitem__)

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
                self._say(f"warning: {error}; skipped, and put aside as {self._rename(step, 'damaged')}")
        return None

    def put_aside(self) -> list[str]:
        """Gives every checkpoint another name, so that there is none to go on from; returns these names.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            return [self._rename(step, "replaced") for step in self.steps]
        except OSError as error:
            raise cannot_write(self.folder, error) from None

    def _rename(self, step: int, kind: str) -> str:
        aside = self.folder / f"{kind}-{step}"
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(self.folder / str(step), aside)
        self._manager.reload()
        self._values.pop(step, None)
        return aside.name

    def restore(self, step: int, abstract: Any) -> tuple[Any, dict[str, Any]]:
        """`training` and `history` of one step.

        Raises:
            UserError: it cannot be read, is of other shapes, or is not what was written.
        """
        path = self.folder / str(step)
        items = {"training": ocp.args.StandardRestore(on_device(abstract)), "history": ocp.args.JsonRestore()}
        found, why = tried(lambda: self._manager.restore(step, args=ocp.args.Composite(**items)))
        if found is None:
            raise UserError(f"{path}: not a whole checkpoint of this model ({why})")
        digests.check(path, found.training, found.history, step)
        return found.training, found.history

    def close(self) -> None:
        """Waits for what is being written."""
        try:
            with quiet():
                self._manager.close()
        except Exception as error:
            self._complain(error)

    def _note(self, step: int, metrics: dict[str, float] | None) -> None:
        if metrics and self._best in metrics and math.isfinite(metrics[self._best]):
            self._values[step] = metrics[self._best]

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
            with quiet(), ocp.Checkpointer(handler(), multiprocessing_options=by_first()) as checkpointer:
                items = {
                    "arrays": ocp.args.StandardSave(savable(arrays)), "notes": ocp.args.JsonSave(notes),
                    digests.ITEM: digests.DigestsSave(jax.device_get(arrays), notes),
                }  # fmt: skip
                checkpointer.save(new, args=ocp.args.Composite(**items))
        except Exception as error:
            raise cannot_write(path, error) from None


def load_once(path: Path) -> tuple[Any, dict[str, Any]]:
    """Arrays and notes of `save_once`.

    Raises:
        UserError: nothing whole is there, or it is not what was written.
    """
    path = Path(os.path.abspath(path))

    def restored() -> dict[str, Any]:
        with ocp.Checkpointer(handler(), multiprocessing_options=by_first()) as checkpointer:
            return checkpointer.restore(path, args=ocp.args.Composite(notes=ocp.args.JsonRestore())).notes

    notes, why = tried(restored)
    if notes is None:
        raise UserError(f"{path}: not whole ({why})")
    arrays = load_arrays(path / "arrays")
    digests.check(path, arrays, notes)
    return arrays, notes


def load_arrays(path: Path) -> Any:
    """The pytree of arrays under `path`, lists and dicts in place of whatever containers it was saved from.

    Raises:
        UserError: nothing whole is there.
    """
    path = Path(os.path.abspath(path))

    def restored() -> Any:
        with ocp.StandardCheckpointer(multiprocessing_options=by_first()) as reader:
            if (metadata := reader.metadata(path).item_metadata) is None:
                raise ValueError("their description is missing or damaged")
            return reader.restore(path, on_device(metadata.tree))

    found, why = tried(restored)
    if why:
        raise UserError(f"{path}: no whole arrays ({why})")
    return found


class _KeepBest(keep_policy.PreservationPolicy):
    """Keeps the checkpoint with the highest of `values`, by step; the newest of equal ones."""

    def __init__(self, values: dict[int, float]) -> None:
        self._values = values

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Whether each is kept."""
        there = [of.step for of in checkpoints if of.step in self._values]
        best = max(there, key=self._values.__getitem__, default=None)
        return [of.step == best for of in checkpoints]


def _items(step: int, training: Any, history: dict[str, Any], metrics: dict[str, float] | None) -> dict[str, Any]:
    """What a checkpoint is made of. The digests are formed while it is written, of the host's view of the arrays: like what Orbax
    writes, it stays as it is when the arrays are donated."""
    found = {
        "training": ocp.args.StandardSave(savable(training)), "history": ocp.args.JsonSave(history),
        digests.ITEM: digests.DigestsSave(jax.device_get(training), history, step),
    }  # fmt: skip
    return found | ({checkpoint_metrics.ITEM: ocp.args.JsonSave(checkpoint_metrics.content(step, metrics))} if metrics else {})
