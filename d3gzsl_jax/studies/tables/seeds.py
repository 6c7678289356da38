"""Mean and standard deviation over seeds, as a table."""

import sys

import numpy as np
from rich.table import Table
from rich.text import Text

from d3gzsl_jax.runs.display import METRICS, Console
from d3gzsl_jax.studies.ablation.table import with_deviation
from d3gzsl_jax.text import clean_name


def print_seed_table(title: str, rows: dict[str, list[dict[str, float]]]) -> None:
    """Prints one line a method: U, S, H and T1 in percent, mean ± standard deviation (n - 1) over its seeds, of one seed
    its figures."""
    table = Table(title=title)
    table.add_column("method")
    table.add_column("seeds", justify="right")
    for heading in METRICS:
        table.add_column(heading, justify="right")
    for method, found in rows.items():
        values = 100 * np.array([[metrics[name] for name in METRICS.values()] for metrics in found], np.float64)
        cells = [with_deviation(of[~np.isnan(of)]) for of in values.T]
        table.add_row(Text(clean_name(method)), str(len(found)), *cells)
    Console(width=None if sys.stdout.isatty() else 110).print(table)
