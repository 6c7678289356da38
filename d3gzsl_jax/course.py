"""The course of a run, or of several that differ in their seed alone and whose outer steps are one program.

Each run keeps its own folder, checkpoints, log and results, which are those of the run alone; only the outer steps are joint.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from d3gzsl_jax.data import batches
from d3gzsl_jax.errors import Terminated
from d3gzsl_jax.frameworks.structures import TrainState
from d3gzsl_jax.run import Run
from d3gzsl_jax.training import memory
from d3gzsl_jax.training.joint import JointLoop
from d3gzsl_jax.training.loop import Constants
from d3gzsl_jax.training.tally import Report

# A call of the compiled loop is made longer while it takes less than the first and shorter when more than the second (seconds):
# long enough that dispatch costs nothing, short enough that progress moves and signals are heard. The bits do not depend on it.
_CALL_SECONDS = (0.5, 2.0)
# Streamed features of one call of the loop; a few calls are under way at a time.
_STREAM_BYTES = 64 * 2**20


class Begun(NamedTuple):
    """A run that is ready to train from outer step `step` on."""

    run: Run
    constants: Constants
    empty: Report
    state: TrainState
    report: Report
    step: int


def to_the_end(runs: Sequence[Run], way: str = "auto") -> list[dict[str, Any]]:
    """Takes runs through teacher, outer steps and results; returns what each one's results.json holds.

    Args:
        runs: one; or several that differ in their seed (and number of epochs) alone, sample rows on the device and have one `Stop`.
        way: see `JointLoop`.

    Raises:
        DivergenceError: training broke down, naming the seed where there are several. Terminated: SIGTERM came.
    """
    by_step: dict[int, list[tuple[int, Begun]]] = {}
    for index, run in enumerate(runs):
        begun = begin(run)
        by_step.setdefault(begun.step, []).append((index, begun))  # a start before may have ended while only some were saved
    results: dict[int, dict[str, Any]] = {}
    for step in sorted(by_step):
        indices, begun = zip(*by_step.pop(step), strict=True)
        ends = OuterSteps(list(begun), way).train()
        for index, one, end in zip(indices, begun, ends, strict=True):
            results[index] = one.run.conclude(*end)
    return [results[index] for index in range(len(runs))]


def begin(run: Run) -> Begun:
    """A run with its teacher fitted, or read, and its states as an earlier start left them, or fresh."""
    with run.blamed():
        if run.model.objective.distillation.active:
            run.pretrain()
        constants = run.constants()
        empty = run.compiled.empty_report(run.abstract_state, constants, run.example_inputs())
        return Begun(run, constants, empty, *run.begin(empty))


class OuterSteps:
    """The outer steps of runs that begin at the same one.

    Args:
        begun: the runs; their states are given away.
        way: see `JointLoop`.
    """

    def __init__(self, begun: list[Begun], way: str) -> None:
        self._runs, self._lead, self._step = [one.run for one in begun], begun[0].run, begun[0].step
        self._joint = JointLoop(self._lead.compiled, way) if len(begun) > 1 else None
        self._loop = self._joint or self._lead.compiled
        pack = self._joint.stack if self._joint else lambda trees: trees[0]
        self._state, self._report = pack([one.state for one in begun]), pack([one.report for one in begun])
        self._constants = pack([one.constants for one in begun])
        self._empty = self._lead.sharding.replicate(pack([one.empty for one in begun]))
        self._stops = batches.Stops.union([run.stops for run in self._runs])
        self._checked = False  # whether the program fits
        self._evaluated = [-1] * len(begun)  # by run, the step of its newest evaluation
        self._ended: dict[int, tuple[TrainState, Report, int]] = {}  # by run, how it left: its last epoch is done, others go on

    def train(self) -> list[tuple[TrainState, int]]:
        """Trains every run to its last epoch, or all to a signal, evaluating and saving on the way; returns of each its state and
        the outer steps it has done."""
        lead, stop, first = self._lead, self._lead.stop, self._step
        for run in self._runs:
            run.open_log(first)
        most = lead.config.train.steps_per_call
        calls = batches.Calls(first, self._stops, self._longest(most))
        lead.display.start("training", self._stops.last)
        lead.display.advance(first)
        length = 1
        if first in self._stops:
            self._evaluate()
        length = stop.settle(length)
        for call, inputs in zip(calls, lead.feed(calls), strict=False):
            end = call.first + call.count
            while self._step < end and not stop.asked:
                self._turn()
                count = min(length, end - self._step)
                sent = time.monotonic()
                self._advance(inputs, self._step - call.first, count)
                took = time.monotonic() - sent
                lead.display.advance(count)
                if took < _CALL_SECONDS[0]:
                    length = min(2 * length, most)
                elif took > _CALL_SECONDS[1]:
                    length = max(length // 2, 1)
                length = stop.settle(length)
                if self._step not in self._stops:
                    self._checkpoint()
            if stop.asked:
                break
            if self._step in self._stops:
                self._evaluate()
        self._leave()
        ends = [self._now(index) for index in range(len(self._runs))]
        return [(run.sharding.local(state), step) for run, (state, _, step) in zip(self._runs, ends, strict=True)]

    def _longest(self, most: int) -> int:
        """Outer steps of a call, at most."""
        lead = self._lead
        if lead.mode != "stream":
            return most
        train = lead.config.train
        return min(most, max(_STREAM_BYTES // (4 * lead.data.feature_size * train.n_critic * train.batch_size), 1))

    def _of(self, tree: Any, index: int) -> Any:
        return self._joint.one(tree, index) if self._joint else tree

    def _now(self, index: int) -> tuple[TrainState, Report, int]:
        """State, report and outer step of a run."""
        return self._ended.get(index) or (self._of(self._state, index), self._of(self._report, index), self._step)

    def _live(self) -> list[tuple[int, Run]]:
        return [(index, run) for index, run in enumerate(self._runs) if index not in self._ended]

    def _turn(self) -> None:
        """More outer steps are about to be done: what has been evaluated is the past."""
        live = self._live()
        # All that train on are evaluated at the same steps: they differ at most in their last one.
        if live[0][0] in (evaluated := [index for index, _ in live if self._evaluated[index] == self._step]):
            self._report = self._empty
            for index in evaluated:
                self._runs[index].account.turn()

    def _advance(self, inputs: Any, start: int, count: int) -> None:
        if not self._checked:
            # Of the program that is called right after: jit finds it compiled, and neither traces nor compiles it again.
            compiled = self._loop.run.lower(self._state, self._report, self._constants, inputs, start, count).compile()
            memory.check_step(compiled, self._lead.config, self._lead.data, len(self._runs), self._lead.sharding.devices)
            self._checked = True
        self._state, self._report = self._loop.run(self._state, self._report, self._constants, inputs, start, count)
        self._check()
        self._step += count

    def _check(self) -> None:
        """Waits for the steps to be done, and looks for terms gone bad."""
        if self._joint and (self._report.bad_step < 0).all():
            return
        for index, run in self._live():
            with run.blamed():
                self._of(self._report, index).check(run.config.guards.loss_limit)

    def _checkpoint(self) -> None:
        """Saves all if one is due, so that they can be gone on with together."""
        live = self._live()
        if any(run.checkpoints.due() for _, run in live):
            for index, _ in live:
                self._save(index)

    def _save(self, index: int, wait: bool = False) -> bool:
        """Whether nothing failed."""
        run = self._runs[index]
        with run.blamed():
            return run.checkpoint(*self._now(index), wait=wait)

    def _evaluate(self, leaving: bool = False) -> None:
        """Evaluates the runs that are to be evaluated after this epoch, or all that may be if they are `leaving`, and saves what is
        due."""
        live = self._live()
        due = any(run.checkpoints.due() for _, run in live)
        for index, run in live:
            whole = self._step in run.stops
            if self._evaluated[index] == self._step or not (whole or (leaving and run.looks_early)):
                continue
            now = self._now(index)
            with run.blamed():
                run.evaluate(*now, whole, due)
            self._evaluated[index] = self._step
            if self._step == run.stops.last:
                self._ended[index] = now

    def _leave(self) -> None:
        """What is due after the last step: nothing more, unless a signal came."""
        if self._step == 0:
            self._lead.leave_if_asked()
        terminated = self._lead.stop.terminated
        leaving = range(len(self._runs)) if terminated else [index for index, _ in self._live()]
        saved = [self._save(index, wait=True) for index in leaving]
        if terminated:
            where = ", ".join(str(run.checkpoints.newest()) for run in self._runs)
            raise Terminated(
                f"SIGTERM: stopped after outer step {self._step}; "
                + (f"saved {where}; the same command goes on from there" if all(saved) else "it could not be saved")
            )
        self._evaluate(leaving=True)
