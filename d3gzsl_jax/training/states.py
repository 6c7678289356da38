"""The states of one or several runs that go through outer steps as one program."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.stages import Compiled

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.frameworks.structures import Inputs, Params, TrainState
from d3gzsl_jax.keys import stream
from d3gzsl_jax.training.joint_loop import JointLoop
from d3gzsl_jax.training.loop import Constants, Loop
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.tally import Tally


def initial_state(objective: Objective, optimization: Optimization, key: jax.Array, frozen: Params) -> TrainState:
    """Initial parameters and optimiser states from a run's key, with what a base method has fitted and frozen."""
    params = objective.init(stream(key, "init"))
    return TrainState(
        step=jnp.int32(0), params=params | frozen, opt_state=optimization.init(params), method=objective.framework.initial_state()
    )


def same_shapes(one: Params, other: Params) -> bool:
    """Whether two trees have the same structure, and their leaves the same shapes and dtypes."""
    described = [jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), tree) for tree in (one, other)]
    return described[0] == described[1]


class Beginning(NamedTuple):
    """What a run goes on from: its constants, a tally of no steps, its state, its tally so far, and the outer steps it has done."""

    constants: Constants
    empty: Tally
    state: TrainState
    tally: Tally
    step: int


class States:
    """The states of runs that have done the same number of outer steps. One goes through the loop by itself; several, which differ
    in their seed alone, through a joint one.

    Args:
        loop: what each of them would be trained by alone.
        beginnings: one a run; the list is emptied: whoever keeps one of several keeps its arrays twice on the device.
        seeds_as: how several are gone through, see `JointLoop`.
    """

    def __init__(self, loop: Loop, beginnings: list[Beginning], seeds_as: str) -> None:
        self.step = beginnings[0].step
        self._joint = JointLoop.of(loop, seeds_as, len(beginnings)) if len(beginnings) > 1 else None
        self._loop = self._joint or loop
        pack = self._joint.stack if self._joint else lambda trees: trees[0]
        columns = {name: [getattr(one, name) for one in beginnings] for name in ("state", "tally", "constants", "empty")}
        beginnings.clear()
        self._state, self._tally, self._constants, empty = (pack(columns.pop(name)) for name in list(columns))
        self._empty = empty if self._joint and self._joint.spread else loop.sharding.replicate(empty)

    def compile(self, inputs: Inputs, start: int, count: int) -> Compiled:
        """The program of `advance` with such arguments: jit finds it compiled, and neither traces nor compiles it again."""
        return self._loop.compile(self._state, self._tally, self._constants, inputs, start, count)

    def advance(self, inputs: Inputs, start: int, count: int) -> None:
        """Does `count` outer steps, which begin at inputs[start]."""
        self._state, self._tally = self._loop.run(self._state, self._tally, self._constants, inputs, start, count)
        self.step += count

    def of(self, index: int) -> tuple[TrainState, Tally]:
        """State and tally of run number `index`."""
        if self._joint is None:
            return self._state, self._tally
        return self._joint.one(self._state, index), self._joint.one(self._tally, index)

    def tally_of(self, index: int) -> Tally:
        """The tally of run number `index`."""
        return self._joint.one(self._tally, index) if self._joint else self._tally

    def empty_tally(self) -> None:
        """What was seen of the steps so far has been told: the tally of those to come starts anew."""
        self._tally = self._empty

    def all_good(self) -> bool:
        """Waits for the steps to be done; whether no run had a term gone bad, where there are several."""
        return self._joint is not None and bool((self._tally.bad_step < 0).all())
