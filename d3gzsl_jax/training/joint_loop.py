"""The outer steps of several runs that differ in their seed alone, as one compiled program.

What differs from seed to seed has a leading axis over the seeds: parameters, optimiser states, tallies, root keys, teachers and
their outputs. What does not is there once: features, labels and classes, and the two counters, so that what hangs on them alone
(the learning rates of an epoch, whether norms are measured) is decided once for all seeds.

On several devices the seeds are spread over them where they divide evenly: a device has seeds of its own, none of whose numbers
another device needs, and there is no collective. Else the rows of every seed are, as of one (training/sharding.py).
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.stages import Compiled, Wrapped

from d3gzsl_jax.frameworks.schedule import Phase
from d3gzsl_jax.frameworks.structures import Batch, Inputs, TrainState
from d3gzsl_jax.training.loop import Carry, Constants, Loop
from d3gzsl_jax.training.sharding import AXIS, ONE_DEVICE, spreads_seeds
from d3gzsl_jax.training.tally import Tally

Tree = TypeVar("Tree", TrainState, Tally, Constants)


def _axes_of(kind: Callable[..., Any], **axes: Any) -> Any:
    """By field, the axis over the seeds; None where they share it."""
    return kind(**axes)


_STATE = _axes_of(TrainState, step=None, params=0, opt_state=0, method=0)
_TALLY = _axes_of(Tally, sums=0, count=None, bad_step=0, bad_terms=0, norms=0)
_ROWS = _axes_of(Batch, features=None, labels=None, teacher=0)
_CONSTANTS = _axes_of(Constants, root=0, teacher=0, classes=None, rows=_ROWS)


@dataclasses.dataclass(frozen=True)
class JointLoop:
    """`Loop` for several seeds. Rows are sampled on the device.

    Attributes:
        loop: what each of them would be trained by alone.
        seeds_as: how the seeds are gone through. 'vmap': at the same time, a product of matrices being a batch of products; it
            sums in another order than a seed alone does, so the parameters are those of the seed alone up to rounding, which
            adversarial training lets grow. 'map': one after another within the program, to the very bits of the seed alone. 'auto':
            vmap where there is an accelerator to fill, map on a CPU, where it is no slower.
        spread: over these devices, each of which goes through its seeds as said; None: rows are split, or there is one device.
    """

    loop: Loop
    seeds_as: str = "auto"
    spread: Mesh | None = None

    @classmethod
    def of(cls, loop: Loop, seeds_as: str, count: int) -> "JointLoop":
        """For so many seeds, spread over the devices of the loop if they divide evenly and are all of this process."""
        if not spreads_seeds(count, loop.sharding.devices):
            return cls(loop, seeds_as)
        return cls(dataclasses.replace(loop, sharding=ONE_DEVICE), seeds_as, loop.sharding.mesh)

    @property
    def maps(self) -> bool:
        """Whether one seed follows another within a step of the program."""
        return self.seeds_as == "map" or (self.seeds_as == "auto" and jax.default_backend() == "cpu")

    def run(
        self, state: TrainState, tally: Tally, constants: Constants, inputs: Inputs, start: jax.Array | int, count: jax.Array | int
    ) -> tuple[TrainState, Tally]:
        """As `Loop.run`, on what is stacked as of `stack`; `inputs` is None and `start` without meaning."""
        del inputs, start
        return _compiled(self._result)(self, state, tally, constants, count)

    def compile(
        self, state: TrainState, tally: Tally, constants: Constants, inputs: Inputs, start: jax.Array | int, count: jax.Array | int
    ) -> Compiled:
        """The program that `run` calls with such arguments."""
        del inputs, start
        return _compiled(self._result).lower(self, state, tally, constants, count).compile()

    @property
    def _result(self) -> NamedSharding | None:
        return self.loop.sharding.replicated if self.spread is None else None  # as they are made: each on its device

    def stack(self, trees: Sequence[Tree]) -> Tree:
        """States, tallies or constants, one a seed, as one; what all share is the first one's."""
        axes, stacked = _axes(trees[0]), _stack(_axes(trees[0]), *trees)
        if self.spread is None:
            return stacked
        own, shared = _split(axes, stacked)
        place = lambda leaves, *axis: jax.device_put(leaves, NamedSharding(self.spread, PartitionSpec(*axis)))  # noqa: E731
        return _join(axes, stacked, place(own, AXIS), place(shared))

    def one(self, tree: Tree, index: int) -> Tree:
        """Of `stack`, what seed number `index` has."""
        found = _one(_axes(tree), tree, index)
        return found if self.spread is None else jax.device_put(found, NamedSharding(self.spread, PartitionSpec()))


@functools.cache
def _compiled(result: NamedSharding | None) -> Wrapped:
    """`_outer_steps` compiled, its results placed like this, as in training/loop.py."""
    return jax.jit(_outer_steps, static_argnums=0, donate_argnums=1, out_shardings=result)


def _outer_steps(
    joint: JointLoop, state: TrainState, tally: Tally, constants: Constants, count: jax.Array
) -> tuple[TrainState, Tally]:
    if joint.spread is None:
        return _of_device(joint, state, tally, constants, count)
    given: list[tuple[Any, Any]] = [(_STATE, state), (_TALLY, tally), (_CONSTANTS, constants)]
    own, shared = ([_split(axes, tree)[kind] for axes, tree in given] for kind in (0, 1))

    def on_device(own: list[Any], shared: list[Any]) -> tuple[list[Any], list[Any]]:
        state, tally, constants = (_join(axes, tree, *parts) for (axes, tree), *parts in zip(given, own, shared, strict=True))
        found = _of_device(joint, state, tally, constants, count)
        ends = [_split(axes, tree) for axes, tree in zip((_STATE, _TALLY), found, strict=True)]
        return [parts[0] for parts in ends], [parts[1] for parts in ends]

    over, same = PartitionSpec(AXIS), PartitionSpec()
    ends = jax.shard_map(on_device, mesh=joint.spread, in_specs=(over, same), out_specs=(over, same), check_vma=False)(own, shared)
    state, tally = (_join(axes, tree, *parts) for (axes, tree), *parts in zip(given, *ends, strict=False))
    return state, tally


def _of_device(
    joint: JointLoop, state: TrainState, tally: Tally, constants: Constants, count: jax.Array
) -> tuple[TrainState, Tally]:
    return (_one_after_another if joint.maps else _at_once)(joint.loop, state, tally, constants, count)


def _at_once(
    loop: Loop, state: TrainState, tally: Tally, constants: Constants, count: jax.Array
) -> tuple[TrainState, Tally]:
    def turn(_: jax.Array, carry: Carry, phases: tuple[Phase, ...]) -> Carry:
        step = functools.partial(loop.add_step, inputs=None, phases=phases)
        step = jax.vmap(step, in_axes=(_STATE, _TALLY, _CONSTANTS), out_axes=(_STATE, _TALLY))
        return step(*carry, constants)

    return loop.many_steps(count, turn, (state, tally))


def _one_after_another(
    loop: Loop, state: TrainState, tally: Tally, constants: Constants, count: jax.Array
) -> tuple[TrainState, Tally]:
    given = ((_STATE, state), (_TALLY, tally), (_CONSTANTS, constants))
    own = [_split(axes, tree)[0] for axes, tree in given]
    shared = [_split(axes, tree)[1] for axes, tree in given]

    def of_seed(own: list[list[Any]]) -> tuple[TrainState, Tally]:
        trees = [_join(axes, tree, *parts) for (axes, tree), *parts in zip(given, own, shared, strict=True)]
        turn = lambda _, carry, phases: loop.add_step(carry[0], carry[1], trees[2], None, phases)  # noqa: E731
        return loop.many_steps(count, turn, (trees[0], trees[1]))

    state, tally = jax.lax.map(of_seed, own)
    return state.replace(step=state.step[0]), tally.replace(count=tally.count[0])


def _axes(tree: Tree) -> Any:
    return {TrainState: _STATE, Tally: _TALLY, Constants: _CONSTANTS}[type(tree)]


def _flat_axes(axes: Any, tree: Any) -> list[int | None]:
    """For each leaf of `tree`, 0 where it has an axis over the seeds and None where they share it; `axes` is a prefix of it."""
    known = jax.tree.leaves(axes, is_leaf=lambda node: node is None)
    structure: Any = jax.tree.structure(axes, is_leaf=lambda node: node is None)
    parts = structure.flatten_up_to(tree)
    return [axis for axis, part in zip(known, parts, strict=True) for _ in jax.tree.leaves(part)]


def _split(axes: Any, tree: Any) -> tuple[list[Any], list[Any]]:
    """The leaves with an axis over the seeds, and those without."""
    leaves, flat = jax.tree.leaves(tree), _flat_axes(axes, tree)
    own, shared = ([leaf for leaf, axis in zip(leaves, flat, strict=True) if axis == kind] for kind in (0, None))
    return own, shared


def _join(axes: Any, like: Any, own: list[Any], shared: list[Any]) -> Any:
    """What `_split` took apart."""
    parts = {0: iter(own), None: iter(shared)}
    return jax.tree.unflatten(jax.tree.structure(like), [next(parts[axis]) for axis in _flat_axes(axes, like)])


def _stack(axes: Any, *trees: Any) -> Any:
    own = _stacked([_split(axes, tree)[0] for tree in trees])
    return _join(axes, trees[0], own, _split(axes, trees[0])[1])


def _one(axes: Any, tree: Any, index: int) -> Any:
    own, shared = _split(axes, tree)
    return _join(axes, tree, _taken(own, index), [jnp.copy(leaf) for leaf in shared])  # copied, since the loop donates them


_stacked = jax.jit(lambda trees: jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees))
_taken = jax.jit(lambda tree, index: jax.tree.map(lambda leaf: leaf[index], tree))
