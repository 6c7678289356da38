"""One run between its phases: its folder, journal and checkpoints, and what it evaluates and saves."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from d3gzsl_jax.data import batches
from d3gzsl_jax.data.calls import Calls, EvaluationSteps
from d3gzsl_jax.distillation.teacher import Teacher
from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.evaluation.predictors import RealRows
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.finite_check import check_finite
from d3gzsl_jax.frameworks.host_rows import HostRows
from d3gzsl_jax.frameworks.structures import Batch, Inputs, Params, TrainState
from d3gzsl_jax.keys import root_key, stream
from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.journal import Journal
from d3gzsl_jax.runs.settings import RunSettings
from d3gzsl_jax.runs.setup import Setup
from d3gzsl_jax.runs.validation_plan import Plan
from d3gzsl_jax.training.build import first_stage_shapes
from d3gzsl_jax.training.loop import Constants
from d3gzsl_jax.training.states import initial_state
from d3gzsl_jax.training.tally import Tally


class Run:
    """A run of one seed.

    A checkpoint holds what the outer steps before it made: parameters and optimiser states, the tally of the steps since the last
    evaluation, and the history. The evaluation *at* its step is not in it: a start from there makes it again, to the same bits. So
    a run may stop anywhere, and its number of epochs may grow afterwards.

    Args:
        settings: of the run.
        setup: what it has in common with others that differ in their seed.
        folder, checkpoints, display: where it is written, and told.
        final_classifier: what is fitted at its end; None for none.
        plan: what validation chose; None where it was not asked.
        is_fold: whether this is a fold of a validation.
        title: begins its messages where there are others; '' where there are none.
        listener: called with the epoch after each evaluation of a whole one; None for none.
        is_within: whether it is trained within another run, which says what there is to say of the data.
    """

    def __init__(
        self, settings: RunSettings, setup: Setup, folder: RunFolder, checkpoints: Checkpoints, display: Display,
        final_classifier: FinalClassifier | None, plan: Plan | None = None, is_fold: bool = False, title: str = "",
        listener: Callable[[int], None] | None = None, is_within: bool = False,
    ) -> None:
        self.settings, self.setup, self.folder, self.checkpoints, self.display = settings, setup, folder, checkpoints, display
        self.data, self.model, self.arrays, self.evaluator = setup.data, setup.model, setup.arrays, setup.evaluator
        self.sharding, self.final_classifier, self.plan, self.is_fold, self.title = (
            setup.sharding, final_classifier, plan, is_fold, title,
        )  # fmt: skip
        self._listener, self._is_within = listener, is_within
        self.key = root_key(settings.seed)
        self.per_epoch = self.model.optimization.steps_per_epoch
        self.evaluation_steps = EvaluationSteps(self.per_epoch, ((settings.every_epochs, settings.epochs),))
        self.journal = Journal(settings, setup, self.key, folder, display, final_classifier, plan, is_fold)
        self.real_rows: RealRows = (self.arrays.train_rows, self.arrays.train_labels)
        """Real seen rows; `constants` puts them on the device, unless they are streamed: then they are asked for."""
        if setup.mode == "stream":
            self.real_rows = HostRows(self.arrays.train_rows), self.arrays.train_labels
        objective, optimization = self.model.objective, self.model.optimization
        frozen = jax.eval_shape(self.frozen) | first_stage_shapes(self.model.first_stage, objective, not self.encodes)
        self.abstract_state = jax.eval_shape(
            functools.partial(initial_state, objective, optimization), frozen=frozen, key=self.key
        )

    @property
    def bytes_of_checkpoint(self) -> int:
        """Size of a checkpoint on disk, if nothing compresses."""
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self.abstract_state))

    @property
    def looks_early(self) -> bool:
        """Whether it may be evaluated before its last epoch is done: not if validation chose that, see `finish.leave_early`."""
        return self.plan is None

    @property
    def encodes(self) -> bool:
        """Whether representations are made by the teacher's embedding: the base method takes some, and the data has none."""
        return self.model.objective.framework.takes_representations and self.data.representations is None

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """Says of a breakdown within it whose it is, and what is left."""
        try:
            yield
        except DivergenceError as error:
            if error.seeds:  # of its first stage, which has said what is left
                raise error.of(f"{self.title}{error}") from None
            newest = self.checkpoints.newest()
            good = f"the last good checkpoint is {newest}" if newest else "there is no checkpoint yet"
            raise error.of(f"{self.title}{error}; {good}", self.settings.seed) from None

    def frozen(self) -> Params:
        """What the base method fits beforehand and freezes."""
        return self.model.objective.framework.pretrain(stream(self.key, "pretrain"), self.real_rows[0], self.setup.seen_index)

    def constants(self, teacher: Params) -> Constants:
        """Root key, teacher, classes and, unless streaming, all training rows with their teacher outputs, on the device, where
        `real_rows` are from here on."""
        if self.setup.mode == "stream":
            return self.sharding.replicate(Constants(root=self.key, teacher=teacher, classes=self.model.classes, rows=None))
        self.real_rows = features, _ = self.sharding.local(self.setup.rows)
        merged = None
        if teacher:
            size, of = self.settings.evaluation_batch, self.model.teacher
            parts = [_teacher_outputs(of, teacher, features[i : i + size]) for i in range(0, len(features), size)]
            merged = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
        root, teacher, classes, merged = self.sharding.replicate((self.key, teacher, self.model.classes, merged))
        features, labels = self.setup.rows  # of all seeds: they lie on a device once
        return Constants(root=root, teacher=teacher, classes=classes, rows=Batch(features=features, labels=labels, teacher=merged))

    def feed(self, calls: Calls) -> Iterator[Inputs]:
        """What each call of the loop is given."""
        mode, of = self.setup.mode, self.settings
        if mode == "device" or not calls:
            return itertools.repeat(None)
        features = self.arrays.train_rows if mode == "stream" else None
        items = batches.host_batches(
            of.seed, calls, calls.longest, self.setup.loop.batches, of.batch_size, features, self.arrays.train_labels,
            self.sharding.part(of.batch_size),
        )
        return batches.prefetch_to_device(items, put=lambda item: self.sharding.place_rows(item, axis=2))

    def open_log(self, first: int) -> None:
        """Opens the log at outer step `first`; lines of evaluations before it stay."""
        of_data = [] if self.is_fold or self._is_within else self.setup.warnings  # they hold nothing the whole does not
        self.journal.begin(
            first, lambda line: line.get("kind") == "epoch" and line["step"] < first and line["step"] in self.evaluation_steps,
            of_data
        )

    def checkpoint(
        self, state: TrainState, tally: Tally, step: int, metrics: dict[str, float] | None = None, wait: bool = False
    ) -> bool:
        """Saves what the steps so far made; whether nothing failed."""
        state, tally = self.sharding.local((state, tally))
        check_finite(state.params, f"training stopped after outer step {step - 1}")
        self.folder.require_there()
        wait = wait or self.folder.is_sent  # what is being written still would be sent after the next one only
        saved = self.checkpoints.save(step, {"state": state, "tally": tally}, self.journal.history(), metrics, wait)
        self.folder.require_there()  # a checkpoint that could not be written for that reason is said so
        self.folder.send()
        return saved

    def evaluate(self, state: TrainState, tally: Tally, step: int, whole: bool, due: bool) -> None:
        """Evaluates, and saves a checkpoint if one is `due`. `whole`: after an epoch that is to be evaluated."""
        self.folder.require_there()

        def save(metrics: dict[str, float] | None) -> None:
            better = metrics is not None and self.checkpoints.better(metrics)
            last = step == self.evaluation_steps.last
            if whole and (last or better or due):
                self.checkpoint(state, tally, step, metrics, wait=last)  # results are left only where a start can go on to them

        self.journal.evaluate(*self.sharding.local((state, tally)), step, whole, self.real_rows, save)
        if whole and self._listener:
            self._listener(step // self.per_epoch)
        self.folder.send()

    def write_results(self, steps: int, teacher: dict[str, float] | None, concluded: bool = False) -> dict[str, Any]:
        """Writes results.json, and returns what it holds.

        Args:
            steps: outer steps done.
            teacher: its figures, None without D3.
            concluded: whether there is nothing left to do: model and report are there.
        """
        return self.journal.save(steps, steps < self.evaluation_steps.last, teacher, pipeline=self.setup.mode, concluded=concluded)

    def close(self) -> None:
        """Waits for what is being written."""
        self.checkpoints.close()
        self.journal.close()


_teacher_outputs = jax.jit(Teacher.outputs, static_argnums=0)
