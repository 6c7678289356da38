"""Is it D3's embedding that helps the final classifier, or any embedding of the seen classes? The teacher's is the control.

    d3gzsl train --config=flo_small:wgan --config.classifier.inputs=student --workdir=OUT              (more in docs/results.md)
    python tools/evidence/embeddings_on_test.py --output=docs/results/embeddings_on_test.json FLO=OUT

Of every run with D3 and validation folds under the folder: on its trained generator the final classifier is fitted anew to what
the method represents rows by, to the frozen teacher's embedding, which has never seen a synthesized row, and to the student's. For
each, its number of epochs and gamma are those that are best on the run's first fold (tools/evidence/embeddings.py); then the test
rows are looked at once. The epochs of the generator are the run's, which its own choice made. tools/evidence/report.py makes the
table <!-- begin embeddings_on_test --> of it.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax import api as d3
from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.evaluation.statistics import paired
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.studies.tables.cells import signed, signed_between, with_deviation
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from d3gzsl_jax.system.terminal import run_command
from tools import named_runs
from tools.evidence import embeddings
from tools.evidence.control_ensemble import measured
from tools.evidence.embeddings import MEASURES

KINDS = {kind: called for kind, called in embeddings.KINDS.items() if kind != "head"}
"""What is compared: the student's own head is in the tables of predictors."""


def on_test_rows(model: TrainedModel, data: GZSLData, chosen: Mapping[str, tuple[int, float, Any]]) -> dict[str, dict[str, float]]:
    """`MEASURES` of the test rows by kind, of a run's model with the epochs and the gamma that a fold chose for each."""
    fits = embeddings.fitted(model, data, lambda kind, _: [chosen[kind][0]])
    with_gamma = {kind: fits[kind][chosen[kind][0]]._replace(gamma=chosen[kind][1]) for kind in KINDS}
    return {kind: measured(one, data, model.seen, model.unseen) for kind, one in with_gamma.items()}


def compared(runs: Path) -> dict[str, Any]:
    """`embeddings.gathered` of the test rows of every run.

    Raises:
        UserError: there is no run with D3 and folds.
    """

    def of_runs() -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
        for run in embeddings.runs_with_folds(runs):
            chosen = embeddings.on_fold(*next(embeddings.folds(run)))
            yield run.framework, on_test_rows(d3.load_model(run.folder), run.data, chosen)

    return embeddings.gathered(runs, of_runs())


def table(of_benchmarks: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]) -> Table:
    """A row a benchmark, method and kind; and calibrated H less that of the method's own rows, and less that in the teacher's
    embedding, of the same run."""
    rows = []
    for benchmark, of_methods in of_benchmarks.items():
        for framework, of_kinds in of_methods.items():
            for kind, called in KINDS.items():
                here = {name: np.array(of_kinds[kind][name]) for name in MEASURES}
                values = map(with_deviation, here.values())
                cells: list[Any] = [benchmark, FRAMEWORKS[framework].called, called, len(here["harmonic"]), *values]
                for other in ("method", "teacher"):
                    if kind in (other, "method"):
                        cells += ["", ""]
                    else:
                        said = paired(here["calibrated"], np.array(of_kinds[other]["calibrated"]))
                        cells += [signed(said["difference"]), signed_between(said["low"], said["high"])]
                rows.append([Cell.of(cell) for cell in cells])
    headings = ["benchmark", "method", "final classifier sees", "seeds", *MEASURES.values(), "ΔH calibrated", "95 %"]
    headings += ["to the teacher's", "95 %"]
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def main() -> None:
    """The command line."""
    named_runs.write_json(__doc__ or "", compared)


if __name__ == "__main__":
    sys.exit(run_command(main))
