"""What one run does: its teacher, its states, its evaluations and checkpoints, its results; course.py takes it through them."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax import ending
from d3gzsl_jax.data import batches
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.distillation.teacher import pretrain
from d3gzsl_jax.errors import DivergenceError, Terminated, UserError
from d3gzsl_jax.frameworks.finite import check_finite
from d3gzsl_jax.frameworks.structures import Batch, Params, TeacherOutputs, TrainState
from d3gzsl_jax.keys import root_key, stream
from d3gzsl_jax.runs import file_schemas, json_files
from d3gzsl_jax.runs.checkpoints import Checkpoints, load_once, save_once
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.journal import Account
from d3gzsl_jax.shared import Shared
from d3gzsl_jax.studies.validation import Plan
from d3gzsl_jax.system import processes
from d3gzsl_jax.system.signals import Stop
from d3gzsl_jax.training.build import Model
from d3gzsl_jax.training.loop import Constants
from d3gzsl_jax.training.sharding import Sharding
from d3gzsl_jax.training.tally import Report


class Run:
    """The state of a run between its phases.

    A checkpoint holds what the outer steps before it made: parameters and optimiser states, the report of the steps since the last
    evaluation, and the history. The evaluation *at* its step is not in it: a start from there makes it again, to the same bits. So
    a run may stop anywhere, and its number of epochs may grow afterwards.

    Args:
        config, data, model, folder, checkpoints, display, sharding: of the run.
        plan: what validation chose; None where it was not asked.
        trials: whether this is a fold of a validation.
        shared: what it has in common with other runs; None: nothing.
        title: begins its messages where there are others; '' where there are none.
    """

    def __init__(
        self, config: ConfigDict, data: GZSLData, model: Model, folder: RunFolder, checkpoints: Checkpoints, display: Display,
        sharding: Sharding = Sharding(),  # noqa: B008 (frozen)
        plan: Plan | None = None, trials: bool = False, shared: Shared | None = None, title: str = "",
    ) -> None:
        self.config, self.data, self.model, self.sharding, self.title = config, data, model, sharding, title
        self.folder, self.checkpoints, self.display, self.stop = folder, checkpoints, display, Stop()
        self.plan, self.trials, self.shared = plan, trials, shared or Shared(config, data, model, sharding)
        self.arrays, self.mode, self.evaluator = self.shared.arrays, self.shared.mode, self.shared.evaluator
        self.compiled, self.root = self.shared.compiled, root_key(config.seed)
        features, labels = self.arrays.train_features, self.arrays.train_labels
        self.real_rows = features, labels  # `constants` puts them on the device, unless streaming
        self.account = Account(config, data, model, self.arrays, self.evaluator, self.root, folder, display, plan, trials)
        self.per_epoch = model.optimization.steps_per_epoch
        self.stops = batches.Stops(self.per_epoch, ((config.eval.every_epochs, config.train.epochs),))
        self.abstract_state = jax.eval_shape(lambda: self.init(self.frozen()))
        self.teacher: Params = {}
        self.teacher_report: dict[str, float] | None = None

    @property
    def bytes_of_checkpoint(self) -> int:
        """Size of a checkpoint on disk, if nothing compresses."""
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self.abstract_state))

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """Says of a breakdown within it whose it is, and what is left."""
        try:
            yield
        except DivergenceError as error:
            newest = self.checkpoints.newest()
            good = f"the last good checkpoint is {newest}" if newest else "there is no checkpoint yet"
            raise DivergenceError(f"{self.title}{error}; {good}") from None

    @property
    def looks_early(self) -> bool:
        """Whether it may be evaluated before its last epoch is done: not if validation chose that, see `ending.leave_early`."""
        return self.plan is None

    def conclude(self, state: TrainState, steps: int) -> dict[str, Any]:
        """What is due after the last outer step; returns what results.json holds.

        A start that is killed within it leaves results that say they are not concluded, and the next one does all of it again.
        """
        if steps < self.stops.last and not self.looks_early:
            with self.blamed():
                return ending.leave_early(self, state, steps)
        if self.teacher and not (self.looks_early or self.teacher_report):
            self.teacher_report = self.evaluate_teacher()
        # What there is goes to disk before the final classifier is fitted, which can fail, or run out of memory.
        self.save(steps)
        with self.blamed():
            self.account.finish(state, steps, self.real_rows)
        self.account.explain(state, self.teacher)
        self.save(steps)
        if processes.is_first():
            ending.leave(self, state)
        self.folder.need("metrics.jsonl", "model")
        self.folder.require_there()
        return self.save(steps, concluded=True)

    def close(self) -> None:
        """Waits for what is being written."""
        self.checkpoints.close()
        self.account.close()

    def pretrain(self, only_read: bool = False) -> None:
        """The teacher: read where an earlier start left it, else (unless it is `only_read`) fitted and left in the folder."""
        path = self.folder.path / "teacher"
        if processes.told_by_first(path.is_dir() or only_read):
            read = lambda: self._read_teacher(path) if processes.is_first() else (None, None)  # noqa: E731
            found, self.teacher_report = processes.agreed(read)
            self.teacher = self.teacher_of_first(found)
            self.folder.need("teacher")
            return
        settings_ = self.config.teacher
        self.display.start("teacher", settings_.epochs)
        self.teacher = pretrain(
            self.model.teacher, self.model.teacher_training, stream(self.root, "teacher"), self.arrays.train_features,
            self.seen_index(), settings_.epochs, settings_.batch_size, self.mode != "stream", self.teacher_epoch_done,
        )
        self.teacher = self.teacher_of_first(self.teacher)
        self.display.stop()
        report = self.teacher_report = self.evaluate_teacher() if self.looks_early else {}
        processes.agreed(lambda: save_once(path, self.teacher, report) if processes.is_first() else None)
        self.folder.need("teacher")

    def evaluate_teacher(self) -> dict[str, float]:
        """The teacher's figures on the test rows, told."""
        found = self.evaluator.teacher(self.model.teacher, self.teacher, self.config.teacher.threshold)
        if len(self.data.test_seen):
            self.display.say(
                f"teacher: seen accuracy {100 * found['seen_accuracy']:.1f}, seen against unseen rows AUROC "
                f"{found['auroc']:.3f}, FPR@95 {found['fpr_at_95']:.3f}"
            )
        return found

    def teacher_of_first(self, teacher: Params | None) -> Params:
        """The first process's teacher in all of them: each fitted its own, on devices whose sums may differ in the last digit."""
        return processes.arrays_of_first(teacher, self._teacher_shapes())

    def _teacher_shapes(self) -> Params:
        return jax.eval_shape(lambda: self.model.teacher.init(self.root, self.data.feature_size))

    def _read_teacher(self, path: Path) -> tuple[Params, dict[str, float]]:
        """The teacher an earlier start left, and its figures; another one would make another run."""
        remedy = "put a copy of that folder back, or remove it: it is fitted anew then, to the same bits on the same machine"
        try:
            found, report = load_once(path, self.display.say)
        except UserError as error:
            raise UserError(f"{error}; {remedy}") from None
        json_files.checked(report, file_schemas.Numbers, path, remedy)
        shapes = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), tree)  # noqa: E731
        if shapes(found) != shapes(self._teacher_shapes()):
            raise UserError(f"{path}: not the teacher of this run: its arrays are of other shapes; {remedy}")
        return found, report

    def seen_index(self) -> np.ndarray:
        """Positions of the training rows' classes among the seen ones, (N,) int32."""
        return np.searchsorted(self.data.seen_classes, self.arrays.train_labels).astype(np.int32)

    def teacher_epoch_done(self) -> None:
        """Progress; and signals stop here at once, since there is no result to save yet."""
        self.display.advance(1)
        self.stop.settle()
        self.leave_if_asked()

    def leave_if_asked(self) -> None:
        """Stops a run that has nothing to show yet."""
        if self.stop.interrupted:
            raise KeyboardInterrupt
        if self.stop.terminated:
            raise Terminated("SIGTERM: nothing was trained yet; the same command starts again")

    def constants(self) -> Constants:
        """Root key, teacher, classes and, unless streaming, all training rows with their teacher outputs, on the device, where
        `real_rows` are from here on."""
        rows = merged = None
        if self.mode != "stream":
            features = self.shared.features
            if self.teacher:
                outputs = jax.jit(self.model.teacher.outputs)
                size = self.config.eval.batch_size
                parts: list[TeacherOutputs] = [outputs(self.teacher, features[i : i + size]) for i in range(0, len(features), size)]
                merged = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
            rows = Batch(features=features, labels=jnp.asarray(self.arrays.train_labels), teacher=merged)
        constants = Constants(root=self.root, teacher=self.teacher, classes=self.model.classes, rows=rows)
        constants = self.sharding.replicate(constants)
        if rows is not None:
            self.real_rows = self.sharding.local((constants.rows.features, constants.rows.labels))
        return constants

    def frozen(self) -> Params:
        """What the base method fits beforehand and freezes."""
        return self.model.objective.framework.pretrain(stream(self.root, "pretrain"), self.real_rows[0], self.seen_index())

    def init(self, frozen: Params, root: jax.Array | None = None) -> TrainState:
        """Initial parameters and optimiser states, with the frozen parameters, from the run's key or `root`."""
        params = self.model.objective.init(stream(self.root if root is None else root, "init"))
        return TrainState(step=jnp.int32(0), params=params | frozen, opt_state=self.model.optimization.init(params))

    def begin(self, empty: Report) -> tuple[TrainState, Report, int]:
        """State, report and outer step to go on from: the newest checkpoint's, or fresh ones; those of the first process."""
        shapes = {"state": self.abstract_state, "report": jax.eval_shape(lambda: empty)}
        found = processes.agreed(lambda: self._restore(shapes))
        training, goes_on = found and found[1], processes.told_by_first(found and [found[0], found[2]])
        if goes_on:
            step, history = goes_on
            self.account.recall(history)
            self.display.say(f"going on from outer step {step} (epoch {step / self.per_epoch:g}) of {self.folder.path}")
        else:
            frozen, step = self.frozen(), 0
            check_finite(frozen, "fitting the frozen part of the base method", f"see its options, config.{self.config.framework}")
            training = {"state": jax.jit(self.init)(frozen, self.root), "report": empty}
        training = self.sharding.replicate(processes.arrays_of_first(training, shapes))
        return training["state"], training["report"], step

    def _restore(self, shapes: Any) -> tuple[int, Any, dict[str, Any]] | None:
        """The newest checkpoint that is whole, see `Checkpoints.restore_newest`."""
        there = bool(self.checkpoints.steps)
        found = self.checkpoints.restore_newest(shapes)
        if found:
            json_files.checked(found[2], file_schemas.History, self.folder.path / "checkpoints" / str(found[0]) / "history")
        elif there and self.config.train.resume == "must":
            raise UserError(f"{self.folder.path}: no checkpoint is whole, and config.train.resume=must; with auto it starts anew")
        return found

    def open_log(self, first: int) -> None:
        """Opens the log at outer step `first`; lines of evaluations before it stay."""
        of_data = [] if self.trials else self.shared.warnings  # a fold holds nothing the whole does not
        self.account.begin(
            first, lambda line: line.get("kind") == "epoch" and line["step"] < first and line["step"] in self.stops, of_data
        )

    def example_inputs(self) -> Any:
        """Shapes of what a call of the loop is given."""
        train = self.config.train
        rows = jax.ShapeDtypeStruct((1, train.n_critic, train.batch_size), jnp.int32)
        features = jax.ShapeDtypeStruct((*rows.shape, self.data.feature_size), jnp.float32)
        return {"device": None, "index": rows, "stream": (features, rows)}[self.mode]

    def feed(self, calls: batches.Calls) -> Iterator[Any]:
        """What each call of the loop is given."""
        if self.mode == "device" or not calls:
            return itertools.repeat(None)
        train = self.config.train
        features = self.arrays.train_features if self.mode == "stream" else None
        items = batches.host_batches(
            self.config.seed, calls, calls.longest, train.n_critic, train.batch_size, features, self.arrays.train_labels,
            self.sharding.part(train.batch_size),
        )
        return batches.prefetch_to_device(items, put=lambda item: self.sharding.place_rows(item, axis=2))

    def checkpoint(
        self, state: TrainState, report: Report, step: int, metrics: dict[str, float] | None = None, wait: bool = False
    ) -> bool:
        """Saves what the steps so far made; whether nothing failed."""
        state, report = self.sharding.local((state, report))
        check_finite(state.params, f"training stopped after outer step {step - 1}")
        self.folder.require_there()
        wait = wait or self.folder.is_sent  # what is being written still would be sent after the next one only
        saved = self.checkpoints.save(step, {"state": state, "report": report}, self.account.history(), metrics, wait)
        self.folder.require_there()  # a checkpoint that could not be written for that reason is said so
        self.folder.send()
        return saved

    def evaluate(self, state: TrainState, report: Report, step: int, whole: bool, due: bool) -> None:
        """Evaluates, and saves a checkpoint if one is `due`. `whole`: after an epoch that is to be evaluated."""

        self.folder.require_there()

        def save(metrics: dict[str, float] | None) -> None:
            better = metrics is not None and self.checkpoints.better(metrics)
            last = step == self.stops.last
            if whole and (last or better or due):
                self.checkpoint(state, report, step, metrics, wait=last)  # results are left only where a start can go on to them

        self.account.evaluate(*self.sharding.local((state, report)), step, whole, self.real_rows, save)
        self.folder.send()

    def save(self, steps: int, concluded: bool = False) -> dict[str, Any]:
        """Writes results.json, and returns what it holds; `concluded`: there is nothing left to do, model and report are there."""
        return self.account.save(steps, steps < self.stops.last, self.teacher_report, pipeline=self.mode, concluded=concluded)
