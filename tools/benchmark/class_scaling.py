"""Cost of an outer step against the number of unseen classes, up to 20,000: time, memory, and what sampling classes saves.

    python tools/benchmark/class_scaling.py --output docs/class_scaling.json --plot docs/class_scaling.svg

D3 on WGAN-GP at the widths of CUB (2048 features, 500-d semantics and noise, hidden layers 4096 and 2048, batch 256), 1,000 seen
classes and random data. Three ways of dealing with unseen classes: all of them in every step (up to 1,000, 5 rows each); 50 drawn
for a step, the student's head whole; 50 drawn, the head narrowed to the step's classes. Each point in a process of its own, whose
peak resident memory it has; the points of a round follow one another, and the medians over rounds are shown.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.report.figures import SVG_SALT
from d3gzsl_jax.studies.own_outputs import json_list_with, picture
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.benchmark.memory import peak_resident_gib

SEEN, SAMPLED, ALL_UP_TO = 1000, 50, 1000
WAYS = {"all classes": (0, "all"), "50 sampled, whole head": (SAMPLED, "all"), "50 sampled, narrowed head": (SAMPLED, "sampled")}


def point(way: str, unseen: int, hidden: int, repeats: int) -> dict[str, Any]:
    """Median seconds of a step, its matrix-multiply FLOPs, first call and peak memory, of this process."""
    from d3gzsl_jax.system.startup import configure
    from tools.benchmark.outer_step import Ours
    from tools.benchmark.sizes import Size

    configure()
    per_step, head = WAYS[way]
    narrow = hidden // 2
    of = Size("wgan", 10 * SEEN, narrow, 500, SEEN, unseen, hidden, narrow, 256, 5, per_step if per_step < unseen else 0, head)
    ours = Ours(of, 1)
    first = ours.step()
    return {
        "way": way, "unseen": unseen, "seconds_per_step": float(np.median([ours.step() for _ in range(repeats)])),
        "matmul_flops_per_step": ours.flops[0], "first_call_seconds": first,
        "peak_resident_gib": peak_resident_gib(),
    }  # fmt: skip


def measure(counts: list[int], hidden: int, rounds: int, repeats: int) -> list[dict[str, Any]]:
    """Every point, a process each."""
    wanted = [(way, unseen) for way in WAYS for unseen in counts if way != "all classes" or unseen <= ALL_UP_TO]
    found: dict[tuple[str, int], list[dict[str, Any]]] = {key: [] for key in wanted}
    for _ in range(rounds):
        for way, unseen in wanted:
            command = [sys.executable, __file__, "--point", way, str(unseen), "--hidden", str(hidden), "--repeats", str(repeats)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[way, unseen].append(json.loads(done.stdout))
            print(done.stdout.strip(), flush=True)
    middle = lambda points: {key: float(np.median([p[key] for p in points])) for key in points[0] if key not in ("way", "unseen")}  # noqa: E731
    return [{"way": way, "unseen": unseen, **middle(points)} for (way, unseen), points in found.items()]


def plot(found: list[dict[str, Any]], path: str) -> None:
    """Seconds and GiB against the number of unseen classes."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = SVG_SALT
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for axis, key, label in zip(
        axes, ("seconds_per_step", "peak_resident_gib"), ("seconds an outer step", "peak resident memory, GiB"), strict=True
    ):
        for way, marker in zip(WAYS, "^so", strict=True):
            points = [p for p in found if p["way"] == way]
            axis.plot([p["unseen"] for p in points], [p[key] for p in points], marker=marker, label=way)
        axis.set(xscale="log", xlabel="unseen classes (1,000 seen)", ylabel=label, ylim=(0, None))
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)


def main(argv: list[str] | None = None) -> int:
    """Runs the measurement; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("--unseen", type=int, nargs="+", default=[100, 1000, 5000, 20000])
    parser.add_argument("--hidden", type=int, default=4096, help="width of generator and critic; others half of it")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3, help="timed steps a point")
    parser.add_argument("--output", metavar="FILE", help="JSON")
    parser.add_argument("--plot", metavar="FILE", help="a picture, .svg or .png")
    parser.add_argument("--point", nargs=2, metavar=("WAY", "UNSEEN"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if min(*arguments.unseen, arguments.rounds, arguments.repeats, arguments.hidden // 2) < 1:
        parser.error("numbers must be at least 1")
    if arguments.point:
        print(json.dumps(point(arguments.point[0], int(arguments.point[1]), arguments.hidden, arguments.repeats)))
        return 0
    known = json_list_with("way", "unseen")
    results = arguments.output and contents.output(arguments.output, "--output", known, "results of this tool")
    drawn = arguments.plot and contents.output(arguments.plot, "--plot", picture, "picture of this tool")
    found = measure(arguments.unseen, arguments.hidden, arguments.rounds, arguments.repeats)
    if results:
        write_text(results, json.dumps(found, indent=1) + "\n")
    if drawn:
        plot(found, str(drawn))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
