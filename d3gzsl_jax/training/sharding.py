"""Which device holds what: one `data` axis over all devices, of one process or of many.

Rows are sharded (of batches, and of what is synthesized), everything else is replicated: parameters, optimiser states, teacher,
classes, tables of real rows. The compiler turns sums over rows into sums over devices, so losses stay those of the whole batch.
"""

import dataclasses
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "data"
Tree = TypeVar("Tree")


@dataclasses.dataclass(frozen=True)
class Sharding:
    """Where the arrays of a training run lie. mesh: None for one device, where every method returns what it was given."""

    mesh: Mesh | None = None

    @property
    def devices(self) -> int:
        """How many devices train."""
        return self.mesh.size if self.mesh else 1

    @property
    def replicated(self) -> NamedSharding | None:
        """A copy on every device."""
        return None if self.mesh is None else NamedSharding(self.mesh, PartitionSpec())

    def rows(self, axis: int) -> NamedSharding | None:
        """Split along this axis."""
        return None if self.mesh is None else NamedSharding(self.mesh, PartitionSpec(*[None] * axis, AXIS))

    def replicate(self, tree: Tree) -> Tree:
        """The arrays of `tree`, the same in all processes, with a copy on every device."""
        return tree if self.mesh is None else jax.tree.map(self._replicate, tree)

    def place_rows(self, tree: Tree, axis: int) -> Tree:
        """On the devices, split along `axis`, what each process has of it: `part` of that axis (host arrays)."""
        if self.mesh is None:
            return jax.device_put(tree)
        return jax.tree.map(lambda part: jax.make_array_from_process_local_data(self.rows(axis), part), tree)

    def part(self, size: int) -> slice:
        """The part of an axis of this size, a multiple of `devices`, that this process's devices hold."""
        if self.mesh is None:
            return slice(0, size)
        own = [i for i, device in enumerate(self.mesh.devices.flat) if device.process_index == jax.process_index()]
        each = size // self.devices
        return slice(own[0] * each, (own[-1] + 1) * each)

    def constrain_rows(self, tree: Tree, axis: int) -> Tree:
        """Within a jitted function: `tree` with its arrays split along `axis`, which need not divide evenly."""
        return tree if self.mesh is None else jax.lax.with_sharding_constraint(tree, self.rows(axis))

    def constrain_replicated(self, tree: Tree) -> Tree:
        """Within a jitted function: `tree` with a copy of its arrays on every device."""
        return tree if self.mesh is None else jax.lax.with_sharding_constraint(tree, self.replicated)

    def local(self, tree: Tree) -> Tree:
        """The copies that replicated arrays have on this process's first device, for computations of its own; nothing is copied."""
        return tree if self.mesh is None else jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)

    def _replicate(self, leaf: Any) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = self._replicate(jax.random.key_data(leaf))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        if self.mesh is not None and self.mesh.is_multi_process:  # device_put would compare the bytes of all processes
            return jax.make_array_from_process_local_data(self.replicated, np.asarray(leaf), leaf.shape)
        return jax.device_put(leaf, self.replicated)


def spreads_seeds(seeds: int, devices: int) -> bool:
    """Whether so many seeds of one program are spread over the devices, each with seeds of its own, instead of the rows of all."""
    return devices > 1 and jax.process_count() == 1 and seeds % devices == 0


ONE_DEVICE = Sharding()
"""Nothing is sharded."""


def over_devices(count: int = 0) -> Sharding:
    """A sharding over `count` devices, or over all of all processes (0); on one alone there is nothing to shard.

    Devices of a process are neighbours, so that a process's part of an axis is one slice.
    """
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))[: count or None]
    return Sharding(Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,)) if len(devices) > 1 else None)
