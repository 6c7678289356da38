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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax import api as d3
from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import scaled_rows
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
_MEASURES = {"harmonic": "H", "calibrated": "H calibrated", "ausuc": "AUSUC", "zsl": "T1"}


@dataclasses.dataclass(frozen=True)
class TeacherRows(StudentRows):
    """`StudentRows` with the frozen teacher, whose parameters are the group 'teacher', in the student's place."""

    def represent(self, params: Params, features: jax.Array) -> jax.Array:
        """E_o(x), (n, width)."""
        return self.objective.distillation.teacher.embed(params["teacher"], features)


def measures(model: TrainedModel, fold: GZSLData) -> dict[str, dict[str, float]]:
    """`_MEASURES` of a fold's model in percent, by kind."""
    classes = class_table(model.semantics, model.seen, model.unseen)
    objective = build_objective(model.config, classes, model.feature_size, model.representation_size)
    final = build_final_classifier(model.config, objective, len(model.class_names))
    params = model.params | {"teacher": model.teacher}

    def scaled(rows: np.ndarray) -> jax.Array:
        beside = fold.representations_of(rows)
        return jnp.asarray(scaled_rows(model.scaling, model.representation_scaling, fold.features[rows], beside))

    real, tests = scaled(fold.trainval), (scaled(fold.test_seen), scaled(fold.test_unseen))

    def of(logits: Callable[[jax.Array], jax.Array]) -> dict[str, float]:
        seen, unseen = (np.asarray(logits(rows)) for rows in tests)
        best = [Best(*best_of(one, model.seen, model.unseen)) for one in (seen, unseen)]
        labels = fold.labels[fold.test_seen], fold.labels[fold.test_unseen]
        gamma, _ = best_gamma([trade_off(best[0], labels[0], best[1], labels[1], model.seen, model.unseen)])
        return measured(Scored(seen, unseen, gamma), fold, model.seen, model.unseen)

    views: dict[str, Framework] = {
        "method": objective.framework, "teacher": TeacherRows.of(objective), "student": StudentRows.of(objective),
    }  # fmt: skip
    key, after = stream(root_key(int(model.config.seed)), "classifier"), classifier_snapshots(final.softmax.epochs)
    found = {}
    for kind, view in views.items():
        fitted = dataclasses.replace(final, framework=view)
        made = fitted.fits(params, key, classes, real, jnp.asarray(fold.labels[fold.trainval]), after)
        tried = [of(lambda rows, one=one, fitted=fitted: fitted.logits(params, one, rows)) for one in made]
        found[kind] = max(tried, key=lambda one: one["harmonic"])
    found["head"] = of(lambda rows: objective.student_logits(params, rows))
    return found


def _folds(runs: Path) -> Iterator[tuple[str, TrainedModel, GZSLData]]:
    """By method, the model of every fold of the runs with D3, and the fold."""
    data: dict[str, GZSLData] = {}
    for path in find([runs]):
        results = json_files.read(path) or {}
        if "seed" not in results or not results["distillation"] or results["selection"] != "validation":
            continue
        config = run_config(path.parent)
        name = f"{config.dataset} {config.data}"
        if name not in data:
            data[name] = d3.load_data(config)
        for number, fold in enumerate(folds_of(config, data[name])):
            yield results["framework"], d3.load_model(path.parent / "validation" / f"fold-{number}"), fold


def compared(runs: Path) -> dict[str, dict[str, dict[str, list[float]]]]:
    """`_MEASURES` of every fold of every seed, by method and kind.

    Raises:
        UserError: there is no run with D3 and folds.
    """
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for framework, model, fold in _folds(runs):
        of_method = found.setdefault(framework, {kind: {name: [] for name in _MEASURES} for kind in KINDS})
        for kind, of in measures(model, fold).items():
            for name in _MEASURES:
                of_method[kind][name].append(of[name])
    if not found:
        raise UserError(f"{runs}: holds no run with D3 and config.eval.selection=validation")
    return found


def table(of_benchmarks: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]) -> Table:
    """A row a benchmark, method and kind."""
    rows = []
    for benchmark, of_methods in of_benchmarks.items():
        for framework, of_kinds in of_methods.items():
            for kind, called in KINDS.items():
                values = [with_deviation(np.array(of_kinds[kind][name])) for name in _MEASURES]
                names = benchmark, FRAMEWORKS[framework].called, called, len(of_kinds[kind]["harmonic"])
                rows.append([Cell.of(cell) for cell in (*names, *values)])
    headings = ["benchmark", "method", "final classifier sees", "folds", *_MEASURES.values()]
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def main() -> None:
    """The command line."""
    named_runs.write_json(__doc__ or "", compared)


if __name__ == "__main__":
    sys.exit(run_command(main))
