"""What tools/simulated/scaling_table.py measured: AUSUC by scaling and generator's output, and whether `auto` takes the best."""

from collections.abc import Mapping
from typing import Any

from d3gzsl_jax.studies.tables.cells import UNKNOWN, signed
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table

CALLED = {
    "clip": "like CLIP, simulated", "vit": "like a ViT, simulated", "logits": "like logits, simulated",
    "relu": "after a ReLU, simulated", "digits": "digits", "digits turned round": "digits turned round (16 − x)",  # noqa: RUF001
    "flo": "FLO, standardized, 40 % of the rows",
}  # fmt: skip
"""Sets by their name in the file."""
_PREDICTORS = ("student", "classifier")


def table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a set: student / classifier by setting, what `auto` takes, and its AUSUC less the best of all settings."""
    settings = list(dict.fromkeys(name for of in found.values() for name in of["cells"]))
    rows = []
    for name, called in CALLED.items():
        if name in found:
            cells, auto = found[name]["cells"], " ".join(found[name]["auto"])
            shown = [_both(cells[setting]) if setting in cells else UNKNOWN for setting in settings]
            rows.append([Cell.of(cell) for cell in (called, auto, _less_best(cells, auto), *shown)])
    headings = ["features", "auto takes", "auto less the best", *settings]
    return Table("", [Column.of(heading, right=place > 1) for place, heading in enumerate(headings)], rows)


def _both(cell: Mapping[str, Any]) -> str:
    return " / ".join(f"{cell[name]['mean']:.1f}" for name in _PREDICTORS)


def _less_best(cells: Mapping[str, Mapping[str, Any]], auto: str) -> str:
    if auto not in cells:
        return UNKNOWN
    less = (cells[auto][name]["mean"] - max(of[name]["mean"] for of in cells.values()) for name in _PREDICTORS)
    return " / ".join(map(signed, less))
