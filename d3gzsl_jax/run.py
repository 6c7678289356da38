"""The phases of one run: teacher, adversarial loop, final classifier, results; each goes on from where an earlier start stopped."""

import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax import ending, together
from d3gzsl_jax.account import Account
from d3gzsl_jax.data import pipeline
from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.data.preprocess import scale_splits
from d3gzsl_jax.errors import DivergenceError, Terminated
from d3gzsl_jax.evaluation.evaluate import Evaluator
from d3gzsl_jax.model import Model
from d3gzsl_jax.runs.checkpoints import Checkpoints, load_once, save_once
from d3gzsl_jax.runs.console import Display
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.results import summarize
from d3gzsl_jax.stopping import Stop
from d3gzsl_jax.training.loop import Constants, Loop
from d3gzsl_jax.training.randomness import root_key, stream
from d3gzsl_jax.training.report import Report, check_finite
from d3gzsl_jax.training.sharding import Sharding
from d3gzsl_jax.training.structures import Batch, Params, TeacherOutputs, TrainState
from d3gzsl_jax.training.teacher import pretrain
from d3gzsl_jax.validation import Plan

# A call of the compiled loop is made longer while it takes less than the first and shorter when more than the second (seconds):
# long enough that dispatch costs nothing, short enough that progress moves and signals are heard. The bits do not depend on it.
_CALL_SECONDS = (0.5, 2.0)
# Streamed features of one call of the loop; a few calls are under way at a time.
_STREAM_BYTES = 64 * 2**20


class Run:
    """The state of `train` between its phases.

    A checkpoint holds what the outer steps before it made: parameters and optimiser states, the report of the steps since the last
    evaluation, and the history. The evaluation *at* its step is not in it: a start from there makes it again, to the same bits. So
    a run may stop anywhere, and its number of epochs may grow afterwards.
    """

    def __init__(
        self, config: ConfigDict, data: GZSLData, model: Model, folder: RunFolder, checkpoints: Checkpoints, display: Display,
        sharding: Sharding = Sharding(),  # noqa: B008 (frozen)
        plan: Plan | None = None, trials: bool = False,
    ) -> None:
        self.config, self.data, self.model, self.sharding = config, data, model, sharding
        self.trials = trials  # a fold of a validation: nobody wants its table
        self.folder, self.checkpoints, self.display, self.stop = folder, checkpoints, display, Stop()
        self.arrays, self.root = scale_splits(data), root_key(config.seed)
        self.mode = pipeline.resolve_mode(config.data.pipeline)
        self.evaluator = Evaluator(
            self.arrays, data.seen_classes, data.unseen_classes, config.eval.batch_size, self.mode != "stream"
        )
        features, labels = self.arrays.train_features, self.arrays.train_labels
        self.real_rows = features, labels  # `constants` puts them on the device, unless streaming
        self.account = Account(config, data, model, self.arrays, self.evaluator, self.root, folder, display, plan, trials)
        self.compiled = Loop(
            model.objective, model.optimization, config.train.n_critic, config.train.batch_size, config.guards.loss_limit, sharding
        )
        self.per_epoch = model.optimization.steps_per_epoch
        every, epochs = config.eval.every_epochs, config.train.epochs
        self.stops = [epoch * self.per_epoch for epoch in (*range(every, epochs, every), epochs)]
        self.abstract_state = jax.eval_shape(lambda: self.init(self.frozen()))
        self.teacher: Params = {}
        self.teacher_report: dict[str, float] | None = None

    @property
    def bytes_of_checkpoint(self) -> int:
        """Size of a checkpoint on disk, if nothing compresses."""
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self.abstract_state))

    def to_the_end(self) -> dict[str, Any]:
        """Teacher (where D3 is on), loop, results."""
        try:
            if self.model.objective.distillation.active:
                self.pretrain()
            constants = self.constants()
            state, steps = self.loop(constants)
            # What there is goes to disk before the final classifier is fitted, which can fail, or run out of memory.
            results = self.save(steps)
            if self.account.finish(state, steps, self.real_rows):
                results = self.save(steps)
        except DivergenceError as error:
            newest = self.checkpoints.newest()
            good = f"the last good checkpoint is {newest}" if newest else "there is no checkpoint yet"
            raise DivergenceError(f"{error}; {good}") from None
        if together.is_first():
            ending.leave(self, state)
        if not self.trials:
            summarize(results, self.folder.path, self.display)
        return results

    def close(self) -> None:
        """Waits for what is being written."""
        self.checkpoints.close()
        self.account.close()

    def pretrain(self, only_read: bool = False) -> None:
        """The teacher: read where an earlier start left it, else (unless it is `only_read`) fitted and left in the folder."""
        path = self.folder.path / "teacher"
        if together.told_by_first(path.is_dir() or only_read):
            found, self.teacher_report = together.agreed(lambda: load_once(path) if together.is_first() else (None, None))
            self.teacher = self.teacher_of_first(found)
            return
        settings_ = self.config.teacher
        self.display.start("teacher", settings_.epochs)
        self.teacher = pretrain(
            self.model.teacher, self.model.teacher_training, stream(self.root, "teacher"), self.arrays.train_features,
            self.seen_index(), settings_.epochs, settings_.batch_size, self.mode != "stream", self.teacher_epoch_done,
        )
        self.teacher = self.teacher_of_first(self.teacher)
        self.display.stop()
        report = self.teacher_report = self.evaluator.teacher(self.model.teacher, self.teacher, settings_.threshold)
        self.display.say(
            f"teacher: seen accuracy {100 * report['seen_accuracy']:.1f}, seen against unseen rows AUROC "
            f"{report['auroc']:.3f}, FPR@95 {report['fpr_at_95']:.3f}"
        )
        together.agreed(lambda: save_once(path, self.teacher, report) if together.is_first() else None)

    def teacher_of_first(self, teacher: Params | None) -> Params:
        """The first process's teacher in all of them: each fitted its own, on devices whose sums may differ in the last digit."""
        shapes = jax.eval_shape(lambda: self.model.teacher.init(self.root, self.data.feature_size))
        return together.arrays_of_first(teacher, shapes)

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
            features = jax.device_put(self.arrays.train_features)
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

    def init(self, frozen: Params) -> TrainState:
        """Initial parameters and optimiser states, with the frozen parameters."""
        params = self.model.objective.init(stream(self.root, "init"))
        return TrainState(step=jnp.int32(0), params=params | frozen, opt_state=self.model.optimization.init(params))

    def begin(self, empty: Report) -> tuple[TrainState, Report, int]:
        """State, report and outer step to go on from: the newest checkpoint's, or fresh ones; those of the first process."""
        shapes = {"state": self.abstract_state, "report": jax.eval_shape(lambda: empty)}
        found = self.checkpoints.restore_newest(shapes)
        training, goes_on = found and found[1], together.told_by_first(found and [found[0], found[2]])
        if goes_on:
            step, history = goes_on
            self.account.recall(history)
            self.display.say(f"going on from outer step {step} (epoch {step / self.per_epoch:g}) of {self.folder.path}")
        else:
            frozen, step = self.frozen(), 0
            check_finite(frozen, "fitting the frozen part of the base method", f"see its options, config.{self.config.framework}")
            training = {"state": jax.jit(self.init)(frozen), "report": empty}
        training = self.sharding.replicate(together.arrays_of_first(training, shapes))
        return training["state"], training["report"], step

    def loop(self, constants: Constants) -> tuple[TrainState, int]:
        """Trains to the last epoch, or to a signal, evaluating and saving on the way; returns the state and the outer steps."""
        train, last = self.config.train, self.stops[-1]
        row_bytes = 4 * self.data.feature_size * train.n_critic * train.batch_size
        longest = min(train.steps_per_call, max(_STREAM_BYTES // row_bytes, 1)) if self.mode == "stream" else train.steps_per_call
        empty = self.compiled.empty_report(self.abstract_state, constants, self.example_inputs())
        state, report, step = self.begin(empty)
        first = step
        self.account.begin(step, lambda line: line.get("kind") == "epoch" and line["step"] < first and line["step"] in self.stops)
        calls = pipeline.plan_calls(step, self.stops, longest)
        self.display.start("training", last)
        self.display.advance(step)
        evaluated, length = -1, 1
        if step in self.stops:
            evaluated = self.evaluate(state, report, step)
        length = self.stop.settle(length)
        for call, inputs in zip(calls, self.feed(calls) if calls else (), strict=False):
            end = call.first + call.count
            while step < end and not self.stop.asked:
                if evaluated == step:
                    report = self.sharding.replicate(empty)
                    self.account.turn()
                count = min(length, end - step)
                sent = time.monotonic()
                state, report = self.compiled.run(state, report, constants, inputs, step - call.first, count)
                report.check(self.config.guards.loss_limit)
                took = time.monotonic() - sent
                step += count
                self.display.advance(count)
                if took < _CALL_SECONDS[0]:
                    length = min(2 * length, train.steps_per_call)
                elif took > _CALL_SECONDS[1]:
                    length = max(length // 2, 1)
                length = self.stop.settle(length)
                if step not in self.stops and self.checkpoints.due():
                    self.checkpoint(state, report, step)
            if self.stop.asked:
                break
            if step in self.stops:
                evaluated = self.evaluate(state, report, step)
        if step == 0:
            self.leave_if_asked()
        if self.stop.terminated:
            saved = self.checkpoint(state, report, step, wait=True)
            raise Terminated(
                f"SIGTERM: stopped after outer step {step}; "
                + (f"saved {self.checkpoints.newest()}; the same command goes on from there" if saved else "it could not be saved")
            )
        if step < last:
            self.checkpoint(state, report, step, wait=True)
            if evaluated != step:
                self.evaluate(state, report, step, whole=step in self.stops)
        return self.sharding.local(state), step

    def example_inputs(self) -> Any:
        """Shapes of what a call of the loop is given."""
        train = self.config.train
        rows = jax.ShapeDtypeStruct((1, train.n_critic, train.batch_size), jnp.int32)
        features = jax.ShapeDtypeStruct((*rows.shape, self.data.feature_size), jnp.float32)
        return {"device": None, "index": rows, "stream": (features, rows)}[self.mode]

    def feed(self, calls: list[pipeline.Call]) -> Iterator[Any]:
        """What each call of the loop is given."""
        if self.mode == "device":
            return iter([None] * len(calls))
        train = self.config.train
        features = self.arrays.train_features if self.mode == "stream" else None
        items = pipeline.host_batches(
            self.config.seed, calls, train.n_critic, train.batch_size, features, self.arrays.train_labels,
            self.sharding.part(train.batch_size),
        )
        return pipeline.prefetch_to_device(items, put=lambda item: self.sharding.place_rows(item, axis=2))

    def checkpoint(
        self, state: TrainState, report: Report, step: int, metrics: dict[str, float] | None = None, wait: bool = False
    ) -> bool:
        """Saves what the steps so far made; whether nothing failed."""
        state, report = self.sharding.local((state, report))
        check_finite(state.params, f"training stopped after outer step {step - 1}")
        return self.checkpoints.save(step, {"state": state, "report": report}, self.account.history(), metrics, wait)

    def evaluate(self, state: TrainState, report: Report, step: int, whole: bool = True) -> int:
        """Evaluates, and saves a checkpoint if one is due; returns `step`. `whole`: after an epoch that is to be evaluated."""

        def save(metrics: dict[str, float] | None) -> None:
            better = metrics is not None and self.checkpoints.better(metrics)
            if whole and (step == self.stops[-1] or better or self.checkpoints.due()):
                self.checkpoint(state, report, step, metrics)

        self.account.evaluate(*self.sharding.local((state, report)), step, whole, self.real_rows, save)
        return step

    def save(self, steps: int) -> dict[str, Any]:
        """Writes results.json, and returns what it holds."""
        return self.account.save(steps, steps < self.stops[-1], self.teacher_report, pipeline=self.mode)
