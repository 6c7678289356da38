"""The outer steps of several runs that differ in their seed alone, as one compiled program.

What differs from seed to seed has a leading axis over the seeds: parameters, optimiser states, tallies, root keys, teachers and
their outputs. What does not is there once: features, labels and classes, and the two counters, so that what hangs on them alone
(the learning rates of an epoch, whether norms are measured) is decided once for all seeds.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.structures import Batch, TrainState
from d3gzsl_jax.training.loop import Constants, Loop
from d3gzsl_jax.training.tally import Tally

Tree = TypeVar("Tree", TrainState, Tally, Constants)

_STATE = TrainState(step=None, params=0, opt_state=0)
_TALLY = Tally(sums=0, count=None, bad_step=0, bad_terms=0, norms=0)
_ROWS = Batch(features=None, labels=None, teacher=0)
_CONSTANTS = Constants(root=0, teacher=0, classes=None, rows=_ROWS)


class JointLoop:
    """`Loop` for several seeds. Rows are sampled on the device.

    Args:
        loop: what each of them would be trained by alone.
        way: how the seeds are gone through. 'vmap': at the same time, a product of matrices being a batch of products; it sums in
            another order than a seed alone does, so the parameters are those of the seed alone up to rounding, which adversarial
            training lets grow. 'map': one after another within the program, to the very bits of the seed alone. 'auto': vmap
            where there is an accelerator to fill, map on a CPU, where it is no slower.
    """

    def __init__(self, loop: Loop, way: str = "auto") -> None:
        self._loop = loop
        self.way = ("map" if jax.default_backend() == "cpu" else "vmap") if way == "auto" else way
        self.run = jax.jit(self._run, donate_argnums=0, out_shardings=loop.sharding.replicated)
        """(state, tally, constants, inputs, start, count) -> (state, tally), all of them as of `stack`; inputs is None and start
        without meaning. Otherwise as `Loop.run`."""

    def stack(self, trees: Sequence[Tree]) -> Tree:
        """States, tallies or constants, one a seed, as one; what all share is the first one's."""
        return _stack(_axes(trees[0]), *trees)

    def one(self, tree: Tree, index: int) -> Tree:
        """Of `stack`, what seed number `index` has."""
        return _one(_axes(tree), tree, index)

    def _run(
        self, state: TrainState, tally: Tally, constants: Constants, inputs: None, start: jax.Array, count: jax.Array
    ) -> tuple[TrainState, Tally]:
        del inputs, start
        return (self._mapped if self.way == "map" else self._at_once)(state, tally, constants, count)

    def _at_once(self, state: TrainState, tally: Tally, constants: Constants, count: jax.Array) -> tuple[TrainState, Tally]:
        step = jax.vmap(self._loop.add_step, in_axes=(_STATE, _TALLY, _CONSTANTS, None), out_axes=(_STATE, _TALLY))
        return jax.lax.fori_loop(0, count, lambda _, carry: step(*carry, constants, None), (state, tally))

    def _mapped(self, state: TrainState, tally: Tally, constants: Constants, count: jax.Array) -> tuple[TrainState, Tally]:
        given = ((_STATE, state), (_TALLY, tally), (_CONSTANTS, constants))
        own = [_split(axes, tree)[0] for axes, tree in given]
        shared = [_split(axes, tree)[1] for axes, tree in given]

        def of_seed(own: list[list[Any]]) -> tuple[TrainState, Tally]:
            trees = [_join(axes, tree, *parts) for (axes, tree), *parts in zip(given, own, shared, strict=True)]
            return jax.lax.fori_loop(0, count, lambda _, carry: self._loop.add_step(*carry, trees[2], None), tuple(trees[:2]))

        state, tally = jax.lax.map(of_seed, own)
        return state.replace(step=state.step[0]), tally.replace(count=tally.count[0])


def _axes(tree: Tree) -> Any:
    return {TrainState: _STATE, Tally: _TALLY, Constants: _CONSTANTS}[type(tree)]


def _flat_axes(axes: Any, tree: Any) -> list[int | None]:
    """For each leaf of `tree`, 0 where it has an axis over the seeds and None where they share it; `axes` is a prefix of it."""
    known = jax.tree.leaves(axes, is_leaf=lambda node: node is None)
    parts = jax.tree.structure(axes, is_leaf=lambda node: node is None).flatten_up_to(tree)
    return [axis for axis, part in zip(known, parts, strict=True) for _ in jax.tree.leaves(part)]


def _split(axes: Any, tree: Any) -> tuple[list[Any], list[Any]]:
    """The leaves with an axis over the seeds, and those without."""
    leaves, flat = jax.tree.leaves(tree), _flat_axes(axes, tree)
    return tuple([leaf for leaf, axis in zip(leaves, flat, strict=True) if axis == kind] for kind in (0, None))


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
