"""Time and memory of --mode=predict on a file larger than memory would like: an untrained model at CUB's size, random features.

    python tools/benchmark/predict_speed.py --rows 1000000 --folder FOLDER

It needs 4 * 2048 bytes a row in FOLDER, which are given back at the end.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.scaling import Scaling
from d3gzsl_jax.keys import root_key
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.training.build import build_objective, class_table

ROOT = Path(__file__).resolve().parents[2]
FEATURES, SEMANTICS, SEEN, CLASSES, BLOCK = 2048, 312, 150, 200, 10_000


def untrained_model(folder: Path) -> None:
    """Saves a model of CUB's size with fresh parameters, which predicts by its student, with a teacher."""
    config, ids = load_config(ROOT / "configs" / "cub.py"), np.arange(CLASSES, dtype=np.int32)
    semantics = np.random.default_rng(0).uniform(size=(CLASSES, SEMANTICS)).astype(np.float32)
    objective = build_objective(config, class_table(semantics, ids[:SEEN], ids[SEEN:]), FEATURES)
    key = root_key(0)
    TrainedModel(
        name="untrained", config=config, semantics=semantics, class_names=tuple(f"class {i}" for i in ids), seen=ids[:SEEN],
        unseen=ids[SEEN:], scaling=Scaling(np.full(FEATURES, 0.2), np.zeros(FEATURES), 1.0), params=objective.init(key),
        teacher=objective.distillation.teacher.init(key, FEATURES), classifier=None, prediction="student", step=0, data_digest="",
    ).save(folder)


def random_features(path: Path, rows: int) -> None:
    """Writes (rows, FEATURES) float32 to a .npy file, block by block."""
    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_2_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, FEATURES)})
        for start in range(0, rows, BLOCK):
            rng.random((min(BLOCK, rows - start), FEATURES), np.float32).tofile(file)


def main() -> None:
    """Prints one JSON object."""
    parser = Parser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    args = parser.parse_args()
    configure()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        untrained_model(folder / "model")
        random_features(folder / "features.npy", args.rows)
        options = {"mode": "predict", "workdir": folder / "model", "input": folder / "features.npy", "output": folder / "out.csv"}
        command = [sys.executable, "-m", "d3gzsl_jax.main", *(f"--{flag}={value}" for flag, value in options.items())]
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        with open(folder / "out.csv", encoding="utf-8") as file:
            lines = sum(1 for _ in file)
    # Of the child; not below what this process had when it started it.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    found = {"rows": args.rows, "lines": lines, "seconds": seconds, "rows_per_second": args.rows / seconds}
    print(json.dumps(found | {"peak_resident_gib": peak, "device": jax.devices()[0].device_kind}, indent=2))


if __name__ == "__main__":
    sys.exit(run_command(main))
