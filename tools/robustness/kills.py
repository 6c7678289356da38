"""Kills a run at random moments, resumes it each time, and compares what it ends with to the same run left alone, bit for bit.

    python tools/robustness/kills.py --config configs/digits.py --kills 20 [--seed 0] [-- --config.framework=cegzsl ...]

What follows `--` goes to both runs. Exit code 0: equal; 1: not (naming the first difference); 2: bad input.
"""

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.checkpoints import Checkpoints, load_arrays
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command

# A checkpoint after every call, and short calls: kills fall into saves, too.
ALWAYS_SAVE = ("--config.checkpoint.every_minutes=0", "--config.train.steps_per_call=4", "--config.log.report=False")


def command(config: str, folder: Path, further: list[str]) -> list[str]:
    """The command of a run."""
    return [sys.executable, "-m", "d3gzsl_jax.main", f"--config={config}", f"--workdir={folder}", *ALWAYS_SAVE, *further]


def finish(config: str, folder: Path, further: list[str]) -> tuple[float, float]:
    """Runs to the end; returns the seconds to the first sign of training, and from there on.

    Raises:
        UserError: the run failed.
    """
    started = time.monotonic()
    process = subprocess.Popen(command(config, folder, further), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not newest(folder):
        time.sleep(0.02)
    began = time.monotonic()
    _, errors = process.communicate()
    if process.returncode:
        raise UserError(f"{config}: the run failed with exit code {process.returncode}: {errors.strip().splitlines()[-1:]}")
    return began - started, time.monotonic() - began


def kill(config: str, folder: Path, further: list[str], seconds: float, training: bool) -> tuple[bool, bool]:
    """Starts or resumes the run and kills it `seconds` after it began to train, or after its start unless `training`; returns
    whether it was still running, and whether it was writing a checkpoint."""
    before = newest(folder)
    process = subprocess.Popen(command(config, folder, further), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while training and process.poll() is None and newest(folder) == before:
        time.sleep(0.005)
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return alive, any("tmp" in path.name for path in (folder / "checkpoints").glob("*"))


def newest(folder: Path) -> str:
    """The newest name among the checkpoints, whole or being written."""
    names = (path.name for path in (folder / "checkpoints").glob("[0-9]*"))
    return max(names, default="", key=lambda name: int(name.split(".")[0]))


def difference(one: Path, other: Path) -> str | None:
    """The first thing in which two finished runs differ, wall-clock fields aside."""
    steps = [Checkpoints(folder / "checkpoints", 1, "", 0.0, print).steps[-1] for folder in (one, other)]
    if steps[0] != steps[1]:
        return f"newest checkpoints: {steps[0]} and {steps[1]}"
    trees = [load_arrays(folder / "checkpoints" / str(steps[0]) / "training") for folder in (one, other)]
    for (name, a), (other_name, b) in zip(*map(jax.tree.leaves_with_path, trees), strict=True):
        if name != other_name or a.dtype != b.dtype or not np.array_equal(a, b, equal_nan=True):
            return f"checkpoint {steps[0]}: {jax.tree_util.keystr(name)}"
    results = [json.loads((folder / "results.json").read_text(encoding="utf-8")) for folder in (one, other)]
    for field in results[0].keys() | results[1].keys():
        if field not in ("seconds", "fold_seconds") and results[0].get(field) != results[1].get(field):
            return f"results.json: {field}"
    lines = [[_timeless(json.loads(line)) for line in (folder / "metrics.jsonl").open(encoding="utf-8")] for folder in (one, other)]
    for a, b in zip(*lines, strict=False):
        if a != b:
            return f"metrics.jsonl: epoch {a['epoch']}: {[key for key in a if a[key] != b.get(key)]}"
    return None if len(lines[0]) == len(lines[1]) else f"metrics.jsonl: {len(lines[0])} and {len(lines[1])} lines"


def _timeless(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != "clock"}


def main() -> int:
    """Runs, kills, resumes, compares."""
    parser = Parser(description=__doc__)
    parser.add_argument("--config", default="configs/digits.py")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("further", nargs="*", help="for both runs, after --")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    try:
        alone, killed = folder / "alone", folder / "killed"
        starting, seconds = finish(args.config, alone, args.further)
        print(f"left alone: {starting:.1f} s until it trained, {seconds:.1f} s from there on", flush=True)
        moments, writing, done = random.Random(args.seed), 0, 0
        while done < args.kills:
            training = moments.random() < 0.8  # the others fall into start-up, reading and the teacher
            moment = moments.uniform(0.0, seconds / args.kills if training else starting)
            alive, was_writing = kill(args.config, killed, args.further, moment, training)
            if not alive:
                break
            done, writing = done + 1, writing + was_writing
            where = newest(killed).split(".")[0] or "nothing"
            print(f"kill {done}: {'while writing' if was_writing else 'after'} checkpoint {where}", flush=True)
        finish(args.config, killed, args.further)
        found = difference(alone, killed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if done < args.kills:
        print(f"kills: the run ended after {done} of {args.kills} kills; give it more epochs", file=sys.stderr)
        return 2
    verdict = f"NOT equal: {found}" if found else "equal, bit for bit"
    print(f"{done} kills, {writing} of them while a checkpoint was being written: {verdict}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
