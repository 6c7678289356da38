"""The recordings of PyTorch loops in tests/golden, replayed in float32 on this chip."""

import math
import time
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import reason
from d3gzsl_jax.system.startup import configure
from tools.accelerator_stages.stage import Stage
from tools.parity_parts.comparison import Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay import replay

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"
ORDER = ("wgan", "cegzsl", "tfvaegan", "zerodiff", "cadavae", "free", "fvaegan", "tfvaegan_prior")


def run(stage: Stage) -> None:
    """Records 'recordings': by name the verdict, the worst loss (relative) and parameter (learning rates), and what is outside."""
    configure()
    done: dict[str, Any] = {}
    for name in ORDER[: 1 if stage.quick else None]:
        began = time.monotonic()
        try:
            done[name] = summary(replay(Recording(str(GOLDEN / f"{name}.npz"))))
        except Exception as error:  # the others are still to be tried
            done[name] = {"verdict": "failed", "why": reason(error)}
        done[name]["seconds"] = round(time.monotonic() - began, 1)
        print(name, done[name], flush=True)
        stage.record(recordings=done, not_replayed=[other for other in ORDER if other not in done])


def summary(comparison: Comparison) -> dict[str, Any]:
    """A recording's comparison in few figures."""
    rows = comparison.rows
    losses = [row.relative for name, row in rows.items() if name.endswith(" loss")]
    parameters = [row.in_units for row in rows.values() if row.in_units is not None]
    return {
        "verdict": "outside" if comparison.failures else "within",
        "worst_loss_relative": _finite(max(losses, default=0.0)), "worst_parameter_rates": _finite(max(parameters, default=0.0)),
        "outside": comparison.failures,
        "quantities": {name: {"max_abs": _finite(row.absolute), "max_lr": _finite(row.in_units)} for name, row in rows.items()},
    }  # fmt: skip


def _finite(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
