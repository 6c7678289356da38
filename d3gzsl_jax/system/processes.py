"""What the processes of one run tell each other: few and small things, so that all do the same next.

Every process runs the same program. Whatever is followed by a computation over all devices has to come out alike in all of them:
what only the first can know (its run folder, its clock) is told to the others here, and so is what went wrong in one of them.
In a run of one process nothing is sent.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import jax
import numpy as np
from jax.experimental import multihost_utils

from d3gzsl_jax.errors import AgreedError, UserError

Result = TypeVar("Result")
Tree = TypeVar("Tree")


def alone() -> bool:
    """Whether this is the only process."""
    return jax.process_count() == 1


def is_first() -> bool:
    """Whether this is the process that writes and prints."""
    return jax.process_index() == 0


def gather(values: Sequence[int]) -> np.ndarray:
    """The whole numbers that each process gives, as many in each: (processes, n) int32."""
    return multihost_utils.process_allgather(np.asarray(values, np.int32)).reshape(jax.process_count(), -1)


def texts(text: str) -> list[str]:
    """The text that each process gives."""
    if alone():
        return [text]
    encoded = np.frombuffer(text.encode(), np.uint8)
    lengths = gather([len(encoded)])[:, 0]
    padded = np.pad(encoded, (0, max(int(lengths.max()), 1) - len(encoded)))
    rows = multihost_utils.process_allgather(padded).reshape(len(lengths), -1)
    return [row[:length].tobytes().decode() for row, length in zip(rows, lengths, strict=True)]


def told_by_first(value: Any) -> Any:
    """What the first process gives, in all of them; something JSON can hold."""
    return value if alone() else json.loads(texts(json.dumps(value) if is_first() else "")[0])


def arrays_of_first(tree: Tree | None, shapes: Tree) -> Tree:
    """The arrays of the first process in all of them, bit for bit, on the host; in a run of one process, `tree` as it is.

    Args:
        tree: the arrays; looked at in the first process only.
        shapes: what has their shapes and dtypes, and their containers.
    """
    if alone():
        return cast(Tree, tree)
    leaves = jax.tree.leaves(tree) if is_first() else [None] * len(jax.tree.leaves(shapes))

    def send(shape: Any, leaf: Any) -> np.ndarray:
        # As bytes: what is sent is a sum over the processes, and a sum of floats would lose the sign of a zero.
        content = np.zeros(shape.shape, shape.dtype) if leaf is None else np.asarray(leaf)
        told = multihost_utils.broadcast_one_to_all(np.ascontiguousarray(content).reshape(-1).view(np.uint8))
        return np.asarray(told, np.uint8).view(shape.dtype).reshape(shape.shape)

    sent = [send(shape, leaf) for shape, leaf in zip(jax.tree.leaves(shapes), leaves, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(shapes), sent)


def agreed(work: Callable[[], Result]) -> Result:
    """What `work` returns; if it is refused in any process, it is in all of them.

    Raises:
        AgreedError: as `work` raises UserError, in this process or in another.
    """
    if alone():
        return work()
    refusal, result = "", None
    try:
        result = work()
    except UserError as error:
        refusal = str(error)
    for process, text in enumerate(texts(refusal)):
        if text:
            raise AgreedError(f"process {process}: {text}" if process else text)
    return cast(Result, result)


def require_equal(text: str, what: str) -> None:
    """Refuses processes that differ in `text`.

    Raises:
        AgreedError: saying `what` differs, and where.
    """
    found = texts(text)
    for process, other in enumerate(found):
        if other != found[0]:
            raise AgreedError(f"process {process} has {what} other than the first process; give all of them the same")
