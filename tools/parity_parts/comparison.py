"""Deviations between a recording and our numbers: collected by quantity, judged, printed as a table."""

import dataclasses

import numpy as np
from rich.table import Table

from d3gzsl_jax.runs.display import Console


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """A value passes if |ours - theirs| <= absolute + relative * |theirs|, both sides divided by the unit first."""

    absolute: float
    relative: float = 0.0
    text: str = ""


LOSS = Tolerance(5e-6, 1e-5, "1e-5 rel + 5e-6 abs")
PARAMETER = Tolerance(0.01, 0.0, "0.01 lr")
GRADIENT = Tolerance(1e-6, 1e-4, "1e-4 rel + 1e-6 abs, of the tensor's largest")
RATE = Tolerance(0.0, 2e-6, "2e-6 rel")
EXACT = Tolerance(1e-6, 0.0, "1e-6 abs")


@dataclasses.dataclass
class Row:
    """The worst deviation of one quantity so far, and the first place where it left its tolerance."""

    tolerance: Tolerance
    count: int = 0
    absolute: float = 0.0
    relative: float = 0.0
    in_units: float | None = None
    first_failure: str | None = None


class Comparison:
    """Collects deviations by quantity, in the order in which quantities first appear. `other`: what ours is held against."""

    def __init__(self, other: str = "recorded") -> None:
        self.rows: dict[str, Row] = {}
        self._other = other

    def add(
        self, quantity: str, where: str, ours: object, theirs: object, tolerance: Tolerance, unit: float | None = None
    ) -> None:
        """Compares one array.

        Args:
            quantity: the table row it belongs to.
            where: step and key, named in a failure.
            ours, theirs: arrays of the same shape; NaN on either side fails.
            tolerance: see `Tolerance`.
            unit: for parameters the learning rate the deviation is measured in.
        """
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        row = self.rows.setdefault(quantity, Row(tolerance))
        row.count += 1
        if ours.shape != theirs.shape:
            row.first_failure = row.first_failure or f"{where}: shape {ours.shape}, {self._other} {theirs.shape}"
            return
        if ours.size == 0:
            return
        difference = np.abs(ours - theirs)
        scale = np.abs(theirs)
        row.absolute = float(np.maximum(row.absolute, difference.max()))
        row.relative = float(np.maximum(row.relative, (difference / np.maximum(scale, 1e-30))[scale > 0].max(initial=0.0)))
        measured = difference if unit is None else difference / unit
        if unit is not None:
            row.in_units = float(np.maximum(row.in_units or 0.0, measured.max()))
        if tolerance is GRADIENT:
            scale = np.full_like(scale, scale.max())
        allowed = tolerance.absolute + tolerance.relative * (scale if unit is None else scale / unit)
        if row.first_failure is None and not np.all(measured <= allowed):
            worst = np.unravel_index(np.argmax(np.where(np.isnan(measured), np.inf, measured - allowed)), measured.shape)
            index = f"[{', '.join(str(int(i)) for i in worst)}]" if worst else ""
            row.first_failure = f"{where}{index}: ours {ours[worst]:.9g}, {self._other} {theirs[worst]:.9g}"

    @property
    def failures(self) -> list[str]:
        """'quantity: step, key, values' of the first failure of every quantity outside its tolerance."""
        return [f"{name}: {row.first_failure}" for name, row in self.rows.items() if row.first_failure]

    def print(self, console: Console, title: str) -> None:
        """The table, one row a quantity."""
        table = Table(title=title)
        for heading in ("quantity", "arrays", "max abs", "max rel", "max lr", "tolerance", "verdict"):
            table.add_column(heading, justify="left" if heading in ("quantity", "tolerance", "verdict") else "right")
        for name, row in self.rows.items():
            units = "" if row.in_units is None else f"{row.in_units:.2g}"
            verdict = "OUTSIDE" if row.first_failure else "within"
            table.add_row(
                name, str(row.count), f"{row.absolute:.2g}", f"{row.relative:.2g}", units, row.tolerance.text, verdict
            )
        console.print(table)
