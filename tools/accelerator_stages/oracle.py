"""The method in PyTorch (tools/parity_parts/torch_oracle.py), its losses through torch.compile, on the same chip."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools.accelerator_stages.stage import NotHereError, Stage

TOOL = Path(__file__).resolve().parents[1] / "benchmark" / "time_oracle.py"
# framework, precision, losses through torch.compile; the most telling first
CASES = (
    ("wgan", "float32", True), ("wgan", "tf32", True), ("wgan", "float32", False), ("cegzsl", "float32", True),
    ("cegzsl", "tf32", True),
)  # fmt: skip
SIZE = {"wgan": "cub", "cegzsl": "cegzsl_cub_d3"}


def run(stage: Stage) -> None:
    """Records 'oracle': what time_oracle.py says of each of CASES."""
    if not find_spec("torch"):
        raise NotHereError("PyTorch is not installed: pip install torch, in its build for this chip")
    device = {"cuda": "cuda", "rocm": "cuda", "cpu": "cpu"}.get(stage.platform)
    if device == "cpu" and not stage.quick:
        raise NotHereError("no accelerator here; on a CPU tools/benchmark/outer_step.py --oracle compiled compares")
    if device is None or (device == "cuda" and not _sees_gpu()):
        raise NotHereError(f"this PyTorch does not see the chip ({stage.platform or 'unknown'})")
    done: list[dict[str, Any]] = []
    for framework, precision, compiled in [("wgan", "float32", False)] if stage.quick else CASES:
        size = "tiny" if stage.quick else SIZE[framework]
        command = [sys.executable, str(TOOL), "--size", size, "--device", device, "--precision", precision]
        command += ["--repeats", "2" if stage.quick else "20", *(["--compile"] if compiled else [])]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        found = {"framework": framework, "asked": precision, "compiled": compiled}
        try:
            found = json.loads(told.stdout.splitlines()[-1]) | found
        except (IndexError, ValueError):
            found["failed"] = ([*told.stderr.strip().splitlines(), "failed"])[-2:][0]
        print(found, flush=True)
        stage.record(oracle=[*done, found])
        done.append(found)


def _sees_gpu() -> bool:
    import torch  # of a few hundred megabytes; only where it is asked for

    return torch.cuda.is_available()
