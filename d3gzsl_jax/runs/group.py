"""Runs whose outer steps are one program: one run, or several that differ in their seed alone.

Each keeps its own folder, checkpoints, log and results, which are those of the run alone; only the outer steps are joint.
"""

from collections.abc import Sequence

from d3gzsl_jax.data.batches import Stops
from d3gzsl_jax.errors import Terminated
from d3gzsl_jax.frameworks.structures import Inputs, TrainState
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.system.signals import Stop
from d3gzsl_jax.training.states import Beginning, States
from d3gzsl_jax.training.tally import Tally


class Group:
    """Runs that have done the same number of outer steps.

    Args:
        runs: with one `Setup`, and settings that differ in their seed and number of epochs alone.
        beginnings: what each goes on from; their states are given away.

    Attributes:
        lead: the run whose setup, stream of batches and display serve all.
        stops: after which outer steps one of them is evaluated.
    """

    def __init__(self, runs: Sequence[Run], beginnings: Sequence[Beginning]) -> None:
        self.runs, self.lead = list(runs), runs[0]
        self._states = States(self.lead.setup.loop, beginnings, self.lead.settings.seeds_as)
        self.stops = Stops.union([run.stops for run in self.runs])
        self._is_checked = False  # whether the program fits
        self._evaluated = [-1] * len(self.runs)  # by run, the step of its newest evaluation
        self._ended: dict[int, tuple[TrainState, Tally, int]] = {}  # by run, how it left: its last epoch is done, others go on

    @property
    def step(self) -> int:
        """Outer steps done."""
        return self._states.step

    def advance(self, inputs: Inputs, start: int, count: int) -> None:
        """Does `count` outer steps, which begin at inputs[start].

        Raises:
            DivergenceError: a term went bad. UserError: the step does not fit the memory there is.
        """
        live = self._live()
        # What has been evaluated is the past. All that train on are evaluated at the same steps: they differ at most in their last.
        if live[0][0] in (evaluated := [index for index, _ in live if self._evaluated[index] == self.step]):
            self._states.empty_tally()
            for index in evaluated:
                self.runs[index].journal.turn()
        if not self._is_checked:
            with self.lead.display.doing("compiling the training step"):
                self.lead.setup.check_step(self._states.compile(inputs, start, count))
            self._is_checked = True
        self._states.advance(inputs, start, count)
        if not self._states.all_good():
            for index, run in live:
                with run.blamed():
                    self._states.tally_of(index).check(run.settings.loss_limit)

    def save_if_due(self) -> None:
        """Saves all if one is due, so that they can be gone on with together."""
        live = self._live()
        if any(run.checkpoints.due() for _, run in live):
            for index, _ in live:
                self._save(index)

    def evaluate(self, leaving: bool = False) -> None:
        """Evaluates the runs that are to be evaluated after this epoch, or all that may be if they are `leaving`, and saves what is
        due."""
        live = self._live()
        due = any(run.checkpoints.due() for _, run in live)
        for index, run in live:
            whole = self.step in run.stops
            if self._evaluated[index] == self.step or not (whole or (leaving and run.looks_early)):
                continue
            now = self._now(index)
            with run.blamed(), self.lead.display.doing("evaluating"):
                run.evaluate(*now, whole, due)
            self._evaluated[index] = self.step
            if self.step == run.stops.last:
                self._ended[index] = now

    def leave(self, stop: Stop) -> list[tuple[TrainState, int]]:
        """After the last step, or where a signal came: saves, and evaluates what may be; the state and outer steps of each run.

        Raises:
            Terminated: SIGTERM came; there is a checkpoint to go on from.
        """
        if self.step == 0:
            stop.leave_untrained()
        leaving = range(len(self.runs)) if stop.terminated else [index for index, _ in self._live()]
        saved = [self._save(index, wait=True) for index in leaving]
        if stop.terminated:
            where = ", ".join(str(run.checkpoints.newest()) for run in self.runs)
            raise Terminated(
                f"SIGTERM: stopped after outer step {self.step}; "
                + (f"saved {where}; the same command goes on from there" if all(saved) else "it could not be saved")
            )
        self.evaluate(leaving=True)
        ends = [self._now(index) for index in range(len(self.runs))]
        return [(run.sharding.local(state), step) for run, (state, _, step) in zip(self.runs, ends, strict=True)]

    def _live(self) -> list[tuple[int, Run]]:
        return [(index, run) for index, run in enumerate(self.runs) if index not in self._ended]

    def _now(self, index: int) -> tuple[TrainState, Tally, int]:
        """State, tally and outer step of a run."""
        return self._ended.get(index) or (*self._states.of(index), self.step)

    def _save(self, index: int, wait: bool = False) -> bool:
        """Whether nothing failed."""
        run = self.runs[index]
        with run.blamed():
            return run.checkpoint(*self._now(index), wait=wait)
