"""Trains the same run on different numbers of devices, made of the CPU, and tells how far they end from the run on one.

    python tools/robustness/device_equality.py [--config configs/digits.py] [--layouts 2,4,8,2x2] [--frameworks wgan,tfvaegan] [--
        FLAG ...]

A layout is a number of devices, or processes x devices of each. What follows `--` goes to every run; without it a run is 21 outer
steps of narrow networks, an epoch in batches of 48. Exit code 0: everywhere within 0.01 learning rates; 1: not; 2: bad input.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.checkpoints import Checkpoints, load_arrays
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.robustness import launch

LIMIT = 0.01  # learning rates
QUICK = (
    "--config.data.pipeline=device", "--config.train.epochs=1", "--config.train.batch_size=48", "--config.teacher.epochs=3",
    "--config.classifier.epochs=2", "--config.eval.every_epochs=1", "--config.log.report=False",
    "--config.networks.generator_hidden=16", "--config.networks.critic_hidden=16", "--config.networks.embedding=16",
    "--config.distillation.n_syn=10",
)  # fmt: skip


class Difference(NamedTuple):
    """Of two runs: the largest distance of a parameter in learning rates, and which it is; the largest relative one of a mean
    loss; whether the metrics are the same."""

    parameters: float
    where: str
    losses: float
    metrics: bool


def run(arguments: list[str], devices: int, processes: int = 1) -> None:
    """One command of training, in so many processes of so many devices.

    Raises:
        UserError: it failed.
    """
    if processes > 1:
        code = launch.wait(launch.start(processes, devices, arguments, quiet=True))
    else:
        command = [sys.executable, "-m", "d3gzsl_jax.main", *arguments]
        code = subprocess.run(command, env=launch.environment(devices), stdout=subprocess.DEVNULL, check=False).returncode
    if code:
        raise UserError(f"{processes} x {devices} devices: the run failed with exit code {code}")


def difference(one: Path, other: Path) -> Difference:
    """How far two finished runs are from each other."""
    rate = json.loads((one / "config.json").read_text(encoding="utf-8"))["train"]["learning_rate"]
    steps = [Checkpoints(folder / "checkpoints", 1, "", 0.0, print, look=True).steps[-1] for folder in (one, other)]
    trees = [
        load_arrays(folder / "checkpoints" / str(step) / "training")["state"]["params"]
        for folder, step in zip((one, other), steps, strict=True)
    ]
    far = {
        jax.tree_util.keystr(path, simple=True, separator="/").replace("/params", ""): float(np.abs(a - b).max()) / rate
        for (path, a), b in zip(jax.tree.leaves_with_path(trees[0]), jax.tree.leaves(trees[1]), strict=True)
    }
    where = max(far, key=far.__getitem__)
    lines = [[json.loads(line) for line in (folder / "metrics.jsonl").open(encoding="utf-8")] for folder in (one, other)]
    losses = [np.array(jax.tree.leaves([line["losses"] for line in of])) for of in lines]
    relative = np.abs(losses[0] - losses[1]) / np.maximum(np.abs(losses[0]), 1e-3)
    metrics = [[line["predictions"] for line in of] for of in lines]
    return Difference(far[where], where, float(relative.max()), metrics[0] == metrics[1] and steps[0] == steps[1])


def main() -> int:
    """Runs, compares, prints the table."""
    parser = Parser(description=__doc__)
    parser.add_argument("--config", default="configs/digits.py")
    parser.add_argument("--layouts", default="2,4,8,2x2")
    parser.add_argument("--frameworks", default="wgan,cegzsl,fvaegan,tfvaegan,cadavae,free")
    parser.add_argument("further", nargs="*", help="for every run, after --")
    args = parser.parse_args()
    worst = 0.0
    print("| base | processes x devices | largest distance (learning rates) | of | losses (relative) | metrics |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="devices-") as folder:
        for framework in args.frameworks.split(","):
            given = [f"--config={args.config}", *(args.further or QUICK), f"--config.framework={framework}"]
            alone = Path(folder) / framework
            try:
                run([*given, f"--workdir={alone}"], 1)
                for layout in args.layouts.split(","):
                    processes, devices = (int(number) for number in (layout if "x" in layout else f"1x{layout}").split("x"))
                    other = Path(folder) / f"{framework}-{layout}"
                    run([*given, f"--workdir={other}"], devices, processes)
                    found = difference(alone, other)
                    worst = max(worst, found.parameters)
                    print(
                        f"| {framework} | {processes} x {devices} | {found.parameters:.2g} | {found.where} | {found.losses:.1g} | "
                        f"{'equal' if found.metrics else 'NOT equal'} |", flush=True,
                    )  # fmt: skip
            except (UserError, ValueError) as error:
                print(f"device_equality: {error}", file=sys.stderr)
                return 2
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(run_command(main))
