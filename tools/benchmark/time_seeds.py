"""Times several seeds trained together against the same seeds one after another, and compares their results.

    python tools/benchmark/time_seeds.py --config configs/digits.py [--seeds 5] [--turns 2] [--training] [--
        --config.train.n_critic=5 ...]

Wall and CPU seconds of complete commands, start, compilation, evaluation and reports included: one command with config.seeds,
against one command a seed. With --training, also wall seconds of outer steps alone, compiled already, in this process: each way,
and each seed by itself. Both are taken in turns and the median counts. What follows `--` goes to every command and, with
--training, into the configuration of the outer steps. Exit code 0: each seed has the same metrics both ways; 1: not (naming the
first; to be expected of config.parallel.seeds_as=vmap); 2: bad input.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from d3gzsl_jax.config import check as settings
from d3gzsl_jax.data.load import load
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.runs.settings import RunSettings
from d3gzsl_jax.runs.setup import Setup
from d3gzsl_jax.runs.teacher import prepare
from d3gzsl_jax.studies.overrides import configured
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.signals import Signals
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.train import begin
from d3gzsl_jax.training.build import build
from d3gzsl_jax.training.joint_loop import JointLoop
from d3gzsl_jax.training.sharding import Sharding

ROOT = Path(__file__).resolve().parents[2]


class Seconds(NamedTuple):
    """Wall clock, and of all cores together."""

    wall: float
    cpu: float


def command(config: str, folder: Path, further: list[str]) -> Seconds:
    """Runs a training command to the end.

    Raises:
        UserError: it failed.
    """
    began, before = time.monotonic(), os.times()
    arguments = [sys.executable, "-m", "d3gzsl_jax.main", f"--config={config}", f"--workdir={folder}", *further]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{config}: exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Seconds(time.monotonic() - began, cpu)


def commands(config: str, seeds: range, turns: int, further: list[str]) -> tuple[list[Seconds], list[Seconds], str | None]:
    """Together and one after another, by turn, and the first seed whose metrics differ."""
    joint, single, other = [], [], None
    for turn in range(turns):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            joint.append(command(config, root / "joint", [*further, f"--config.seeds={tuple(seeds)}"]))
            each = [command(config, root / f"seed-{seed}", [*further, f"--config.seed={seed}"]) for seed in seeds]
            single.append(Seconds(sum(one.wall for one in each), sum(one.cpu for one in each)))
            for seed in seeds:
                paths = (root / "joint" / f"seed-{seed}", root / f"seed-{seed}")
                found = [json.loads((path / "results.json").read_text(encoding="utf-8"))["predictions"] for path in paths]
                if found[0] != found[1]:
                    other = other or f"seed {seed}"
        pairs = (("together", joint[-1]), ("one after another", single[-1]))
        both = (f"{name} {one.wall:.1f} s ({one.cpu:.1f} s of CPU)" for name, one in pairs)
        print(f"turn {turn + 1}: {', '.join(both)}", flush=True)
    return joint, single, other


def configuration(spec: str, further: list[str]) -> ConfigDict:
    """The configuration of a command with these further arguments, --config.group.field=value each.

    Raises:
        UserError: there is no such file, or an argument is none of the configuration's, or of another type.
    """
    given = {}
    for argument in further:
        name, equals, value = argument.partition("=")
        if not (name.startswith("--config.") and equals):
            raise UserError(f"{argument}: with --training, what follows -- is written --config.group.field=value")
        given[name.removeprefix("--config.")] = value
    config = configured(spec, given)
    settings.check(config)
    return config


def training(config: ConfigDict, seeds: range, turns: int, steps: int) -> dict[str, float]:
    """Median wall seconds of `steps` outer steps of all seeds, compiled already: by way of `JointLoop`, and 'alone'."""
    configure()
    data = load(config.dataset, config.data)
    with tempfile.TemporaryDirectory() as folder:
        model, display = build(config, data), Display(quiet=True)
        setup, runs, begun = Setup(config, data, model, Sharding(), len(seeds)), [], []
        for seed in seeds:
            own = config.copy_and_resolve_references()
            own.seed = seed
            where = RunFolder(f"{folder}/{seed}", data.name)
            checkpoints = Checkpoints(where.path / "checkpoints", 1, "", 1e9, display.say)
            runs.append(Run(RunSettings.of(own), setup, where, checkpoints, display, model.final_classifier))
            begun.append(begin(runs[-1], prepare(runs[-1], Signals()), Signals()))

        def alone() -> None:
            for one in begun:
                state = jax.tree.map(jax.numpy.copy, one.state)
                jax.block_until_ready(setup.loop.run(state, one.tally, one.constants, None, 0, steps))

        def joint(way: str) -> Callable[[], None]:
            loop = JointLoop(setup.loop, way)
            tally, constants = loop.stack([one.tally for one in begun]), loop.stack([one.constants for one in begun])

            def run() -> None:
                state = loop.stack([one.state.replace(step=one.state.step.copy()) for one in begun])
                jax.block_until_ready(loop.run(state, tally, constants, None, 0, steps))

            return run

        ways = {"alone": alone, "map": joint("map"), "vmap": joint("vmap")}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(turns + 1):
            for name, go in ways.items():
                began = time.monotonic()
                go()
                if turn:  # the first one compiles
                    taken[name].append(time.monotonic() - began)
        for run in runs:
            run.close()
    return {name: statistics.median(found) for name, found in taken.items()}


def main() -> int:
    """Prints both, and their ratio."""
    own = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    parser = Parser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--training", action="store_true", help="outer steps alone, too")
    parser.add_argument("--steps", type=int, default=80, help="outer steps of --training")
    args = parser.parse_args(own)
    further = sys.argv[1 + len(own) + 1 :]
    for name in ("seeds", "turns", "steps"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name} {getattr(args, name)}: must be at least 1")
    config = configuration(args.config, further) if args.training else None
    joint, single, other = commands(args.config, range(args.seeds), args.turns, further)
    for kind in Seconds._fields:
        a, b = (statistics.median(getattr(one, kind) for one in found) for found in (joint, single))
        print(f"complete commands, {kind}: together {a:.1f} s, one after another {b:.1f} s, ratio {a / b:.2f}")
    if config:
        taken = training(config, range(args.seeds), 2 * args.turns + 1, args.steps)
        for way in ("map", "vmap"):
            a, b = taken[way], taken["alone"]
            print(f"outer steps, {way}: together {a:.2f} s, one after another {b:.2f} s, ratio {a / b:.2f}")
    print("metrics: " + (f"{other} has others together than alone" if other else "those of each seed alone, to the last digit"))
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
