"""The metrics of the evaluation at a checkpoint's step, in its folder: by them the best checkpoint is known.

They are written with the checkpoint or, where that was saved before its evaluation (ctrl-C, SIGTERM), added to it afterwards.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.runs.storage import digests
from d3gzsl_jax.system import atomic

ITEM = "evaluation"
"""Name of the folder in that of the checkpoint."""

_FILE = "metadata"  # as Orbax calls it


class Evaluation(msgspec.Struct):
    """What the file holds: its own digest, since it may be younger than the checkpoint's."""

    step: int
    metrics: dict[str, float]
    sha256: str


def content(step: int, metrics: Mapping[str, float]) -> dict[str, Any]:
    """What to write; metrics that are not finite are left out."""
    known = {name: float(value) for name, value in metrics.items() if value is not None and math.isfinite(value)}
    return {"step": step, "metrics": known, "sha256": digests.of_notes([step, known])}


def add(folder: Any, step: int, metrics: Mapping[str, float]) -> None:
    """Adds them to the whole checkpoint in `folder`; whole or absent, and nothing else in it is touched."""
    (folder / ITEM).mkdir(exist_ok=True)
    atomic.write_text(folder / ITEM / _FILE, json.dumps(content(step, metrics)))


def read(folder: Any, step: int) -> dict[str, float] | None:
    """Those of the checkpoint in `folder`, None if it has none.

    Raises:
        UserError: they are damaged, or of another step.
    """
    path = folder / ITEM / _FILE
    found = json_files.read(path, Evaluation)
    if found is None:
        return None
    if found["step"] != step or found["sha256"] != digests.of_notes([found["step"], found["metrics"]]):
        raise UserError(f"{path}: damaged (it is not what was written)")
    return found["metrics"]
