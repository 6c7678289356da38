"""Writes a simulated benchmark of any number of classes, for trying sizes no public one has. Numbers on it are no results.

    python tools/simulated/benchmark.py --seen 1000 --unseen 20000 --output data/many.npz

Semantics are standard normal. A row is ReLU(a R + 0.5 noise), R a random matrix, so that classes can be told apart and unseen ones
inferred.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.simulated.write_benchmark import write_benchmark


def simulate(seen: int, unseen: int, features: int, semantics: int, train: int, test: int, seed: int) -> GZSLData:
    """`train` and `test` rows of each seen class, `test` of each unseen one; classes in random order."""
    rng = np.random.default_rng(seed)
    count = seen + unseen
    table = rng.standard_normal((count, semantics), np.float32)
    order = rng.permutation(count)
    labels = np.concatenate([np.repeat(order[:seen], train), np.repeat(order, test)])
    mix = rng.standard_normal((semantics, features), np.float32) / np.float32(np.sqrt(semantics))
    rows = table[labels] @ mix
    rows += 0.5 * rng.standard_normal(rows.shape, np.float32)
    ends = np.cumsum([seen * train, seen * test, unseen * test])
    trainval, test_seen, test_unseen = np.split(np.arange(ends[-1]), ends[:-1])
    return GZSLData(
        name=f"simulated, {count} classes", features=np.maximum(rows, 0.0), labels=labels, semantics=table,
        class_names=tuple(f"class {c}" for c in range(count)), trainval=trainval, test_seen=test_seen, test_unseen=test_unseen,
    )


def main(argv: list[str] | None = None) -> int:
    """Writes the file; returns the exit code."""
    parser = Parser(description=__doc__)
    numbers = {"seen": 1000, "unseen": 20000, "features": 2048, "semantics": 500, "train": 10, "test": 1}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", required=True, metavar="FILE.npz")
    arguments = parser.parse_args(argv)
    sizes = [getattr(arguments, name) for name in numbers]
    if min(sizes) < 1:
        parser.error("numbers must be at least 1")
    return write_benchmark("simulate", arguments.output, lambda: simulate(*sizes, arguments.seed))


if __name__ == "__main__":
    sys.exit(run_command(main))
