"""The one mapping between parameters in PyTorch's layout, named as in the recordings, and this package's parameter groups.

There a weight is (out, in) and the first layer over two inputs [x, a] (or [h, a]) one matrix; here a kernel is (in, out), and
critic and comparator keep that layer as two.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.structures import Params


class Leaf(NamedTuple):
    """One array of ours: its path in a group's tree, its key in PyTorch's naming, and of a split matrix which part it is."""

    path: tuple[str, ...]
    key: str
    part: str = ""


def _linear(**layers: str) -> tuple[Leaf, ...]:
    """Leaves of linear layers: our module (a double underscore for a level) = PyTorch network/layer."""
    return tuple(
        Leaf((*module.split("__"), ours), f"{layer}.{theirs}")
        for module, layer in layers.items()
        for ours, theirs in (("kernel", "weight"), ("bias", "bias"))
    )


def _split(network: str) -> tuple[Leaf, ...]:
    return (
        Leaf(("hidden_features", "kernel"), f"{network}/fc1.weight", "features"),
        Leaf(("hidden_semantics", "kernel"), f"{network}/fc1.weight", "semantics"),
        Leaf(("hidden_bias",), f"{network}/fc1.bias"),
        *_linear(output=f"{network}/fc2"),
    )


LEAVES: dict[str, tuple[Leaf, ...]] = {
    "generator": _linear(hidden="generator/fc1", output="generator/fc2"),
    "critic": _split("critic"),
    "student_embedding": _linear(linear="student_embed/fc1"),
    "student_head": _linear(classifier__linear="student_head/fc1", ood__linear="student_head/fc2"),
    "confidence": (Leaf(("weight",), "confidence/weight"), Leaf(("offset",), "confidence/offset")),
    "teacher.embedding": _linear(linear="teacher_embed/fc1"),
    "teacher.head": _linear(linear="teacher_head/fc2"),
    "embedding": _linear(linear="embed/fc1"),
    "projection": _linear(linear="embed/fc2"),
    "comparator": _split("comparator"),
    "final_classifier": _linear(linear="fc"),
    "zsl_classifier": _linear(linear="zsl/fc"),
}


def _follow(params: Params, leaf: Leaf) -> jax.Array:
    node = params["params"]
    for name in leaf.path:
        node = node[name]
    return node


def _in_our_layout(leaf: Leaf, array: np.ndarray, split: int) -> np.ndarray:
    """An array of PyTorch's in our layout; `split`: how many columns of a matrix over two inputs belong to the first."""
    if leaf.part and array.ndim == 2:
        return array[:, :split].T if leaf.part == "features" else array[:, split:].T
    if leaf.path[-1] == "kernel":
        return array.T
    return array.reshape(()) if leaf.key.startswith("confidence/") and array.size == 1 else array


def pairs(group: str, arrays: Mapping[str, np.ndarray], prefix: str, params: Params) -> list[tuple[str, jax.Array, np.ndarray]]:
    """(PyTorch key, our array, PyTorch's array in our layout) of one parameter group, or of gradients to it.

    Args:
        group: of `LEAVES`.
        arrays: PyTorch's, by key.
        prefix: of the keys.
        params: the group's tree.
    """
    split = next((_follow(params, leaf).shape[0] for leaf in LEAVES[group] if leaf.part == "features"), 0)
    return [
        (
            prefix + leaf.key + (f" ({leaf.part})" if leaf.part else ""), _follow(params, leaf),
            _in_our_layout(leaf, arrays[prefix + leaf.key], split),
        )
        for leaf in LEAVES[group]
    ]  # fmt: skip


def load(
    group: str, arrays: Mapping[str, np.ndarray], prefix: str, params: Params, source: object,
    sized: str = "the recorded options make",
) -> Params:
    """A parameter tree shaped like `params` (arrays or their shapes), filled from PyTorch's arrays.

    Args:
        group, arrays, prefix, params: see `pairs`.
        source: named in a message.
        sized: who says which shape an array must have.

    Raises:
        UserError: an array has another shape than in `params`.
    """
    found = pairs(group, arrays, prefix, params)
    for key, ours, theirs in found:
        if ours.shape != theirs.shape:
            raise UserError(f"{source}: {key} has shape {theirs.shape} in our layout, {sized} it {ours.shape}")
    filled: Params = {}
    for leaf, (_, _, theirs) in zip(LEAVES[group], found, strict=True):
        node = filled
        for name in leaf.path[:-1]:
            node = node.setdefault(name, {})
        node[leaf.path[-1]] = jnp.asarray(theirs)
    return {"params": filled}


def dump(group: str, params: Params) -> dict[str, np.ndarray]:
    """A parameter group in PyTorch's layout, by key: the inverse of `load` with an empty prefix."""
    found: dict[str, np.ndarray] = {}
    for leaf in LEAVES[group]:
        array = np.asarray(_follow(params, leaf))
        array = array.T if leaf.path[-1] == "kernel" else array
        if leaf.key in found:  # the second part of a split matrix
            array = np.concatenate([found[leaf.key], array], axis=1)
        found[leaf.key] = np.array(array, order="C")
    return found
