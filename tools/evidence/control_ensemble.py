"""Is student and classifier together more than any two models together? The final classifiers of two seeds without D3, as one.

    d3gzsl train --config=cub100_small:wgan,base '--config.seeds=(0,1,2)' --workdir=OUT/base            (data as in docs/results.md)
    d3gzsl train --config=cub100_small:wgan --config.eval.ensemble=True '--config.seeds=(0,1,2)' --workdir=OUT/ensemble
    python tools/evidence/control_ensemble.py --output=docs/results/control.json CUB100=OUT

Of the runs under the folder of a benchmark: the classifier of each seed without D3; those of every two seeds together, by the mean
of their log-probabilities, as `eval.ensemble` joins student and classifier; and with D3, student and classifier of each seed
together. Gamma is what the folds of a run chose, of two runs its mean. tools/evidence/report.py makes the table
<!-- begin control --> of it.
"""

import itertools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax import api as d3
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.curves import Best, area, trade_off
from d3gzsl_jax.evaluation.evaluate import best_of
from d3gzsl_jax.evaluation.metrics import harmonic_mean, mean_over_classes, per_class_accuracy
from d3gzsl_jax.evaluation.selection import at_gamma
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.studies.tables.cells import with_deviation
from d3gzsl_jax.studies.tables.command import find
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from d3gzsl_jax.system.terminal import run_command
from tools import named_runs
from tools.evidence.comparisons import further_use

KINDS = {
    "one": "without D3, one seed", "two": "without D3, two seeds together", "ensemble": "with D3, student and classifier together",
}  # fmt: skip
_MEASURES = {"calibrated": "H calibrated", "harmonic": "H", "ausuc": "AUSUC", "zsl": "T1"}
_LEAST = 1e-37  # a probability that is 0 in float32 has a logarithm too


class Scored(NamedTuple):
    """A model's log-probabilities of the test rows, (n, C) of test-seen and of test-unseen ones, and the gamma of its folds."""

    seen: np.ndarray
    unseen: np.ndarray
    gamma: float


def scored(model: TrainedModel, data: GZSLData, predictor: str, gamma: float) -> Scored:
    """What a model's predictor says of the test rows."""
    found = []
    for rows in (data.test_seen, data.test_unseen):
        said = model.predict(data.features[rows], len(model.class_names), predictor)
        logits = np.empty(said.classes.shape, np.float64)
        np.put_along_axis(logits, said.classes, np.log(np.maximum(said.probabilities, _LEAST)), axis=1)
        found.append(logits)
    return Scored(found[0], found[1], gamma)


def together(one: Scored, other: Scored) -> Scored:
    """The mean of their log-probabilities, and of their gammas."""
    return Scored(*(0.5 * (a + b) for a, b in zip(one, other, strict=True)))


def measured(of: Scored, data: GZSLData, seen: np.ndarray, unseen: np.ndarray) -> dict[str, float]:
    """`_MEASURES` in percent."""
    labels_seen, labels_unseen = data.labels[data.test_seen], data.labels[data.test_unseen]
    of_seen, of_unseen = (Best(*best_of(logits, seen, unseen)) for logits in (of.seen, of.unseen))
    curve = trade_off(of_seen, labels_seen, of_unseen, labels_unseen, seen, unseen)
    harmonic = [harmonic_mean(*(float(value) for value in at_gamma(curve, gamma))) for gamma in (of.gamma, 0.0)]
    zsl = mean_over_classes(per_class_accuracy(of_unseen.unseen_class, labels_unseen, unseen))
    values = (*harmonic, area(curve["unseen"], curve["seen"]), zsl)
    return {name: 100.0 * value for name, value in zip(_MEASURES, values, strict=True)}


def compared(runs: Path) -> dict[str, dict[str, list[float]]]:
    """`_MEASURES` of every seed, or two of them, by kind.

    Raises:
        UserError: there are no two seeds of a method without D3, or no run with an ensemble.
    """
    base: dict[int, Scored] = {}
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    data = None
    for path in find([runs]):
        results = json_files.read(path) or {}
        kind = "ensemble" if results.get("distillation") and further_use(results) == ("ensemble",) else "one"
        if "seed" not in results or (kind == "one" and results["distillation"]):
            continue
        model = d3.load_model(path.parent)
        data = d3.load_data(model.config) if data is None else data
        predictor = "ensemble" if kind == "ensemble" else "classifier"
        one = scored(model, data, predictor, results["predictions"][predictor]["calibrated"]["gamma"])
        found[kind].append(measured(one, data, model.seen, model.unseen))
        if kind == "one":
            base[results["seed"]] = one
            classes = model.seen, model.unseen
    if len(base) < 2 or not found["ensemble"] or data is None:
        raise UserError(f"{runs}: needs runs of two seeds without D3, and one with D3 and config.eval.ensemble=True")
    for one, other in itertools.combinations(base.values(), 2):
        found["two"].append(measured(together(one, other), data, *classes))
    return {kind: {name: [of[name] for of in several] for name in _MEASURES} for kind, several in found.items()}


def table(of_benchmarks: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """A row a benchmark and kind."""
    rows = []
    for benchmark, found in of_benchmarks.items():
        for kind, called in KINDS.items():
            values = [with_deviation(np.array(found[kind][name])) for name in _MEASURES]
            rows.append([Cell.of(cell) for cell in (benchmark, called, len(found[kind]["harmonic"]), *values)])
    headings = ["benchmark", "", "models", *_MEASURES.values()]
    return Table("", [Column.of(heading, right=place > 1) for place, heading in enumerate(headings)], rows)


def main() -> None:
    """The command line."""
    named_runs.write_json(__doc__ or "", compared)


if __name__ == "__main__":
    sys.exit(run_command(main))
