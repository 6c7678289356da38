"""One run, top to bottom: data, teacher, adversarial loop, evaluation, results."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax import model as model_module
from d3gzsl_jax import settings
from d3gzsl_jax.data import pipeline
from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.data.loading import load
from d3gzsl_jax.data.preprocess import SplitArrays, scale_splits
from d3gzsl_jax.evaluation.evaluate import Evaluation, Evaluator
from d3gzsl_jax.evaluation.predictors import Predictors
from d3gzsl_jax.model import Model
from d3gzsl_jax.runs.console import METRICS, Display
from d3gzsl_jax.runs.folder import RunFolder, environment
from d3gzsl_jax.training.loop import Constants, Loop, check_finite
from d3gzsl_jax.training.randomness import root_key, stream
from d3gzsl_jax.training.structures import Batch, Params, TeacherOutputs, TrainState
from d3gzsl_jax.training.teacher import pretrain

# A call of the compiled loop is made longer while it takes less than the first and shorter when more than the second (seconds):
# long enough that dispatch costs nothing, short enough that progress moves and ctrl-C is heard. The bits do not depend on it.
_CALL_SECONDS = (0.5, 2.0)
# Streamed features of one call of the loop; a few calls are under way at a time.
_STREAM_BYTES = 64 * 2**20


def train(config: ConfigDict, workdir: str = "", display: Display | None = None) -> dict[str, Any]:
    """Trains and evaluates as `config` says and writes the run folder.

    Args:
        config: see configs/default.py.
        workdir: the run folder; '' for a new one under runs/.
        display: where progress goes.

    Returns:
        What results.json holds. Its 'interrupted' is true if ctrl-C ended training early.

    Raises:
        UserError: bad configuration, data or folder. NonFiniteError: training broke down.
    """
    settings.check(config)
    return train_on(load(config.dataset, config.data), config, workdir, display)


def train_on(data: GZSLData, config: ConfigDict, workdir: str = "", display: Display | None = None) -> dict[str, Any]:
    """`train` on data that is already at hand, validated; config.data says nothing but the pipeline."""
    settings.check(config)
    display = display or Display()
    model = model_module.build(config, data)
    folder = RunFolder(workdir, data.name)
    folder.write("config.json", config.to_dict())
    display.say(
        f"{method(config)} on {data.name}: {len(data.trainval)} training rows of {data.feature_size} features, "
        f"{len(data.seen_classes)} seen and {len(data.unseen_classes)} unseen classes, {data.semantic_size} semantic dimensions; "
        f"{jax.devices()[0].device_kind}"
    )
    arrays = scale_splits(data)
    mode = pipeline.resolve_mode(config.data.pipeline)
    evaluator = Evaluator(arrays, data.seen_classes, data.unseen_classes, config.eval.batch_size, mode != "stream")
    run = _Run(config, data, model, arrays, mode, evaluator, folder, display)
    try:
        with _first_interrupt_asks(run):
            return run.to_the_end()
    finally:
        display.stop()


def method(config: ConfigDict) -> str:
    """What a run is of, for people: the base method, and D3 where it is on."""
    return f"{config.framework} {'+' if settings.has_distillation(config) else 'without'} D3"


class _Run:
    """The state of `train` between its phases."""

    def __init__(
        self, config: ConfigDict, data: GZSLData, model: Model, arrays: SplitArrays, mode: str, evaluator: Evaluator,
        folder: RunFolder, display: Display,
    ) -> None:
        self.config, self.data, self.model, self.arrays, self.mode = config, data, model, arrays, mode
        self.evaluator, self.folder, self.display = evaluator, folder, display
        self.root = root_key(config.seed)
        self.interrupted = False
        self.began, self.seconds = 0.0, 0.0
        self.real_rows = arrays.train_features, arrays.train_labels  # `constants` puts them on the device, unless streaming
        self.predictors = Predictors(
            evaluator, model.objective, settings.has_student(config), model.final_classifier, config.classifier.fit == "every",
            self.root, model.classes,
        )

    def to_the_end(self) -> dict[str, Any]:
        """Teacher (where D3 is on), loop, results."""
        teacher, report = {}, None
        if self.model.objective.distillation.active:
            teacher = self.fit_teacher()
            report = self.evaluator.teacher(self.model.teacher, teacher, self.config.teacher.threshold)
            self.display.say(
                f"teacher: seen accuracy {100 * report['seen_accuracy']:.1f}, seen against unseen rows AUROC "
                f"{report['auroc']:.3f}, FPR@95 {report['fpr_at_95']:.3f}"
            )
        constants = self.constants(teacher)
        state, steps = self.loop(self.fresh_state(), constants)
        # What there is goes to disk before the final classifier is fitted, which can fail, or run out of memory.
        results = self.save(steps, report)
        epoch = results["epochs"]
        if found := self.predictors.finish(state, steps, epoch, self.real_rows):
            self.seconds = time.monotonic() - self.began
            self.show(epoch, steps, found, {})
            results = self.save(steps, report)
        self.summarize(results)
        return results

    def fit_teacher(self) -> Params:
        """Pretrains the teacher."""
        settings_ = self.config.teacher
        self.display.start("teacher", settings_.epochs)
        teacher = pretrain(
            self.model.teacher, self.model.teacher_training, stream(self.root, "teacher"), self.arrays.train_features,
            self.seen_index(), settings_.epochs, settings_.batch_size, self.mode != "stream", self.teacher_epoch_done,
        )
        self.display.stop()
        return teacher

    def seen_index(self) -> np.ndarray:
        """Positions of the training rows' classes among the seen ones, (N,) int32."""
        return np.searchsorted(self.data.seen_classes, self.arrays.train_labels).astype(np.int32)

    def teacher_epoch_done(self) -> None:
        """Progress; and ctrl-C stops here at once, since there is no result to save yet."""
        self.display.advance(1)
        if self.interrupted:
            raise KeyboardInterrupt

    def constants(self, teacher: Params) -> Constants:
        """Root key, teacher, classes and, unless streaming, all training rows with their teacher outputs, on the device, where
        `real_rows` are from here on."""
        rows = merged = None
        if self.mode != "stream":
            features = jax.device_put(self.arrays.train_features)
            if teacher:
                outputs = jax.jit(self.model.teacher.outputs)
                size = self.config.eval.batch_size
                parts: list[TeacherOutputs] = [outputs(teacher, features[i : i + size]) for i in range(0, len(features), size)]
                merged = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
            rows = Batch(features=features, labels=jnp.asarray(self.arrays.train_labels), teacher=merged)
            self.real_rows = rows.features, rows.labels
        return Constants(root=self.root, teacher=teacher, classes=self.model.classes, rows=rows)

    def fresh_state(self) -> TrainState:
        """Initial parameters, those the base method fits beforehand, and optimiser states."""
        objective = self.model.objective
        frozen = objective.framework.pretrain(stream(self.root, "pretrain"), self.real_rows[0], self.seen_index())
        check_finite(frozen, "fitting the frozen part of the base method", f"see its options, config.{self.config.framework}")

        def init(key: jax.Array) -> TrainState:
            params = objective.init(key)
            return TrainState(step=jnp.int32(0), params=params, opt_state=self.model.optimization.init(params))

        state = jax.jit(init)(stream(self.root, "init"))
        return state.replace(params=state.params | frozen)

    def loop(self, state: TrainState, constants: Constants) -> tuple[TrainState, int]:
        """Trains to the last epoch, or to ctrl-C, evaluating on the way; returns the state and the outer steps done."""
        train = self.config.train
        per_epoch = self.model.optimization.steps_per_epoch
        every = self.config.eval.every_epochs
        stops = [epoch * per_epoch for epoch in (*range(every, train.epochs, every), train.epochs)]
        evaluated = set(stops)
        row_bytes = 4 * self.data.feature_size * train.n_critic * train.batch_size
        longest = min(train.steps_per_call, max(_STREAM_BYTES // row_bytes, 1)) if self.mode == "stream" else train.steps_per_call
        calls = pipeline.plan_calls(0, stops, longest)
        loop = Loop(self.model.objective, self.model.optimization, train.n_critic, train.batch_size)
        feed = self.feed(calls)
        self.display.start("training", calls[-1].first + calls[-1].count)
        self.began, step, length = time.monotonic(), 0, 1
        report = None
        for call, inputs in zip(calls, feed, strict=False):
            end = call.first + call.count
            while step < end and not self.interrupted:
                if report is None:
                    report = loop.empty_report(state, constants, inputs)
                count = min(length, end - step)
                sent = time.monotonic()
                state, report = loop.run(state, report, constants, inputs, step - call.first, count)
                report.check()
                took = time.monotonic() - sent
                step += count
                self.display.advance(count)
                if took < _CALL_SECONDS[0]:
                    length = min(2 * length, train.steps_per_call)
                elif took > _CALL_SECONDS[1]:
                    length = max(length // 2, 1)
            if self.interrupted and step == 0:
                raise KeyboardInterrupt  # nothing was trained: there is no result
            if report is not None and (step in evaluated or self.interrupted):
                self.evaluate(state, step, report.means(), step in evaluated)
                self.seconds = time.monotonic() - self.began
                report = None
            if self.interrupted:
                break
        return state, step

    def feed(self, calls: list[pipeline.Call]) -> Iterator[Any]:
        """What each call of the loop is given."""
        if self.mode == "device":
            return iter([None] * len(calls))
        train = self.config.train
        features = self.arrays.train_features if self.mode == "stream" else None
        items = pipeline.host_batches(
            self.config.seed, calls, train.n_critic, train.batch_size, features, self.arrays.train_labels
        )
        return pipeline.prefetch_to_device(items)

    def evaluate(self, state: TrainState, step: int, losses: dict[str, Any], whole: bool) -> None:
        """Evaluates what there is to predict with and logs it; `whole`: after a whole epoch."""
        check_finite(state.params, f"training stopped after outer step {step - 1}")
        epoch = step // self.model.optimization.steps_per_epoch
        self.show(epoch, step, self.predictors.evaluate(state, step, epoch, whole, self.real_rows), losses)

    def show(self, epoch: int, step: int, found: dict[str, Evaluation], losses: dict[str, Any]) -> None:
        """A line of metrics.jsonl, and one on the screen for each predictor."""
        metrics = {name: evaluation.metrics for name, evaluation in found.items()}
        headline = metrics.get(self.config.eval.prediction)
        line = {"epoch": epoch, "step": step, "metrics": headline, "predictions": metrics, "losses": losses}
        self.folder.append("metrics.jsonl", line)
        for name, values in metrics.items():
            percents = "  ".join(f"{heading} {100 * values[key]:.1f}" for heading, key in METRICS.items())
            self.display.say(f"epoch {epoch}/{self.config.train.epochs}  {name:10}  {percents}  ({self.display.timing()})")

    def save(self, steps: int, teacher: dict[str, float] | None) -> dict[str, Any]:
        """Writes results.json, once what predicts has been evaluated; returns what it holds."""
        provenance = dict(self.data.provenance) | environment()
        predictions = self.predictors.results(self.data.class_names)
        results = {
            "dataset": self.data.name,
            "framework": self.config.framework,
            "distillation": self.model.objective.distillation.active,
            "features": provenance["feature_file"],
            "semantics": provenance["semantics"],
            "seed": self.config.seed,
            "epochs": steps // self.model.optimization.steps_per_epoch,
            "selection": "last",
            "prediction": self.config.eval.prediction,
            **predictions.get(self.config.eval.prediction, {}),
            "predictions": predictions,
            "teacher": teacher,
            "steps": steps,
            "interrupted": self.interrupted,
            "pipeline": self.mode,
            "seconds": round(self.seconds, 2),
            "provenance": provenance,
            "config": self.config.to_dict(),
        }
        if self.config.eval.prediction in predictions:
            self.folder.write("results.json", results)
        return results

    def summarize(self, results: dict[str, Any]) -> None:
        """Prints the table."""
        self.display.stop()
        ended = f"last ({results['epochs']}{', interrupted' if self.interrupted else ''})"
        rows = []
        for name, found in results["predictions"].items():
            rows.append((name, ended, found["metrics"]))
            if selected := found["test_selected"]:
                rows.append(("", f"test-selected ({selected['epochs']})", selected["metrics"]))
        self.display.results(f"{method(self.config)} on {self.data.name}, seed {self.config.seed}, percent", rows)
        self.display.say(
            f"The result is the {results['prediction']}'s last epoch (config.eval.prediction). A test-selected row picks its epoch "
            "on the test set, as published code does: it is no result."
        )
        interrupted = "interrupted; " if self.interrupted else ""
        self.display.say(f"{interrupted}{self.seconds:.0f} s of training and evaluation; wrote {self.folder.path / 'results.json'}")


@contextmanager
def _first_interrupt_asks(run: _Run) -> Iterator[None]:
    """The first ctrl-C lets the call under way end and the run finish with what there is; the second stops at once."""

    def handler(number: int, frame: Any) -> None:
        if run.interrupted:
            raise KeyboardInterrupt
        run.interrupted = True
        run.display.say("interrupted: finishing with what there is (again to stop at once)")

    try:
        previous = signal.signal(signal.SIGINT, handler)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
