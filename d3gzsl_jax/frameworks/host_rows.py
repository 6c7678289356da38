"""Rows that stay on the host, of which a compiled program asks for some at a time."""

from typing import Any

import jax
import numpy as np


@jax.tree_util.register_pytree_node_class
class HostRows:
    """Features (N, dx) in the host's memory, as an argument of a compiled function: none of them goes to the device with it.

    Two are equal if they are of the very same array, so that a function of it is compiled once.

    Args:
        values: (N, dx) float32, which does not change.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, int]:
        """(N, dx)."""
        rows, columns = self.values.shape
        return rows, columns

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, *arguments: Any, **options: Any) -> np.ndarray:
        return np.asarray(self.values, *arguments, **options)

    def __getitem__(self, rows: jax.Array) -> jax.Array:
        """The rows (b, dx) of numbers (b,) in [0, N), within a compiled function or not."""
        shape = jax.ShapeDtypeStruct((*rows.shape, self.values.shape[1]), self.values.dtype)
        return jax.pure_callback(lambda chosen: self.values[np.asarray(chosen)], shape, rows)

    def tree_flatten(self) -> tuple[tuple[()], "_Same"]:
        """No arrays; which rows they are is part of what a program is compiled for."""
        return (), _Same(self.values)

    @classmethod
    def tree_unflatten(cls, same: "_Same", _: tuple[()]) -> "HostRows":
        """Of what `tree_flatten` gave."""
        return cls(same.values)


class _Same:
    """An array that is equal to itself alone."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.values is other.values

    def __hash__(self) -> int:
        return id(self.values)
