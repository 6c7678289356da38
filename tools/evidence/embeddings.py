"""What is the embedding of D3's student worth to a final classifier? The same fit to what three networks see of the same rows.

    d3gzsl train --config=cub100_small:wgan '--config.seeds=(0,1,2)' --workdir=OUT                     (data as in docs/results.md)
    python tools/evidence/embeddings.py --output=docs/results/embeddings.json CUB100=OUT

Of every run with D3 and validation folds under the folder: with the fold's own generator the final classifier is fitted to what the
method represents rows by, to the teacher's embedding and to the student's, and evaluated on the fold's pseudo-unseen classes and
pseudo test-seen rows, beside the student's own head. Of the numbers of epochs that validation tries the one with the highest H is
taken, for each. No test row is looked at. tools/evidence/report.py makes the table <!-- begin embeddings --> of it.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax import api as d3
from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import scaled_rows
from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.student_rows import StudentRows
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.curves import Best, trade_off
from d3gzsl_jax.evaluation.evaluate import best_of
from d3gzsl_jax.evaluation.selection import best_gamma
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.keys import root_key, stream
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.runs.fold_evaluations import classifier_snapshots
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.runs.reopen import run_config
from d3gzsl_jax.runs.sizes import folds_of
from d3gzsl_jax.studies.configurations import data_key
from d3gzsl_jax.studies.tables.cells import with_deviation
from d3gzsl_jax.studies.tables.command import find
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.training.build import build_final_classifier, build_objective, class_table
from tools import named_runs
from tools.evidence.control_ensemble import Scored, measured

KINDS = {
    "method": "what the method represents rows by", "teacher": "the teacher's embedding", "student": "the student's embedding",
    "head": "the student's own head, not fitted anew",
}  # fmt: skip
MEASURES = {"harmonic": "H", "calibrated": "H calibrated", "ausuc": "AUSUC", "zsl": "T1"}


@dataclasses.dataclass(frozen=True)
class TeacherRows(StudentRows):
    """`StudentRows` with the frozen teacher, whose parameters are the group 'teacher', in the student's place."""

    def represent(self, params: Params, features: jax.Array) -> jax.Array:
        """E_o(x), (n, width)."""
        return self.objective.distillation.teacher.embed(params["teacher"], features)


def views(objective: Objective) -> dict[str, Framework]:
    """What the final classifier may see of a row, by kind; parameters need the teacher's as the group 'teacher'."""
    return {"method": objective.framework, "teacher": TeacherRows.of(objective), "student": StudentRows.of(objective)}


def fitted(model: TrainedModel, data: GZSLData, after: Callable[[str, int], Sequence[int]]) -> dict[str, dict[int, Scored]]:
    """A model's final classifier, fitted anew to what each kind of `KINDS` sees, on the test rows of `data`.

    Args:
        model: of a run with D3, or of one of its folds.
        data: what it was trained on; of a fold its pseudo-unseen classes and pseudo test-seen rows are the test rows.
        after: of a kind and of all epochs of the fit, after how many it is evaluated.

    Returns:
        By kind and epochs (0 for the student's own head), with the gamma that is best on these rows.
    """
    classes = class_table(model.semantics, model.seen, model.unseen)
    objective = build_objective(model.config, classes, model.feature_size, model.representation_size)
    final = build_final_classifier(model.config, objective, len(model.class_names))
    params = model.params | {"teacher": model.teacher}

    def scaled(rows: np.ndarray) -> jax.Array:
        beside = data.representations_of(rows)
        return jnp.asarray(scaled_rows(model.scaling, model.representation_scaling, data.features[rows], beside))

    real, tests = scaled(data.trainval), (scaled(data.test_seen), scaled(data.test_unseen))

    def of(logits: Callable[[jax.Array], jax.Array]) -> Scored:
        seen, unseen = (np.asarray(logits(rows)) for rows in tests)
        best = [Best(*best_of(one, model.seen, model.unseen)) for one in (seen, unseen)]
        labels = data.labels[data.test_seen], data.labels[data.test_unseen]
        gamma, _ = best_gamma([trade_off(best[0], labels[0], best[1], labels[1], model.seen, model.unseen)])
        return Scored(seen, unseen, gamma)

    key = jax.random.fold_in(stream(root_key(int(model.config.seed)), "classifier"), model.step)  # that of the run's own fit
    found: dict[str, dict[int, Scored]] = {}
    for kind, view in views(objective).items():
        epochs = tuple(after(kind, final.softmax.epochs))
        as_long = dataclasses.replace(final.softmax, epochs=max(epochs))  # a finished run's has the epochs that its folds chose
        in_view = dataclasses.replace(final, framework=view, softmax=as_long)
        made = in_view.fits(params, key, classes, real, jnp.asarray(data.labels[data.trainval]), epochs)
        found[kind] = {
            count: of(lambda rows, one=one, in_view=in_view: in_view.logits(params, one, rows))
            for count, one in zip(epochs, made, strict=True)
        }  # fmt: skip
    found["head"] = {0: of(lambda rows: objective.student_logits(params, rows))}
    return found


def on_fold(model: TrainedModel, fold: GZSLData) -> dict[str, tuple[int, float, dict[str, float]]]:
    """Of a fold's model, by kind: the number of epochs that validation tries with the highest H, its gamma, its `MEASURES`."""
    best = {}
    for kind, tried in fitted(model, fold, lambda _, epochs: classifier_snapshots(epochs)).items():
        of = [(count, one.gamma, measured(one, fold, model.seen, model.unseen)) for count, one in tried.items()]
        best[kind] = max(of, key=lambda one: one[2]["harmonic"])
    return best


class RunWithFolds(NamedTuple):
    """A run with D3, whose epochs and predictor its folds chose.

    Attributes:
        folder: of the run.
        framework: the base method.
        data: what it was trained on.
        config: its configuration.
    """

    folder: Path
    framework: str
    data: GZSLData
    config: ConfigDict


def runs_with_folds(runs: Path) -> Iterator[RunWithFolds]:
    """All such runs under a folder; data that several have is loaded once."""
    data: dict[str, GZSLData] = {}
    for path in find([runs]):
        results = json_files.read(path) or {}
        if "seed" not in results or not results["distillation"] or results["selection"] != "validation":
            continue
        config = run_config(path.parent)
        name = data_key(config)
        if name not in data:
            data[name] = d3.load_data(config)
        yield RunWithFolds(path.parent, results["framework"], data[name], config)


def folds(run: RunWithFolds) -> Iterator[tuple[TrainedModel, GZSLData]]:
    """The model of each fold of a run, and the fold."""
    for number, fold in enumerate(folds_of(run.config, run.data)):
        yield d3.load_model(run.folder / "validation" / f"fold-{number}"), fold


def gathered(runs: Path, measured_of: Iterable[tuple[str, Mapping[str, Mapping[str, float]]]]) -> dict[str, Any]:
    """`MEASURES` of every fold, or run, of every seed, as lists by method and kind.

    Args:
        runs: the folder, for the message.
        measured_of: of each its method, and the measures by kind.

    Raises:
        UserError: there is none.
    """
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for framework, kinds in measured_of:
        of_method = found.setdefault(framework, {kind: {name: [] for name in MEASURES} for kind in kinds})
        for kind, of in kinds.items():
            for name in MEASURES:
                of_method[kind][name].append(of[name])
    if not found:
        raise UserError(f"{runs}: holds no run with D3 and config.eval.selection=validation")
    return found


def compared(runs: Path) -> dict[str, Any]:
    """`gathered` of every fold."""
    all_folds = ((run.framework, on_fold(*one)) for run in runs_with_folds(runs) for one in folds(run))
    return gathered(runs, ((name, {kind: of for kind, (_, _, of) in best.items()}) for name, best in all_folds))


def table(of_benchmarks: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]) -> Table:
    """A row a benchmark, method and kind."""
    rows = []
    for benchmark, of_methods in of_benchmarks.items():
        for framework, of_kinds in of_methods.items():
            for kind, called in KINDS.items():
                values = [with_deviation(np.array(of_kinds[kind][name])) for name in MEASURES]
                names = benchmark, FRAMEWORKS[framework].called, called, len(of_kinds[kind]["harmonic"])
                rows.append([Cell.of(cell) for cell in (*names, *values)])
    headings = ["benchmark", "method", "final classifier sees", "folds", *MEASURES.values()]
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def main() -> None:
    """The command line."""
    named_runs.write_json(__doc__ or "", compared)


if __name__ == "__main__":
    sys.exit(run_command(main))
