"""How parameter groups are named in PyTorch's layout: what a base method says of its own (`Framework.torch_layout`).

There a weight is (out, in) and the first layer over several inputs, as [x, a] or [h, a], one matrix; here a kernel is (in, out),
and critics, the comparator and ZeroDiff's generators keep that layer as a kernel for each input. Names and parts only:
runs/torch_layout.py moves the arrays.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Leaf(NamedTuple):
    """One array of ours: its path in a group's tree, its key in PyTorch's naming, and of a split matrix which part it is: parts of
    one key follow one another in the order of their leaves."""

    path: tuple[str, ...]
    key: str
    part: str = ""


Leaves = tuple[Leaf, ...]
Layout = Mapping[str, Leaves]
"""By parameter group."""


def linear(**layers: str) -> Leaves:
    """Leaves of linear layers: our module (a double underscore for a level) = PyTorch network/layer."""
    return tuple(
        Leaf((*module.split("__"), ours), f"{layer}.{theirs}")
        for module, layer in layers.items()
        for ours, theirs in (("kernel", "weight"), ("bias", "bias"))
    )


def split(network: str, parts: tuple[str, ...] = ("features", "semantics")) -> Leaves:
    """Leaves of a network over several inputs, fc1 and fc2, whose first layer is a kernel of ours for each input."""
    return (
        *(Leaf((f"hidden_{part}", "kernel"), f"{network}/fc1.weight", part) for part in parts),
        Leaf(("hidden_bias",), f"{network}/fc1.bias"),
        *linear(output=f"{network}/fc2"),
    )


def networks(layout: Layout) -> tuple[str, ...]:
    """The PyTorch networks of a layout, in its order: what a key has before its last '/', or '.' where it has none."""
    found = (leaf.key.rpartition("/")[0] or leaf.key.partition(".")[0] for leaves in layout.values() for leaf in leaves)
    return tuple(dict.fromkeys(found))
