"""The README's table of methods: what to write after the colon, what it is replayed against, and H on each benchmark."""

from collections.abc import Mapping, Sequence
from typing import Any

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from tools.evidence.comparisons import further_use, percent

REPLAYED = {
    "wgan": "D3GZSL's released loop, with D3", "cegzsl": "its public loop", "fvaegan": "TF-VAEGAN's loop without its additions",
    "tfvaegan": "its public loop", "cadavae": "its public loop", "free": "its public loop", "zerodiff": "its public loops",
}  # fmt: skip
"""By framework, the PyTorch loop whose recording the tests replay."""
_UNKNOWN = "—"


def table(of_benchmarks: Mapping[str, Sequence[Mapping[str, Any]]], frameworks: Sequence[str]) -> Table:
    """A row a framework, a column a benchmark: the mean of H over seeds without D3, and with it.

    Args:
        of_benchmarks: results of all runs, by benchmark.
        frameworks: in the order of the rows.
    """
    rows = []
    for name in frameworks:
        found = (", ".join(_mean(results, name, with_d3) for with_d3 in (False, True)) for results in of_benchmarks.values())
        cells = [FRAMEWORKS[name].called, name, REPLAYED.get(name, _UNKNOWN), *found]
        rows.append([Cell.of(_UNKNOWN if cell == f"{_UNKNOWN}, {_UNKNOWN}" else cell) for cell in cells])
    headings = ["method", "its word", "replayed against", *(f"H on {benchmark}, + D3" for benchmark in of_benchmarks)]
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def _mean(results: Sequence[Mapping[str, Any]], framework: str, with_d3: bool) -> str:
    alone = [one for one in results if not further_use(one)]
    of = [one for one in alone if (one["framework"], bool(one["distillation"])) == (framework, with_d3)]
    return f"{percent(of, 'chosen', 'harmonic').mean():.1f}" if of else _UNKNOWN
