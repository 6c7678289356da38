"""Mean and standard deviation over seeds, as a table."""

import sys

import numpy as np
from rich.table import Table

from d3gzsl_jax.runs.console import METRICS, Console


def print_seed_table(title: str, rows: dict[str, list[dict[str, float]]]) -> None:
    """Prints one line a method: U, S, H and T1 in percent, mean ± standard deviation (n - 1) over its seeds."""
    table = Table(title=title)
    table.add_column("method")
    table.add_column("seeds", justify="right")
    for heading in METRICS:
        table.add_column(heading, justify="right")
    for method, found in rows.items():
        cells = []
        for name in METRICS.values():
            values = 100 * np.array([metrics[name] for metrics in found])
            cells.append(f"{values.mean():.1f} ± {values.std(ddof=min(1, len(values) - 1)):.1f}")
        table.add_row(method, str(len(found)), *cells)
    Console(width=None if sys.stdout.isatty() else 110).print(table)
