"""A trace of some outer steps (for TensorBoard or XProf), and what in them takes how long."""

from collections import Counter
from pathlib import Path
from typing import Any

import jax

from d3gzsl_jax.precision import scope
from d3gzsl_jax.system.startup import configure
from tools.accelerator_stages.outer_steps import sizes
from tools.accelerator_stages.stage import Stage
from tools.benchmark.outer_step import Ours

_MOST = 20
_AROUND = ("ThunkExecutor", "end: ")  # what a CPU's trace has around the operations, their time counted twice


def run(stage: Stage) -> None:
    """Records 'trace', the folder, and 'longest': the operations of the devices by the time they take in all, in milliseconds."""
    configure()
    folder, steps = stage.output / "trace", 2 if stage.quick else 20  # as outer_steps: its program is kept
    with scope("float32"):
        ours = Ours(sizes(stage.quick)["wgan"], steps)
        ours.step()
        with jax.profiler.trace(str(folder)):
            seconds = ours.step()
    stage.record(trace=str(folder), steps=steps, seconds_per_step=seconds)
    if files := sorted(folder.rglob("*.xplane.pb")):
        stage.record(**longest(files[-1]))


def longest(trace: Path) -> dict[str, Any]:
    """Of a trace, 'longest' and 'milliseconds' of all operations. A GPU's are on its streams; a CPU's, on which operations nest, on
    its threads."""
    taken: Counter[str] = Counter()
    for plane in jax.profiler.ProfileData.from_file(str(trace)).planes:
        on_chip = plane.name.startswith("/device:")
        for line in plane.lines:
            if (on_chip and ("Stream" in line.name or line.name == "XLA Ops")) or (not on_chip and "XLA" in line.name):
                for event in line.events:
                    if event.name.startswith(_AROUND):
                        continue
                    taken[event.name] += event.duration_ns / 1e6
    return {"milliseconds": sum(taken.values()), "longest": {name[:120]: ms for name, ms in taken.most_common(_MOST)}}
