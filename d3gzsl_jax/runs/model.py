"""A trained model by itself, apart from the run and the data it came from: it predicts, synthesizes, and learns new classes."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.baselines import fit
from d3gzsl_jax.data.batches import resolve_mode
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import Scaling, check_scaled, scaled_rows
from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.calibration import offset
from d3gzsl_jax.evaluation.class_scores import ClassScores, FittedBaseline
from d3gzsl_jax.evaluation.ensemble import Ensemble
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.finite_check import blamed_input, check_finite
from d3gzsl_jax.frameworks.host_rows import HostRows
from d3gzsl_jax.frameworks.structures import Classes, Params
from d3gzsl_jax.frameworks.synthesis import parts_of_classes
from d3gzsl_jax.keys import root_key, stream
from d3gzsl_jax.precision import scope
from d3gzsl_jax.runs import described_classes, model_files, model_rows, picture_rows
from d3gzsl_jax.runs.best_classes import best_classes
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.predictions import Predictions
from d3gzsl_jax.runs.results import method
from d3gzsl_jax.runs.resume import is_data_of
from d3gzsl_jax.system import compile_cache
from d3gzsl_jax.training import memory
from d3gzsl_jax.training.build import build_final_classifier, build_objective, class_table

PREDICTORS = ("student", "classifier", "ensemble")
_CHUNK_ROWS = 4096
_LOGITS = 2**24  # of one call


@dataclasses.dataclass(frozen=True, repr=False)
class TrainedModel:
    """What training made, on the default device.

    Attributes:
        name: of the benchmark.
        config: of the run.
        semantics: (C, da) float32 by class id, normalised as the run's were.
        class_names: C names.
        seen, unseen: ascending int32 class ids.
        scaling: what raw features go through.
        params: parameter groups of the base method and of D3.
        teacher: the teacher's parameters, {} without D3.
        classifier: the final classifier's, None where none was fitted.
        prediction: what predicts unless told otherwise, one of PREDICTORS or of the baselines.
        step: outer steps of training.
        data_digest: of the data, see runs/resume.py.
        representation_scaling: what raw representations go through, where they came with the data of the run; else None.
        encoders: notes of what made the features and the semantics, by 'image' and 'text', where the data says so; else None.
        baselines: what was fitted beside the run, by name; each predicts with its own calibration.
        gammas: what is taken off the seen logits of each of PREDICTORS (config.eval.calibration); {} where they predict as they
            are.
        folds: by predictor, its means over the validation folds as fractions, see evaluation/selection.py; {} without folds.
        advice: what follows from the folds, in sentences.
    """

    name: str
    config: ConfigDict
    semantics: np.ndarray
    class_names: tuple[str, ...]
    seen: np.ndarray
    unseen: np.ndarray
    scaling: Scaling
    params: Params
    teacher: Params
    classifier: Params | None
    prediction: str
    step: int
    data_digest: str
    representation_scaling: Scaling | None = None
    encoders: Mapping[str, Any] | None = None
    baselines: Mapping[str, FittedBaseline] = dataclasses.field(default_factory=dict)
    gammas: Mapping[str, float] = dataclasses.field(default_factory=dict)
    folds: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    advice: tuple[str, ...] = ()

    def __repr__(self) -> str:
        size = sum(leaf.size for leaf in jax.tree.leaves((self.params, self.teacher, self.classifier)))
        return (
            f"TrainedModel({method(self.config)} on {self.name}: {self.feature_size} features to {len(self.class_names)} classes, "
            f"{len(self.unseen)} of them unseen; predicts by {' or '.join(self.predictors) or 'nothing'}, {self.prediction} unless "
            f"told otherwise; outer step {self.step}, {size} parameters)"
        )

    @property
    def feature_size(self) -> int:
        """dx."""
        return len(self.scaling.scale)

    @property
    def representation_size(self) -> int:
        """dr of the representations that every row needs besides its features; 0 where it needs none."""
        return 0 if self.representation_scaling is None else len(self.representation_scaling.scale)

    @property
    def predictors(self) -> tuple[str, ...]:
        """What of PREDICTORS and baselines can predict. The student's classes are those it was trained with."""
        head = self.params.get("student_head")
        knows_all = head is not None and head["params"]["classifier"]["linear"]["bias"].shape[0] == len(self.class_names)
        has_student = knows_all and any(self.config.distillation[f"weight_{term}"] > 0.0 for term in ("cls", "kl"))
        has_classifier = self.classifier is not None
        can = has_student, has_classifier, has_student and has_classifier and bool(self.config.eval.get("ensemble"))
        own = (name for name, there in zip(PREDICTORS, can, strict=True) if there)
        return (*own, *self.baselines)

    @functools.cached_property
    def _classes(self) -> Classes:
        return class_table(self.semantics, self.seen, self.unseen)

    @functools.cached_property
    def _objective(self) -> Objective:
        return build_objective(self.config, self._classes, self.feature_size, self.representation_size)

    @functools.cached_property
    def _final(self) -> FinalClassifier:
        return build_final_classifier(self.config, self._objective, len(self.class_names))

    def predict(
        self, features: np.ndarray, top: int = 1, predictor: str = "", representations: np.ndarray | None = None
    ) -> Predictions:
        """The `top` classes of raw feature rows.

        Args:
            features: (n, dx), as the benchmark's files have them.
            top: k, in 1..C.
            predictor: 'student', 'classifier', 'ensemble' or a baseline's name; '' for the run's own choice.
            representations: (n, dr) of the rows, raw, for a model that was trained with such.

        Raises:
            UserError: features or representations are no numbers, of another size, not finite or beyond all that was trained on, or
                the predictor is not there.
        """
        model_rows.check_represented(self.representation_size, representations is not None)
        features = model_rows.checked(features, "features", self.feature_size)
        if representations is not None:
            representations = model_rows.checked(representations, "representations", self.representation_size, len(features))
        parts = [
            self.predict_chunk(rows, top, predictor, i * _CHUNK_ROWS, representations=beside)
            for i, (rows, beside) in enumerate(model_rows.chunks(features, representations, _CHUNK_ROWS))
        ]
        if not parts:
            x, r = (np.zeros((1, size), np.float32) for size in (self.feature_size, self.representation_size))
            parts = [self.predict_chunk(x, top, predictor, representations=r)]
        columns = zip(*(part.arrays for part in parts), strict=True)
        joined = (None if column[0] is None else np.concatenate([np.asarray(of) for of in column]) for column in columns)
        return Predictions.of([None if array is None else array[: len(features)] for array in joined], self.class_names)

    def predict_images(
        self, pictures: picture_rows.Source, top: int = 1, predictor: str = "", encoder: str = "", bad: str = "refuse",
        display: Display | None = None,
    ) -> Predictions:
        """The `top` classes of pictures, with their names and, where it is known, of which classes they are.

        Arguments and errors: see `picture_rows.predicted`.
        """
        return picture_rows.predicted(self, pictures, top, predictor, encoder, bad, display)

    def predict_chunk(
        self, features: np.ndarray, top: int = 1, predictor: str = "", first: int = 0, source: str = "features",
        representations: np.ndarray | None = None,
    ) -> Predictions:
        """`predict` on finite rows that fit the device, as arrays that may still be computing: a caller need not wait for them.
        `first`: what messages call the first row, `source`: what they say it is of."""
        name = self.check_predictor(predictor)
        self.check_top(top)
        rows = max(_LOGITS // len(self.class_names), 1)
        if len(features) > rows:  # many classes: fewer rows at a time
            chunks = model_rows.chunks(features, representations, rows)
            parts = [self.predict_chunk(x, top, predictor, first + i * rows, source, r) for i, (x, r) in enumerate(chunks)]
            columns = zip(*(part.arrays for part in parts), strict=True)
            return Predictions.of([None if of[0] is None else jnp.concatenate(of) for of in columns], self.class_names)
        scaled = scaled_rows(self.scaling, self.representation_scaling, features, representations)
        check_scaled(scaled, source, first)
        # All chunks but small ones have one shape: one trace.
        rows = len(scaled) if len(scaled) >= _CHUNK_ROWS else 1 << max(len(scaled) - 1, 0).bit_length()
        padded = np.pad(scaled, ((0, rows - len(scaled)), (0, 0)))
        final: FinalClassifier | Ensemble | ClassScores | None = None
        if name in ("classifier", "ensemble"):
            final = self._final if name == "classifier" else Ensemble(self._objective, self._final)
        parameters = self.params, self.teacher, self.classifier or {}
        if name in self.baselines:
            final, parameters = (of := self.baselines[name]).scores, ({}, self.teacher, of.predicting(self.seen))
        at = offset(self.gammas[name], self.seen, len(self.class_names)) if name in self.gammas else None
        found = best_classes(self._objective, final, top, *parameters, self._classes.seen, padded, at)
        return Predictions.of([None if part is None else part[: len(scaled)] for part in found], self.class_names)

    def check_top(self, top: int) -> None:
        """Refuses more classes per row than there are.

        Raises:
            UserError: naming both.
        """
        if not 1 <= top <= len(self.class_names):
            raise UserError(f"top {top}: must be from 1 to the {len(self.class_names)} classes of the model")

    def check_predictor(self, predictor: str = "") -> str:
        """The predictor of this name, '' for the run's own choice.

        Raises:
            UserError: this model has none of that name.
        """
        return model_rows.known_predictor(predictor or self.prediction, self.predictors)

    def synthesize(self, classes: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
        """`count` raw feature rows of each of `classes` (k,), class-major (k count, dx) float32. The rows of a class depend on its
        id, the count and the seed only.

        Raises:
            UserError: there is no such class, count or seed, or memory does not hold so many rows; `synthesized` has them in parts.
        """
        classes, count, seed = model_rows.checked_synthesis(classes, count, seed, len(self.class_names))
        shape = len(classes) * count, self.feature_size
        if (need := 4 * math.prod(shape)) > (free := memory.free_host_memory()):
            raise UserError(
                f"count {count}: the rows of {len(classes)} classes need {memory.size(need)} of memory and {memory.size(free)} are "
                "free; give a smaller count, or fewer classes"
            )
        parts, found, done = self.synthesized(classes, count, seed), np.empty(shape, np.float32), 0
        for part in parts:
            found[done : done + len(part)], done = part, done + len(part)
        return found

    def synthesized(self, classes: np.ndarray, count: int, seed: int = 0) -> Iterator[np.ndarray]:
        """The rows of `synthesize` in parts (n, dx), one after another, so that any number of them fits memory.

        Raises:
            UserError: there is no such class, count or seed.
        """
        classes, count, seed = model_rows.checked_synthesis(classes, count, seed, len(self.class_names))
        parts = parts_of_classes(
            self._objective.framework, self.params, stream(root_key(seed), "synthesize"), self._classes.semantics, classes, count
        )
        return map(self.scaling.invert, parts)

    def add_classes(self, semantics: np.ndarray, names: tuple[str, ...], data: GZSLData) -> "TrainedModel":
        """A model that also knows k new, unseen classes, of which there is no image: their features are synthesized and the final
        classifier is fitted anew, to real rows of seen classes and synthesized rows of all unseen ones.

        Args:
            semantics: (k, da) finite float, raw as in the benchmark's files.
            names: k names that the model does not know yet.
            data: the benchmark the model was trained on, for the real rows; its semantics as they were loaded or before.

        Returns:
            The model, predicting by its classifier, or by a baseline where this one does; ids of the new classes are C..C+k-1.

        Raises:
            UserError: sizes or names do not fit, or the data is not the model's. DivergenceError: the classifier broke down.
        """
        if not is_data_of(self.data_digest, data, self.config.data.normalize_semantics):
            raise UserError(f"{data.name}: not the data this model was trained on, whose seen rows the new classifier needs")
        known = self.semantics, self.class_names
        semantics, names = model_rows.checked_classes(semantics, names, *known, self.config.data.normalize_semantics)
        new = np.arange(len(self.class_names), len(self.class_names) + len(names), dtype=np.int32)
        semantics, predicts = np.concatenate([self.semantics, semantics]), self.prediction in self.baselines
        return dataclasses.replace(
            self, semantics=semantics, class_names=(*self.class_names, *names), unseen=np.concatenate([self.unseen, new]),
            classifier=None, prediction=self.prediction if predicts else "classifier",
            baselines=fit.anew(self.baselines, data, semantics, self.config.seed, self.config.data.scaling),
        ).fit_classifier(data)

    def add_described_classes(self, classes: described_classes.Described, data: GZSLData, encoder: str = "") -> "TrainedModel":
        """`add_classes` of {'okapi': 'A brown animal with striped legs.'}, or a CSV: see `described_classes.new_semantics`."""
        return self.add_classes(*described_classes.new_semantics(self, classes, encoder), data)

    def fit_classifier(self, data: GZSLData) -> "TrainedModel":
        """The model with a final classifier fitted anew; as a run does at its end, in the run's precision, to the same bits."""
        own = data.representations_of(data.trainval)
        features = scaled_rows(self.scaling, self.representation_scaling, data.features[data.trainval], own)
        labels = data.labels[data.trainval].astype(np.int32)
        key = jax.random.fold_in(stream(root_key(self.config.seed), "classifier"), self.step)
        with scope(self.config.precision):
            streamed = resolve_mode(self.config.data.pipeline) == "stream"
            rows = HostRows(features) if streamed else jnp.asarray(features)
            classifier = self._final.fit(self.params, key, self._classes, rows, jnp.asarray(labels))
        advice = blamed_input(features, "lower config.classifier.learning_rate")
        check_finite({"classifier": classifier}, "final classifier", advice)
        return dataclasses.replace(self, classifier=classifier)

    def save(self, folder: str | Path) -> None:
        """Writes the model to a folder of its own, in place of the model that is there.

        Raises:
            UserError: something else is there, or it cannot be written.
        """
        self.write(model_files.output_folder(folder, "TrainedModel.save"))

    def write(self, folder: Path) -> None:
        """`save`, to a folder that is known to be free, or to hold what may go."""
        model_files.write(folder, {field.name: getattr(self, field.name) for field in dataclasses.fields(self)})


def load_model(folder: str | Path) -> TrainedModel:
    """The model of a finished run (its folder), or of a folder that `TrainedModel.save` wrote.

    Args:
        folder: of the run or the model.

    Raises:
        UserError: there is none, or it is damaged.
    """
    found = TrainedModel(**model_files.read(folder))
    compile_cache.use_unless_decided(bool(found.config.get("compile_cache", True)))
    return found
