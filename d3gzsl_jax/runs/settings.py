"""What a run needs of its configuration besides its networks, as typed fields: the configuration ends here."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.config.check import calibrates, has_student


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """The fields of a configuration that a run goes by, see config/schema.py for their meaning and ranges.

    Attributes:
        config: the configuration itself, for the model that carries it.
        recorded: the whole configuration that was asked for, resolved and nested, as results.json keeps it.
        framework: name of the base method.
        seed: of the run.
        epochs, every_epochs: of training, and between evaluations.
        batch_size, steps_per_call: rows of a batch, outer steps of a call at most.
        teacher_epochs, teacher_updates, teacher_batch_size: of the teacher's pretraining.
        teacher_threshold: of the teacher's reported accuracies.
        precision: of the networks' products.
        seeds_as: how several seeds are gone through, see `JointLoop`.
        evaluation_batch: rows of a prediction call.
        prediction, selection: what predicts, and which evaluation is the result.
        calibrates: whether it predicts at the gamma that folds chose.
        has_student: whether D3 teaches a student its classes.
        has_ensemble: whether student and final classifier together are a predictor too.
        fits_every: whether the final classifier is fitted at every evaluation.
        classifier_epochs: of the final classifier.
        loss_limit, diversity: when training is stopped, and when its user is warned.
        kept: checkpoints that are on disk at once.
        best: metric whose best checkpoint is kept, '' for none; it is measured on the test rows.
        must_resume: whether a run without a whole checkpoint is refused.
        tensorboard, wandb, report: whether events are written, the log is sent to W&B, and plots are drawn with a report.
    """

    config: ConfigDict
    recorded: Mapping[str, Any]
    framework: str
    seed: int
    epochs: int
    every_epochs: int
    batch_size: int
    steps_per_call: int
    teacher_epochs: int
    teacher_updates: int
    teacher_batch_size: int
    teacher_threshold: float
    precision: str
    seeds_as: str
    evaluation_batch: int
    prediction: str
    selection: str
    calibrates: bool
    has_student: bool
    has_ensemble: bool
    fits_every: bool
    classifier_epochs: int
    loss_limit: float
    diversity: float
    kept: int
    best: str
    must_resume: bool
    tensorboard: bool
    wandb: bool
    report: bool

    @classmethod
    def of(cls, config: ConfigDict, asked: Mapping[str, Any] | None = None) -> "RunSettings":
        """The settings of a checked configuration; `asked`: what to record in its place, where validation changed it."""
        train, teacher, evaluation = config.train, config.teacher, config.eval
        return cls(
            config=config, recorded=asked if asked is not None else config.to_dict(),
            framework=config.framework, seed=config.seed,
            epochs=train.epochs, every_epochs=evaluation.every_epochs, batch_size=train.batch_size,
            steps_per_call=train.steps_per_call, teacher_epochs=teacher.epochs, teacher_updates=teacher.updates,
            teacher_batch_size=teacher.batch_size, teacher_threshold=teacher.threshold,
            precision=config.precision, seeds_as=config.parallel.seeds_as,
            evaluation_batch=evaluation.batch_size, prediction=evaluation.prediction, selection=evaluation.selection,
            calibrates=calibrates(config),
            has_student=has_student(config), has_ensemble=evaluation.ensemble, fits_every=config.classifier.fit == "every",
            classifier_epochs=config.classifier.epochs, loss_limit=config.guards.loss_limit, diversity=config.guards.diversity,
            kept=config.checkpoint.keep + 1 + bool(config.checkpoint.best), best=config.checkpoint.best,
            must_resume=train.resume == "must", tensorboard=config.log.tensorboard, wandb=config.log.wandb,
            report=config.log.report,
        )
