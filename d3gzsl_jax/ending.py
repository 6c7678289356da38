"""What a run leaves behind besides its results: the model, the arrays of its plots, the report."""

import importlib.util
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import SplitArrays
from d3gzsl_jax.errors import reason
from d3gzsl_jax.evaluation import curves
from d3gzsl_jax.evaluation.evaluate import Evaluator
from d3gzsl_jax.evaluation.predictors import Predictors
from d3gzsl_jax.frameworks.structures import Params, TrainState
from d3gzsl_jax.frameworks.synthesis import synthesize_classes
from d3gzsl_jax.keys import root_key, stream
from d3gzsl_jax.losses.distillation import in_distribution_score
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.runs.resume import digest
from d3gzsl_jax.studies.validation import report_folds
from d3gzsl_jax.system import atomic, processes
from d3gzsl_jax.training.build import Model

_PLOTTED_ROWS = 2000  # synthesized for the plots, over all unseen classes


def trained_model(
    config: ConfigDict, data: GZSLData, arrays: SplitArrays, state: TrainState, teacher: Params, classifier: Params | None
) -> TrainedModel:
    """The model a run has made so far, by itself."""
    return TrainedModel(
        name=data.name, config=config, semantics=data.semantics, class_names=data.class_names, seen=data.seen_classes,
        unseen=data.unseen_classes, scaling=arrays.scaling, params=state.params, teacher=teacher, classifier=classifier,
        prediction=config.eval.prediction, step=int(state.step), data_digest=digest(data),
    )


def arrays_of_plots(
    config: ConfigDict, data: GZSLData, arrays: SplitArrays, model: Model, evaluator: Evaluator, predictors: Predictors,
    state: TrainState, teacher: Params,
) -> dict[str, np.ndarray]:
    """What diagnostics.npz holds, see evaluation/curves.py; the trade-off and confusion of each predictor by its name."""
    found = {}
    for name, (seen_rows, unseen_rows) in predictors.best_classes(state).items():
        curve = curves.thin(predictors.last[name].curve)
        found |= {f"curve/{name}/{key}": values for key, values in curve.items()}
        found[f"confusion/{name}"] = curves.confusion(seen_rows, unseen_rows)
    unseen = model.classes.unseen
    if not len(unseen):
        return found
    labels = unseen[np.linspace(0, len(unseen) - 1, min(len(unseen), _PLOTTED_ROWS)).astype(int)]
    count = _PLOTTED_ROWS // len(labels)
    key = stream(root_key(config.seed), "plots")
    synthesized = synthesize_classes(model.objective.framework, state.params, key, model.classes.semantics, labels, count)
    if teacher:
        scores = evaluator.scores(model.teacher, teacher)
        scores["synthesized"] = np.asarray(in_distribution_score(model.teacher.logits(teacher, synthesized)))
        found |= {f"scores/{split}": values for split, values in scores.items()}
    return found | curves.project(
        arrays.test_unseen_features, arrays.test_unseen_labels, np.asarray(synthesized), np.asarray(jnp.repeat(labels, count))
    )


def draw(folder: Path, arrays: dict[str, np.ndarray]) -> str:
    """Writes diagnostics.npz, the plots and report.html, of a run that is concluded with them; returns what to say of it."""
    with atomic.replacing(folder / "diagnostics.npz", "wb") as file:
        np.savez_compressed(file, **arrays)
    if importlib.util.find_spec("matplotlib") is None:
        return "warning: no plots and no report, since matplotlib is not installed"
    from d3gzsl_jax.runs.report import plots, record

    plots.write_all(folder)
    return f"wrote {record.write(folder, concluding=True)}"


def leave(run: Any, state: TrainState) -> None:
    """Leaves behind the model of a `Run` and, unless config.log.report is off, its plots and report."""
    teacher, predictors = run.teacher, run.account.predictors
    trained_model(run.config, run.data, run.arrays, state, teacher, predictors.classifier).write(run.folder.path / "model")
    if not run.config.log.report:
        return
    try:
        found = arrays_of_plots(run.config, run.data, run.arrays, run.model, run.evaluator, predictors, state, teacher)
        run.display.say(draw(run.folder.path, found))
    except Exception as error:  # pictures must not cost a run whose results are written
        run.display.say(f"warning: no plots and no report ({reason(error)}); d3gzsl report {run.folder.path}")


def leave_early(run: Any, state: TrainState, steps: int) -> dict[str, Any]:
    """What an interrupted `Run` leaves behind that validation chose: its model, and results whose figures are those of the folds,
    since the test rows are looked at once, at the end. Returns what results.json holds.

    Raises:
        DivergenceError: the final classifier broke down.
    """
    epochs = steps // run.per_epoch
    results = report_folds(run.data, run.plan.asked, run.plan, run.folder, run.display, epochs, steps, interrupted=True)
    if processes.is_first():
        found = trained_model(run.config, run.data, run.arrays, state, run.teacher, None)
        (found.fit_classifier(run.data) if run.model.final_classifier else found).write(run.folder.path / "model")
    run.display.say(
        f"interrupted after epoch {epochs} of {run.config.train.epochs}: these are validation figures, no test row was looked at "
        "yet; the same command goes on from here"
    )
    return results
