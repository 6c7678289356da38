"""Writes small simulated benchmarks like those that people have of their own; numbers on them are no results.

    python tools/simulated/small_sets.py --set=12-classes --output data/12-classes.npz

Pictures and texts are unit vectors in one space, as of CLIP: a class has a direction, its text lies near it, its pictures around
it, and all pictures share an offset from all texts, as CLIP's do. Many directions are alike, as classes of one kind are.
"""

import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.simulated.write_benchmark import write_benchmark


class Sizes(NamedTuple):
    """Classes, how many of them are unseen, pictures of a class to train with and to test with, and dimensions."""

    classes: int
    unseen: int
    train: int
    test: int
    size: int


SETS = {
    "12-classes": Sizes(12, 3, 40, 20, 64),
    "5-pictures": Sizes(8, 2, 5, 5, 64),
    "3-pictures": Sizes(300, 60, 3, 3, 128),
    "3-seen": Sizes(5, 2, 20, 10, 32),
}
"""By name."""


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows divided by their norms."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def simulate(of: Sizes, seed: int) -> GZSLData:
    """A benchmark of these sizes."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.standard_normal(shape) / np.sqrt(of.size)  # noqa: E731 # of length about 1
    kinds = draw(max(of.classes // 6, 2), of.size)
    directions = unit(kinds[rng.integers(len(kinds), size=of.classes)] + draw(of.classes, of.size))
    texts = unit(directions + 0.6 * draw(of.classes, of.size) + draw(of.size))
    unseen = np.sort(rng.permutation(of.classes)[: of.unseen])
    seen = np.setdiff1d(np.arange(of.classes), unseen)
    labels = np.concatenate([np.repeat(seen, of.train), np.repeat(seen, of.test), np.repeat(unseen, of.test)])
    features = unit(directions[labels] + 0.9 * draw(len(labels), of.size) + draw(of.size))
    ends = np.cumsum([len(seen) * of.train, len(seen) * of.test])
    trainval, test_seen, test_unseen = np.split(np.arange(len(labels)), ends)
    return GZSLData(
        name=f"simulated, {of.classes} classes", features=features.astype(np.float32), labels=labels,
        semantics=texts.astype(np.float32), class_names=tuple(f"class {c}" for c in range(of.classes)), trainval=trainval,
        test_seen=test_seen, test_unseen=test_unseen,
        provenance={"source": "simulated", "feature_file": "simulated", "semantics": "simulated", "sha256": {}},
    )


def main(argv: list[str] | None = None) -> int:
    """Writes the file; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("--set", choices=SETS, required=True, help="which")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", required=True, metavar="FILE.npz")
    arguments = parser.parse_args(argv)
    return write_benchmark("small_sets", arguments.output, lambda: simulate(SETS[arguments.set], arguments.seed))


if __name__ == "__main__":
    sys.exit(run_command(main))
