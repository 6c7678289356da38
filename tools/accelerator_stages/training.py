"""A whole training command for as long as there is time: the released settings at full width."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.accelerator_stages.benchmark_data import NARROW, source
from tools.accelerator_stages.stage import Stage

RELEASED_EPOCHS = 2000
# configuration -> options besides the data's
RUNS = {
    "configs/cub.py": {"eval.every_epochs": "5", "teacher.epochs": "5"},
}
_ENDING = 12.0  # seconds an interrupted command has to evaluate and write its results


def run(stage: Stage) -> None:
    """Records 'source' and 'runs': by configuration the figures of `summary`. Each may take an equal part of the time."""
    rows, done = source(stage), {}
    stage.record(source=rows.name)
    for place, (config, options) in enumerate(RUNS.items()):
        seconds = stage.left / (len(RUNS) - place) - _ENDING
        if seconds < 5:
            stage.note(f"{config}: no time left")
            continue
        folder = stage.output / "training" / Path(config).stem
        shutil.rmtree(folder, ignore_errors=True)  # an earlier call's, which this one would go on with
        given = rows.options | options | {"log.report": "False"}
        if stage.quick:
            given |= NARROW | {"train.epochs": "2", "teacher.epochs": "1", "eval.every_epochs": "1"}
        arguments = [f"--config.{field}={value}" for field, value in given.items()]
        command = [sys.executable, "-m", "d3gzsl_jax.main", f"--config={config}", f"--workdir={folder}"]
        done[config] = {"options": options, **_run([*command, *arguments], folder, seconds)}
        print(config, done[config], flush=True)
        stage.record(runs=done)


def _run(command: list[str], folder: Path, seconds: float) -> dict[str, Any]:
    """Runs a command, interrupting it as Ctrl-C would when its time is over; it then writes results."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        told, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            told, _ = process.communicate(timeout=_ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            told, _ = process.communicate()
    if process.returncode not in (0, 130):
        last = [line for line in told.splitlines() if line.strip()][-1:]
        return {"failed": last[0] if last else f"exit code {process.returncode}"} | summary(folder)
    return summary(folder)


def summary(folder: Path) -> dict[str, Any]:
    """Of a run folder: epochs, seconds in all and of an epoch (evaluation included, the first evaluated ones, which compile, left
    out), how long the released number of epochs would take, and the metrics."""
    found: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, KeyError):
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        epochs = [line for line in lines if line.get("kind") == "epoch"]
        found |= {"epochs": epochs[-1]["epoch"], "seconds": epochs[-1]["clock"]["seconds"]}
        if len(epochs) > 1:
            first, last = epochs[0], epochs[-1]
            each = (last["clock"]["seconds"] - first["clock"]["seconds"]) / (last["epoch"] - first["epoch"])
            whole = first["clock"]["seconds"] + (RELEASED_EPOCHS - first["epoch"]) * each
            found |= {"seconds_per_epoch": each, "seconds_of_2000_epochs": whole}
    with contextlib.suppress(OSError, ValueError, KeyError):
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        found |= {"metrics": results["metrics"], "interrupted": results["interrupted"], "epochs": results["epochs"]}
    return found
