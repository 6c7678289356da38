"""Runs whose outer steps are one program: one run, or several that differ in their seed alone.

Each keeps its own folder, checkpoints, log and results, which are those of the run alone; only the outer steps are joint.
"""

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence

from d3gzsl_jax.data.calls import Call, Calls, EvaluationSteps
from d3gzsl_jax.errors import DivergenceError, Terminated
from d3gzsl_jax.frameworks.structures import Inputs, TrainState
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.system.signals import Signals
from d3gzsl_jax.training.call_length import CallLength, longest_streamed
from d3gzsl_jax.training.states import Beginning, States
from d3gzsl_jax.training.tally import Tally


class Group:
    """Runs that have done the same number of outer steps.

    Args:
        runs: with one `Setup`, and settings that differ in their seed and number of epochs alone.
        beginnings: what each goes on from; the list is emptied, for they are given away.

    Attributes:
        lead: the run whose setup, stream of batches and display serve all.
        evaluation_steps: after which outer steps one of them is evaluated.
    """

    def __init__(self, runs: Sequence[Run], beginnings: list[Beginning]) -> None:
        self.runs, self.lead = list(runs), runs[0]
        self._states = States(self.lead.setup.loop, beginnings, self.lead.settings.seeds_as)
        self.evaluation_steps = EvaluationSteps.union([run.evaluation_steps for run in self.runs])
        self._length = CallLength(self.lead.settings.steps_per_call)
        self._is_checked = False  # whether the program fits
        self._evaluated = [-1] * len(self.runs)  # by run, the step of its newest evaluation
        self._ended: dict[int, tuple[TrainState, Tally, int]] = {}  # by run, how it left: its last epoch is done, others go on

    @property
    def step(self) -> int:
        """Outer steps done."""
        return self._states.step

    def begin(self, signals: Signals) -> None:
        """Opens the logs, and evaluates what is due where an earlier start ended."""
        for run in self.runs:
            run.open_log(self.step)
        self.lead.display.start("training", self.evaluation_steps.last, self.step)
        self.evaluate_if_due()
        self._length.steps = signals.settle(self._length.steps)

    def calls(self) -> Iterator[tuple[Call, Inputs]]:
        """The calls of the compiled loop up to the last outer step, none of which goes past an evaluation, with their batches."""
        lead, of = self.lead, self.lead.settings
        most = of.steps_per_call
        if lead.setup.mode == "stream":
            most = longest_streamed(most, lead.data.feature_size, lead.setup.loop.batches, of.batch_size)
        calls = Calls(self.step, self.evaluation_steps, most)
        with lead.display.doing("starting the input pipeline"):
            feed = lead.feed(calls)
            first = list(itertools.islice(feed, 1))  # TensorFlow is imported for it
        return zip(calls, itertools.chain(first, feed), strict=False)  # the feed may be endless

    def advance(self, call: Call, inputs: Inputs, signals: Signals) -> None:
        """Does some outer steps of a call, and agrees with the other processes on how many come next and on what was asked.

        Raises:
            DivergenceError: a term went bad. UserError: the step does not fit the memory there is.
        """
        live, start = self._live(), self.step - call.first
        count = min(self._length.steps, call.end - self.step)
        # What has been evaluated is the past. All that train on are evaluated at the same steps: they differ at most in their last.
        if live[0][0] in (evaluated := [index for index, _ in live if self._evaluated[index] == self.step]):
            self._states.empty_tally()
            for index in evaluated:
                self.runs[index].journal.turn()
        sent = time.monotonic()
        if not self._is_checked:
            with self.lead.display.doing("compiling the training step"):
                self.lead.setup.check_step(self._states.compile(inputs, start, count))
            self._is_checked = True
        self._states.advance(inputs, start, count)
        if not self._states.all_good():
            for index, run in live:
                with self._blamed(index):
                    self._states.tally_of(index).check(run.settings.loss_limit, run.setup.phases)
        self._length.took(time.monotonic() - sent)
        self.lead.display.advance(count)
        self._length.steps = signals.settle(self._length.steps)

    def checkpoint_if_due(self) -> None:
        """Saves a checkpoint of all if one is due, so that they can be gone on with together; an evaluation saves its own."""
        live = self._live()
        if self.step not in self.evaluation_steps and any(run.checkpoints.due() for _, run in live):
            for index, _ in live:
                self._checkpoint(index)

    def evaluate_if_due(self) -> None:
        """Evaluates, and saves, the runs that are to be evaluated after the outer steps done."""
        if self.step in self.evaluation_steps:
            self._evaluate()

    def _evaluate(self, leaving: bool = False) -> None:
        """Evaluates the runs that are to be evaluated after this epoch, or all that may be if they are `leaving`, and saves what is
        due."""
        live = self._live()
        due = any(run.checkpoints.due() for _, run in live)
        for index, run in live:
            whole = self.step in run.evaluation_steps
            if self._evaluated[index] == self.step or not (whole or (leaving and run.looks_early)):
                continue
            now = self._now(index)
            with self._blamed(index), self.lead.display.doing("evaluating"):
                run.evaluate(*now, whole, due)
            self._evaluated[index] = self.step
            if self.step == run.evaluation_steps.last:
                self._ended[index] = now

    def leave(self, signals: Signals) -> list[tuple[TrainState, int]]:
        """After the last step, or where a signal came: saves, and evaluates what may be; the state and outer steps of each run.

        Raises:
            Terminated: SIGTERM came; there is a checkpoint to go on from.
        """
        if self.step == 0:
            signals.leave_untrained()
        leaving = range(len(self.runs)) if signals.terminated else [index for index, _ in self._live()]
        saved = [self._checkpoint(index, wait=True) for index in leaving]
        if signals.terminated:
            where = ", ".join(str(run.checkpoints.newest()) for run in self.runs)
            raise Terminated(
                f"SIGTERM: stopped after outer step {self.step}; "
                + (f"saved {where}; the same command goes on from there" if all(saved) else "it could not be saved")
            )
        self._evaluate(leaving=True)
        return [self._end(index) for index in range(len(self.runs))]

    def ended(self) -> list[tuple[TrainState, int] | None]:
        """What `leave` returns of the runs whose last epoch is done; None of the others, where one of them broke down."""
        return [self._end(index) if index in self._ended else None for index in range(len(self.runs))]

    def _end(self, index: int) -> tuple[TrainState, int]:
        state, _, step = self._now(index)
        return self.runs[index].sharding.local(state), step

    @contextlib.contextmanager
    def _blamed(self, index: int) -> Iterator[None]:
        """`Run.blamed`; where that run breaks down the others are saved, so that they can be gone on with without it."""
        try:
            with self.runs[index].blamed():
                yield
        except DivergenceError:
            for other, run in self._live():
                if other != index:
                    with contextlib.suppress(DivergenceError):  # one that broke down as well is not saved
                        self._states.tally_of(other).check(run.settings.loss_limit)
                        run.checkpoint(*self._now(other), wait=True)
            raise

    def _live(self) -> list[tuple[int, Run]]:
        return [(index, run) for index, run in enumerate(self.runs) if index not in self._ended]

    def _now(self, index: int) -> tuple[TrainState, Tally, int]:
        """State, tally and outer step of a run."""
        return self._ended.get(index) or (*self._states.of(index), self.step)

    def _checkpoint(self, index: int, wait: bool = False) -> bool:
        """Whether nothing failed."""
        run = self.runs[index]
        with run.blamed():
            return run.checkpoint(*self._now(index), wait=wait)
