"""Parameters in PyTorch's layout, named as in the recordings, into this package's parameter groups and back.

A base method names its own groups (frameworks/torch_layout.py says how); those of D3 and the final classifiers are here.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.frameworks.torch_layout import Layout, Leaf, Leaves, linear

FINAL, FINAL_ZSL = "final_classifier", "final_classifier.zsl"
"""The groups of the final classifier, and of T1's own softmax where it has one."""

DISTILLATION: Layout = {
    "student_embedding": linear(linear="student_embed/fc1"),
    "student_head": linear(classifier__linear="student_head/fc1", ood__linear="student_head/fc2"),
    "confidence": (Leaf(("weight",), "confidence/weight"), Leaf(("offset",), "confidence/offset")),
    "teacher.embedding": linear(linear="teacher_embed/fc1"),
    "teacher.head": linear(linear="teacher_head/fc2"),
}
CLASSIFIERS: Layout = {FINAL: linear(linear="fc"), FINAL_ZSL: linear(linear="zsl/fc")}


def layout(framework: Framework | type[Framework]) -> Layout:
    """Of all groups of a model with this base method: the method's, D3's, the final classifiers'."""
    return {**framework.torch_layout(), **DISTILLATION, **CLASSIFIERS}


def _follow(params: Params, leaf: Leaf) -> jax.Array:
    node = params["params"]
    for name in leaf.path:
        node = node[name]
    return node


def _in_our_layout(leaf: Leaf, array: np.ndarray, columns: slice) -> np.ndarray:
    """An array of PyTorch's in our layout; `columns`: those of a split matrix that are the leaf's."""
    if leaf.part and array.ndim == 2:
        return array[:, columns].T
    if leaf.path[-1] == "kernel":
        return array.T
    return array.reshape(()) if leaf.key.startswith("confidence/") and array.size == 1 else array


def _columns(leaves: Leaves, params: Params) -> list[slice]:
    """By leaf, the columns of a split matrix that are its own; the last part of a matrix has all that is left."""
    found, last = [], {leaf.key: leaf for leaf in leaves}
    ends: dict[str, int] = {}
    for leaf in leaves:
        start = ends.get(leaf.key, 0)
        if leaf.part:
            ends[leaf.key] = start + _follow(params, leaf).shape[0]
        found.append(slice(start, None if leaf == last[leaf.key] else ends[leaf.key]))
    return found


def pairs(leaves: Leaves, arrays: Mapping[str, np.ndarray], prefix: str, params: Params) -> list[tuple[str, jax.Array, np.ndarray]]:
    """(PyTorch key, our array, PyTorch's array in our layout) of one parameter group, or of gradients to it.

    Args:
        leaves: of the group.
        arrays: PyTorch's, by key.
        prefix: of the keys.
        params: the group's tree.
    """
    return [
        (
            prefix + leaf.key + (f" ({leaf.part})" if leaf.part else ""), _follow(params, leaf),
            _in_our_layout(leaf, arrays[prefix + leaf.key], columns),
        )
        for leaf, columns in zip(leaves, _columns(leaves, params), strict=True)
    ]  # fmt: skip


def load(
    leaves: Leaves, arrays: Mapping[str, np.ndarray], prefix: str, params: Params, source: object,
    sized: str = "the recorded options make",
) -> Params:
    """A parameter tree shaped like `params` (arrays or their shapes), filled from PyTorch's arrays.

    Args:
        leaves, arrays, prefix, params: see `pairs`.
        source: named in a message.
        sized: who says which shape an array must have.

    Raises:
        UserError: an array has another shape than in `params`.
    """
    found = pairs(leaves, arrays, prefix, params)
    for key, ours, theirs in found:
        if ours.shape != theirs.shape:
            raise UserError(f"{source}: {key} has shape {theirs.shape} in our layout, {sized} it {ours.shape}")
    filled: Params = {}
    for leaf, (_, _, theirs) in zip(leaves, found, strict=True):
        node = filled
        for name in leaf.path[:-1]:
            node = node.setdefault(name, {})
        node[leaf.path[-1]] = jnp.asarray(theirs)
    return {"params": filled}


def dump(leaves: Leaves, params: Params) -> dict[str, np.ndarray]:
    """A parameter group in PyTorch's layout, by key: the inverse of `load` with an empty prefix."""
    found: dict[str, np.ndarray] = {}
    for leaf in leaves:
        array = np.asarray(_follow(params, leaf))
        array = array.T if leaf.path[-1] == "kernel" else array
        if leaf.key in found:  # a further part of a split matrix
            array = np.concatenate([found[leaf.key], array], axis=1)
        found[leaf.key] = np.array(array, order="C")
    return found
