"""What a run leaves behind besides its results: the model, the arrays of its plots, the report."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.formats import encoder_notes
from d3gzsl_jax.errors import reason
from d3gzsl_jax.evaluation import curves
from d3gzsl_jax.evaluation.evaluate import teacher_says
from d3gzsl_jax.frameworks.structures import Params, TrainState
from d3gzsl_jax.frameworks.synthesis import synthesize
from d3gzsl_jax.keys import stream
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.runs.resume import digest
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.runs.validation_plan import Plan, report_folds
from d3gzsl_jax.system import atomic, processes

_PLOTTED_ROWS = 2000  # synthesized for the plots, over all unseen classes


def model_of(run: Run, state: TrainState, teacher: Params, classifier: Params | None) -> TrainedModel:
    """The model a run has made so far, by itself."""
    data, settings, plan = run.data, run.settings, run.plan
    return TrainedModel(
        name=data.name, config=settings.config, semantics=data.semantics, class_names=data.class_names,
        seen=data.seen_classes, unseen=data.unseen_classes, scaling=run.arrays.scaling, params=state.params, teacher=teacher,
        classifier=classifier, prediction=plan.model_predicts if plan else settings.prediction, step=int(state.step),
        data_digest=digest(data), representation_scaling=run.arrays.representation_scaling, encoders=_encoders(data),
        baselines=plan.baselines if plan else {}, gammas=plan.gammas if plan else {},
        folds=plan.folds if plan else {}, advice=plan.advice if plan else (),
    )


def _encoders(data: GZSLData) -> Mapping[str, Any] | None:
    """What made the features and the semantics, where the data says so."""
    found = data.provenance.get("encoders")
    return found if isinstance(found, Mapping) and not encoder_notes.problem(found) else None


def arrays_of_plots(run: Run, state: TrainState, teacher: Params) -> dict[str, Any]:
    """What diagnostics.npz holds, see evaluation/curves.py; the trade-off and confusion of each predictor by its name."""
    model, arrays, predictors = run.model, run.arrays, run.journal.predictors
    found: dict[str, Any] = {}
    for name, (seen_rows, unseen_rows) in predictors.best_classes(state).items():
        curve = curves.thin(predictors.last[name].curve)
        found |= {f"curve/{name}/{key}": values for key, values in curve.items()}
        found[f"confusion/{name}"] = curves.confusion(seen_rows, unseen_rows)
        found[f"class_confusion/{name}"] = curves.class_confusion(
            seen_rows, arrays.test_seen_labels, unseen_rows, arrays.test_unseen_labels
        )
    unseen = model.classes.unseen
    if not len(unseen):
        return found
    labels = unseen[np.linspace(0, len(unseen) - 1, min(len(unseen), _PLOTTED_ROWS)).astype(int)]
    count = _PLOTTED_ROWS // len(labels)
    key = stream(run.key, "plots")
    synthesized = synthesize(model.objective.framework, state.params, key, model.classes.semantics, labels, count)
    if teacher:
        scores = run.evaluator.scores(model.teacher, teacher)
        scores["synthesized"] = np.asarray(teacher_says(model.teacher, teacher, synthesized)[1])
        found |= {f"scores/{split}": values for split, values in scores.items()}
    return found | curves.project(
        arrays.test_unseen_features, arrays.test_unseen_labels, np.asarray(synthesized), np.repeat(np.asarray(labels), count)
    )


def draw(folder: Path, arrays: dict[str, Any]) -> str:
    """Writes diagnostics.npz, the plots and report.html, of a run that is concluded with them; returns what to say of it."""
    with atomic.replacing(folder / "diagnostics.npz", "wb") as file:
        np.savez_compressed(file, **arrays)
    if importlib.util.find_spec("matplotlib") is None:
        return "warning: no plots and no report, since matplotlib is not installed"
    from d3gzsl_jax.runs.report.write import write_report

    return f"wrote {write_report(folder, concluding=True)}"


def leave(run: Run, state: TrainState, teacher: Params) -> None:
    """Leaves behind the model of a run and, unless config.log.report is off, its plots and report."""
    predictors = run.journal.predictors
    model_of(run, state, teacher, predictors.classifier).write(run.folder.path / "model")
    if not run.settings.report:
        return
    try:
        with run.display.doing("drawing plots"):
            said = draw(run.folder.path, arrays_of_plots(run, state, teacher))
        run.display.say(said)
    except Exception as error:  # pictures must not cost a run whose results are written
        run.display.say(f"warning: no plots and no report ({reason(error)}); d3gzsl report {run.folder.path}")


def leave_early(run: Run, plan: Plan, state: TrainState, teacher: Params, steps: int) -> dict[str, Any]:
    """What an interrupted run leaves behind that validation chose: its model, and results whose figures are those of the folds,
    since the test rows are looked at once, at the end. Returns what results.json holds.

    Raises:
        DivergenceError: the final classifier broke down.
    """
    epochs = steps // run.per_epoch
    results = report_folds(run.data, plan.asked, plan, run.folder, run.display, epochs, steps, interrupted=True)
    if processes.is_first():
        found = model_of(run, state, teacher, None)
        (found.fit_classifier(run.data) if run.final_classifier else found).write(run.folder.path / "model")
    run.display.say(
        f"interrupted after epoch {epochs} of {run.settings.epochs}: these are validation figures, no test row was looked at "
        "yet; the same command goes on from here"
    )
    return results
