"""What a run predicts with, D3's student, the final classifier, and both: evaluated as training goes on, kept for the results."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.evaluation.calibration import calibrated_logits, offset
from d3gzsl_jax.evaluation.curves import Best
from d3gzsl_jax.evaluation.details import Predictor
from d3gzsl_jax.evaluation.ensemble import Ensemble
from d3gzsl_jax.evaluation.evaluate import Evaluation, Evaluator
from d3gzsl_jax.evaluation.selection import Choice, by_calibration
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.finite_check import blamed_input, check_finite
from d3gzsl_jax.frameworks.structures import Classes, Params, TrainState
from d3gzsl_jax.keys import stream

RealRows = tuple[Any, Any]  # features (N, dx) and original ids (N,), on the device or not


class Predictors:
    """Evaluates the student, where there is one, and the final classifier, where one is fitted.

    Args:
        evaluator: of the test rows.
        objective: with the student.
        has_student: whether D3 teaches it its classes.
        classifier: the final classifier, None for none.
        every: fit the classifier at every evaluation, not only at the end.
        root: key of the run.
        classes: all classes.
        after: the final classifier is also evaluated after each of these numbers of its epochs, ascending (see `trials`).
        gammas: by predictor, what is taken off its seen logits; {} where they predict as they are.
        has_ensemble: whether both together are a predictor too.
    """

    def __init__(
        self, evaluator: Evaluator, objective: Objective, has_student: bool, classifier: FinalClassifier | None, every: bool,
        root: jax.Array, classes: Classes, after: tuple[int, ...] = (), gammas: Mapping[str, float] | None = None,
        has_ensemble: bool = False,
    ) -> None:
        self.last: dict[str, Evaluation] = {}  # by predictor, its newest evaluation
        self.best: dict[str, tuple[int, dict[str, float]]] = {}  # by predictor, epoch and metrics with the highest test H
        self.classifier: Params | None = None  # the final classifier fitted last
        self._evaluator, self._objective, self._final = evaluator, objective, classifier
        self._gammas, seen, count = dict(gammas or {}), np.asarray(classes.seen), len(classes.semantics)
        self._offsets = {name: (offset(gamma, seen, count),) for name, gamma in self._gammas.items()}
        self._student_logits = self._at_gamma("student", objective.student_logits) if has_student else None
        self._student = evaluator.predictor(self._student_logits) if self._student_logits else None
        self._every, self._key, self._classes = every, stream(root, "classifier"), classes
        self._after = tuple(sorted({*after, classifier.softmax.epochs})) if classifier else ()
        self.trials: dict[tuple[str, int], Evaluation] = {}
        """Of the newest evaluation: by predictor and number of the final classifier's epochs (0 for the student)."""
        self._classifier_logits = self._at_gamma("classifier", classifier.logits) if classifier else None
        zsl = self._unshifted("classifier", classifier.zsl_logits) if classifier and classifier.zsl == "own" else None
        self._classifier = evaluator.predictor(self._classifier_logits, zsl) if self._classifier_logits else None
        both = Ensemble(objective, classifier) if has_ensemble and classifier else None
        self._ensemble_logits = self._at_gamma("ensemble", both.logits) if both else None
        self._ensemble = evaluator.predictor(self._ensemble_logits) if self._ensemble_logits else None

    def _at_gamma(self, name: str, logits: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        """The logits a predictor predicts by: with its `_offsets` as a further parameter, where it has a gamma."""
        return calibrated_logits(logits).logits if name in self._gammas else logits

    def _unshifted(self, name: str, logits: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        """Logits of the unseen classes alone, as a function of the same parameters."""
        return calibrated_logits(logits).as_they_are if name in self._gammas else logits

    def _params(self, name: str, *params: Params) -> tuple[Any, ...]:
        return *params, *self._offsets.get(name, ())

    def evaluate(self, state: TrainState, step: int, epoch: int, whole: bool, rows: RealRows) -> dict[str, Evaluation]:
        """Evaluates at outer step `step` what is due during training.

        Args:
            whole: whether the epoch is complete; only then can it become the one with the highest test H.
            rows: real seen rows, for the final classifier.

        Raises:
            DivergenceError: the classifier broke down.
        """
        found = {}
        self.trials = {}
        if self._student:
            found["student"] = self.trials["student", 0] = self._student(*self._params("student", state.params))
        if self._final and self._every:
            found |= self._evaluate_classifier(state, step, epoch, rows)
        for name, evaluation in found.items():
            best = self.best[name][1]["harmonic"] if name in self.best else -1.0
            if whole and evaluation.metrics["harmonic"] > best:
                self.best[name] = (epoch, evaluation.metrics)
        self.last = found
        return found

    @property
    def fits_at_end(self) -> bool:
        """Whether the final classifier is fitted once, at the end."""
        return self._final is not None and not self._every

    def finish(self, state: TrainState, step: int, epoch: int, rows: RealRows) -> dict[str, Evaluation]:
        """Evaluates at the end what is due only then; arguments as in `evaluate`."""
        if not self.fits_at_end:
            return {}
        found = self._evaluate_classifier(state, step, epoch, rows)
        self.last = self.last | found
        return found

    def _evaluate_classifier(self, state: TrainState, step: int, epoch: int, rows: RealRows) -> dict[str, Evaluation]:
        """The final classifier, fitted, and what predicts with it."""
        assert self._final is not None and self._classifier is not None
        fitted = self._final.fits(state.params, jax.random.fold_in(self._key, step), self._classes, *rows, self._after)
        self.classifier = fitted[-1]
        advice = "lower config.classifier.learning_rate"
        try:
            check_finite({"classifier": self.classifier}, where := f"final classifier of epoch {epoch}", advice)
        except DivergenceError:
            check_finite(state.params, where)  # what synthesizes its rows
            check_finite({"classifier": self.classifier}, where, blamed_input(rows[0], advice))
        for epochs, classifier in zip(self._after, fitted, strict=True):
            self.trials["classifier", epochs] = self._classifier(*self._params("classifier", state.params, classifier))
            if self._ensemble:
                self.trials["ensemble", epochs] = self._ensemble(*self._params("ensemble", state.params, classifier))
        last = self._after[-1]
        return {name: self.trials[name, last] for name in ("classifier", "ensemble") if (name, last) in self.trials}

    def fitted(self, state: TrainState) -> dict[str, Predictor]:
        """What predicts now, by name."""
        found = {}
        if self._student_logits:
            found["student"] = Predictor(self._student_logits, self._params("student", state.params))
        if self._classifier_logits and self.classifier:
            found["classifier"] = Predictor(self._classifier_logits, self._params("classifier", state.params, self.classifier))
        if self._ensemble_logits and self.classifier:
            found["ensemble"] = Predictor(self._ensemble_logits, self._params("ensemble", state.params, self.classifier))
        return found

    def best_classes(self, state: TrainState) -> dict[str, tuple[Best, Best]]:
        """By predictor, the best seen and unseen class of each test-seen and each test-unseen row."""
        return {name: self._evaluator.best(one.logits, *one.params) for name, one in self.fitted(state).items()}

    def results(self, names: tuple[str, ...], choices: Mapping[str, Choice], rule: str) -> dict[str, dict[str, Any]]:
        """By predictor, what results.json holds of it: metrics and per-class accuracies of the end, and the test-selected epoch
        (None where it was evaluated at the end only, as after validation, or after no whole epoch: there was nothing to select).
        'selection' is the rule its own figures follow: 'validation' where that chose for it, 'test' where the run's rule is the
        test and there is a test-selected epoch, which then is the one that counts, else 'last'.

        Args:
            names: of the classes, by original id.
            choices: by predictor, what validation chose; {} where it was not asked.
            rule: config.eval.selection.
        """
        found = {}
        for name, last in self.last.items():
            epoch, best = (0, None) if name in choices else self.best.get(name, (0, None))
            found[name] = {
                "metrics": last.metrics,
                "selection": "validation" if name in choices else "test" if best and rule == "test" else "last",
                "per_class": last.by_name(names),
                **(by_calibration(last, choices[name].gamma, name in self._gammas) if name in choices else {"calibrated": None}),
                "validation": choices[name].described() if name in choices else None,
                "test_selected": {"selection": "test", "epochs": epoch, "metrics": best} if best else None,
            }
        return found
