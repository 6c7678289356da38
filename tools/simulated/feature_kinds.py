"""Writes a simulated benchmark with features as a kind of network makes them, for trying scaling. Numbers on it are no results.

    python tools/simulated/feature_kinds.py --kind clip --output data/clip_like.npz

All kinds hold the same rows h: a class is a standard normal vector of semantics mixed by a random matrix, plus what semantics do
not tell, and rows of a class differ along a few directions that all classes share. What a network makes of h:

    relu    max(W h - b, 0): sparse and non-negative, as pooled features of a ResNet
    clip    W h plus a vector that all rows share, to length 1: dense, two-sided, as image features of CLIP
    logits  W h - b, dimensions of unlike spread: more negative than positive, as logits
    vit     LayerNorm(W h) with a scale and an offset for each dimension, some of them far larger: as the last layer of a ViT
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.simulated.write_benchmark import write_benchmark

KINDS = ("relu", "clip", "logits", "vit")
_LATENT, _NUISANCES = 32, 8


def simulate(
    kind: str, seen: int = 30, unseen: int = 10, features: int = 128, semantics: int = 24, train: int = 30, test: int = 15,
    seed: int = 0,
) -> GZSLData:
    """`train` and `test` rows of each seen class, `test` of each unseen one, with features of one of KINDS."""
    rng = np.random.default_rng(seed)
    count = seen + unseen
    table = rng.standard_normal((count, semantics))
    mix = rng.standard_normal((semantics, _LATENT)) / np.sqrt(semantics)
    centers = table @ mix + 0.3 * rng.standard_normal((count, _LATENT))
    labels = np.concatenate([np.repeat(np.arange(seen), train), np.repeat(np.arange(count), test)])
    shared = rng.standard_normal((_NUISANCES, _LATENT)) / np.sqrt(_NUISANCES)
    rows = centers[labels] + rng.standard_normal((len(labels), _NUISANCES)) @ shared
    rows += 0.3 * rng.standard_normal(rows.shape)
    ends = np.cumsum([seen * train, seen * test, unseen * test])
    trainval, test_seen, test_unseen = np.split(np.arange(ends[-1]), ends[:-1])
    return GZSLData(
        name=f"simulated, {kind}-like", features=_seen_by(kind, rows, features, rng).astype(np.float32), labels=labels,
        semantics=table.astype(np.float32), class_names=tuple(f"class {c}" for c in range(count)), trainval=trainval,
        test_seen=test_seen, test_unseen=test_unseen,
        provenance={"source": "simulated", "feature_file": kind, "semantics": "simulated", "sha256": {}},
    )


def _seen_by(kind: str, rows: np.ndarray, features: int, rng: np.random.Generator) -> np.ndarray:
    """Features (n, dx) of rows h (n, k)."""
    outputs = rows @ rng.standard_normal((rows.shape[1], features)) / np.sqrt(rows.shape[1])
    outputs += 0.2 * rng.standard_normal(outputs.shape)
    unlike = np.exp(0.5 * rng.standard_normal(features))
    shift = rng.standard_normal(features)
    if kind == "relu":
        return np.maximum(unlike * (outputs - 0.8), 0.0)
    if kind == "clip":
        outputs += 2.0 * shift
        return outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    if kind == "logits":
        return 2.0 * unlike * (outputs - 0.3 + 0.3 * shift)
    normed = (outputs - outputs.mean(axis=1, keepdims=True)) / outputs.std(axis=1, keepdims=True)
    scale = np.where(rng.random(features) < 0.03, 12.0, unlike)
    return scale * (normed + 0.5 * shift)


def main(argv: list[str] | None = None) -> int:
    """Writes the file; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, required=True)
    numbers = {"seen": 30, "unseen": 10, "features": 128, "semantics": 24, "train": 30, "test": 15}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", required=True, metavar="FILE.npz")
    arguments = parser.parse_args(argv)
    sizes = {name: getattr(arguments, name) for name in numbers}
    if min(sizes.values()) < 1:
        parser.error("numbers must be at least 1")
    return write_benchmark("feature_kinds", arguments.output, lambda: simulate(arguments.kind, **sizes, seed=arguments.seed))


if __name__ == "__main__":
    sys.exit(run_command(main))
