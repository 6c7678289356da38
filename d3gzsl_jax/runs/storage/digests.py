"""Digests of what a checkpoint or a saved model holds, beside it: one flipped bit in it is noticed when it is read.

SHA-256 of every array, of the notes, and for a checkpoint its outer step, in `digests/sha256.json`. They are formed of what is
handed over to be written, so they tell what a disk, a copy or a library has changed since.
"""

import hashlib
import json
from typing import Any

import jax
import msgspec
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import args as orbax_args
from orbax.checkpoint import future

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.text import shortened

ITEM = "digests"
"""Name of the folder, beside those of what it is about."""

_FILE = "sha256.json"


class Digests(msgspec.Struct, frozen=True):
    """What the file holds.

    Attributes:
        arrays: hexadecimal SHA-256 by the path of each array.
        notes: of what JSON holds beside the arrays.
        step: outer step of a checkpoint, None for what is saved once.
    """

    arrays: dict[str, str]
    notes: str
    step: int | None = None


def of_arrays(tree: Any) -> dict[str, str]:
    """By path, the SHA-256 of dtype, shape and bytes of every array; names and places in the path, whatever the containers."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        digest = hashlib.sha256(f"{np.dtype(array.dtype).name} {np.shape(leaf)} ".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
        found["/".join(map(_name, path))] = digest.hexdigest()
    return found


def of_notes(notes: Any) -> str:
    """SHA-256 of what JSON can hold."""
    return hashlib.sha256(json.dumps(notes, sort_keys=True).encode()).hexdigest()


def check(folder: Any, arrays: Any, notes: Any, step: int | None = None) -> None:
    """Compares what was read from `folder` with the digests in it.

    Args:
        folder: of the checkpoint or the model, a path.
        arrays: a pytree of them, as read.
        notes: as read.
        step: that the folder is named after; None for what is saved once.

    Raises:
        UserError: something is not what was written, saying what.
    """
    content = json_files.read(folder / ITEM / _FILE, Digests)
    if content is None:
        raise UserError(f"{folder}: damaged ({ITEM}/{_FILE} is missing)")
    if content.get("step") != step:
        raise UserError(f"{folder}: damaged (it holds outer step {shortened(content.get('step'))})")
    if content["notes"] != of_notes(notes):
        raise UserError(f"{folder}: damaged (its notes are not what was written)")
    found = of_arrays(jax.device_get(arrays))
    for name in sorted(found.keys() | content["arrays"].keys()):
        if found.get(name) != content["arrays"].get(name):
            raise UserError(f"{folder}: damaged (array {shortened(name)} is not what was written)")


class DigestsHandler(ocp.AsyncCheckpointHandler):
    """Writes digests as one item of a checkpoint of Orbax's, in its thread: they are as large a part of the work as writing is, and
    stand in the folder before it has its name."""

    async def async_save(self, directory: Any, args: "DigestsSave") -> list[future.Future]:
        """Begins; the arrays are looked at afterwards."""
        return [future.CommitFutureAwaitingContractedSignals(self._write(directory, args), name="digests")]

    def save(self, directory: Any, args: "DigestsSave") -> None:
        """Writes them at once."""
        self._text(directory, args)

    def restore(self, directory: Any, args: Any = None) -> Any:
        """Not this way: `check` reads them."""
        raise NotImplementedError

    async def _write(self, directory: Any, args: "DigestsSave") -> None:
        self._text(directory, args)

    def _text(self, directory: Any, args: "DigestsSave") -> None:
        content = Digests(of_arrays(args.arrays), of_notes(args.notes), args.step)
        (directory / _FILE).write_text(json.dumps(msgspec.to_builtins(content)), encoding="utf-8")


@orbax_args.register_with_handler(DigestsHandler, for_save=True, for_restore=True)
class DigestsSave(orbax_args.CheckpointArgs):
    """What digests are formed of, see `Digests`; arrays on the host that nobody changes until they are written."""

    def __init__(self, arrays: Any, notes: Any, step: int | None = None) -> None:
        self.arrays, self.notes, self.step = arrays, notes, step


def _name(key: Any) -> str:
    for field in ("key", "name", "idx"):
        if hasattr(key, field):
            return str(getattr(key, field))
    return str(key)
