"""What a run tells of itself: evaluations, lines of metrics.jsonl, warnings, results.json; and what it must remember of them."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from d3gzsl_jax.evaluation import advice, class_scores, details
from d3gzsl_jax.evaluation.evaluate import Evaluation
from d3gzsl_jax.evaluation.monitoring import TrainingMonitor
from d3gzsl_jax.evaluation.predictors import Predictors, RealRows
from d3gzsl_jax.evaluation.selection import by_calibration
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.finite_check import check_finite
from d3gzsl_jax.frameworks.structures import Params, TrainState
from d3gzsl_jax.runs.display import METRICS, Display, percent
from d3gzsl_jax.runs.fold_evaluations import classifier_snapshots, write_trials
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.log import Copy, Log, TensorBoardEvents
from d3gzsl_jax.runs.results import assemble, method
from d3gzsl_jax.runs.settings import RunSettings
from d3gzsl_jax.runs.setup import Setup
from d3gzsl_jax.runs.validation_plan import Plan
from d3gzsl_jax.runs.wandb_run import WandbRun
from d3gzsl_jax.system import processes
from d3gzsl_jax.training.tally import Tally

_AGAINST_COLLAPSE = (
    "train longer or with a smaller config.train.learning_rate, with more pictures or classes, or predict by a baseline "
    "(config.eval.baselines)"
)


class Journal:
    """The journal of a run.

    Args:
        settings: of the run.
        setup: its data, networks and evaluator.
        root: its key.
        folder, display: where it is told.
        final_classifier: what is fitted; None for none.
        plan: what validation chose; None where it was not asked.
        is_fold: whether this is a fold of a validation, whose evaluations are left for it to choose from.
    """

    def __init__(
        self, settings: RunSettings, setup: Setup, root: jax.Array, folder: RunFolder, display: Display,
        final_classifier: FinalClassifier | None, plan: Plan | None = None, is_fold: bool = False,
    ) -> None:
        model, arrays, self.choices = setup.model, setup.arrays, plan.choices if plan else {}
        self._settings, self._data, self._model, self._folder, self._display = settings, setup.data, model, folder, display
        self._is_fold = is_fold
        self.predictors = Predictors(
            setup.evaluator, model.objective, settings.has_student, final_classifier, settings.fits_every,
            root, model.classes, classifier_snapshots(settings.classifier_epochs) if is_fold else (), plan.gammas if plan else {},
            settings.has_ensemble,
        )
        self._monitor = TrainingMonitor(
            model.objective.framework, model.optimization, model.classes, root, arrays.train_features, arrays.train_labels
        )
        self._per_epoch = model.optimization.steps_per_epoch
        self._warnings: list[str] = []
        self._of_data: list[str] = []
        self._details: dict[str, Any] = {}
        self._plan, self._advice, self._baselines = plan, list(plan.advice) if plan else [], dict[str, Any]()
        self._evaluator, self._arrays, self._root = setup.evaluator, arrays, root
        self._profile = {} if is_fold else setup.profile.content()
        self._seconds, self._clock, self._logged = 0.0, time.monotonic(), 0
        self._log: Log | None = None  # from `begin` on
        self.past: dict[str, Any] = {}
        """The history as of the steps before the newest evaluation; `turn` moves it on."""
        self.turn()

    def turn(self) -> None:
        """More outer steps are about to be done: what was evaluated so far is the past now."""
        self.past = {"best": dict(self.predictors.best), "warnings": list(self._warnings)}

    def recall(self, history: dict[str, Any]) -> None:
        """Goes on from a history that a checkpoint held."""
        self.predictors.best = {name: tuple(best) for name, best in history["best"].items()}
        self._warnings, self._seconds = list(history["warnings"]), history["seconds"]
        self.turn()

    def history(self) -> dict[str, Any]:
        """`past`, with the seconds spent over all starts."""
        return self.past | {"seconds": self._seconds + time.monotonic() - self._clock}

    def begin(self, step: int, keep: Callable[[dict[str, Any]], bool], of_data: list[str]) -> None:
        """Opens the log at outer step `step`; lines of earlier starts stay if `keep` says so. Says the warnings `of_data`."""
        copies = processes.agreed(lambda: list(self._copies(step)) if processes.is_first() else [])
        self._log = Log(self._folder, copies, keep)
        self._clock, self._logged = time.monotonic(), step
        self._of_data = of_data
        for warning in of_data:
            self._display.say(f"warning: {warning}")

    def _copies(self, step: int) -> Iterator[Copy]:
        """Where the numbers of the log go besides, from outer step `step` on."""
        of = self._settings
        if of.tensorboard:
            yield TensorBoardEvents(self._folder.path, step)
        if of.wandb:
            title = f"{method(of.recorded)} on {self._data.name}, seed {of.seed}"
            yield WandbRun(self._folder, self._data.name, title, of.recorded, self._display.say)

    def close(self) -> None:
        """Ends the log."""
        if self._log:
            self._log.close()

    def evaluate(
        self, state: TrainState, tally: Tally, step: int, whole: bool, rows: RealRows,
        save: Callable[[dict[str, float] | None], None],
    ) -> None:
        """Evaluates what there is to predict with, and tells it.

        Args:
            state, tally, step: as the steps so far left them.
            whole: whether an epoch is complete that is to be evaluated.
            rows: real seen rows.
            save: called with the metrics of what the run predicts with (None if that is fitted later), before anything is told.
        """
        check_finite(state.params, f"training stopped after outer step {step - 1}")
        epoch = step // self._per_epoch
        found = self.predictors.evaluate(state, step, epoch, whole, rows)
        if self._is_fold and whole and processes.is_first():
            write_trials(self._folder.path, epoch, self.predictors)
        headline = found.get(self._settings.prediction)
        save({f"test_{name}": value for name, value in headline.metrics.items()} if headline else None)
        diversity = self._monitor.diversity(state.params)
        if whole and (worst := self._collapsed(diversity)) and not self._warnings:
            self._warnings.append(f"epoch {epoch}: {worst}")
            self._display.say(f"warning: {self._warnings[-1]}")
        numbers = {"losses": tally.means()} | self._monitor.measure(state, tally.norms, diversity)
        self._tell("epoch" if whole else "interrupted", step, found, numbers)

    def finish(self, state: TrainState, steps: int, rows: RealRows) -> None:
        """Evaluates at the end what is due only then: a final classifier that is fitted once."""
        if not self.predictors.fits_at_end:
            return
        with self._display.doing("fitting the final classifier"):
            found = self.predictors.finish(state, steps, steps // self._per_epoch, rows)
        self._tell("final", steps, found, {})

    def explain(self, state: TrainState, teacher: Params) -> None:
        """Measures, at the end, what explains the results (`details` of results.json), the baselines beside the run, and what
        follows from them; of a fold, how good its generator is. `teacher`: {} without."""
        model = self._model
        generator = details.of_generator(model.objective.framework, state.params, self._arrays, model.classes, self._root)
        if self._is_fold:
            self._details = {"generator": generator}
            return
        of_teacher = details.Predictor(model.teacher.logits, (teacher,)) if teacher else None
        found = details.of_predictors(self._evaluator, self._arrays, model.classes, self.predictors.fitted(state), of_teacher)
        self._details = found | {"generator": generator}
        self._say_what_follows(generator)

    def _say_what_follows(self, generator: Mapping[str, float]) -> None:
        labels = self._arrays.test_unseen_labels
        measured = details.measured_classes(self._data.unseen_classes, labels)
        rows, nearest = int(np.isin(labels, measured).sum()), generator.get("nearest_real_class")
        self._advice = advice.of_generator(nearest, len(measured), rows, "unseen classes")
        if (plan := self._plan) is None:
            return
        for name, of in plan.baselines.items():
            params = of.calibrated(self._data.seen_classes) if self._settings.calibrates else of.params
            evaluated = self._evaluator.predictor(of.scores.logits)(params)
            figures = by_calibration(evaluated, of.gamma, self._settings.calibrates)
            self._baselines[name] = class_scores.entry(of, evaluated, figures, self._data.class_names)
        own = self.predictors.last[self._settings.prediction].metrics
        predicts = plan.model_predicts if plan.model_predicts in self._baselines else ""
        self._advice = [*plan.advice, *self._advice, *advice.of_test_rows(own, self._baselines, predicts)]

    def _collapsed(self, diversity: np.ndarray) -> str | None:
        """What to say of a generator that makes the same row over and over for a class."""
        bound = self._settings.diversity
        if not len(diversity) or diversity.min() >= bound:
            return None
        worst = int(self._monitor.classes[diversity.argmin()])
        return (
            f"the generator may have collapsed: for {int((diversity < bound).sum())} of {len(diversity)} unseen classes looked at, "
            f"synthesized rows vary less than {bound:g} of what real rows of a class do (least for "
            f"{self._data.class_text(worst)}: {diversity.min():.2g}); {_AGAINST_COLLAPSE}"
        )

    def _tell(self, kind: str, step: int, found: dict[str, Evaluation], numbers: dict[str, Any]) -> None:
        """A line of metrics.jsonl, and one on the screen for each predictor."""
        epoch, now = step // self._per_epoch, time.monotonic()
        metrics = {name: evaluation.metrics for name, evaluation in found.items()}
        seconds = max(now - self._clock, 1e-9)
        clock = {"seconds": self._seconds + seconds}
        if step > self._logged:
            clock["steps_per_second"] = (step - self._logged) / seconds
        self._seconds, self._clock, self._logged = clock["seconds"], now, step
        line = {"kind": kind, "epoch": epoch, "step": step, "metrics": metrics.get(self._settings.prediction)}
        if self._log:
            self._log.write(line | {"predictions": metrics, "losses": {}} | numbers | {"clock": clock})
        for name, values in metrics.items():
            percents = "  ".join(f"{heading} {percent(values[key])}" for heading, key in METRICS.items())
            self._display.say(f"epoch {epoch}/{self._settings.epochs}  {name:10}  {percents}  ({self._display.timing()})")

    def save(self, steps: int, interrupted: bool, teacher: dict[str, float] | None, **further: Any) -> dict[str, Any]:
        """Writes results.json, once what predicts has been evaluated; returns what it holds. `further`: more entries."""
        results = assemble(
            self._settings.recorded, self._data,
            self.predictors.results(self._data.class_names, self.choices, self._settings.selection),
            self._model.objective.distillation.active, teacher, steps // self._per_epoch, steps, interrupted=interrupted,
            warnings=[*self._of_data, *self._warnings], prediction=self._settings.prediction,
            seconds=round(self._seconds, 2), details=self._details, feature_profile=self._profile, **further,
            **({"advice": self._advice} if self._advice else {}), **({"baselines": self._baselines} if self._baselines else {}),
            **(self._plan.told() if self._plan else {}),
        )
        if self._settings.prediction in results["predictions"]:
            self._folder.write("results.json", results)
            if self._log:
                self._log.conclude(results)
        return results
