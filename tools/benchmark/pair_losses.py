"""Times L_od of all pairs against its form in sums over rows (losses/plane_pairs.py): value and gradient, CPU time of all threads.

    python tools/benchmark/pair_losses.py

The rows of an outer step of cub_small, the digits, CUB, CE-GZSL with D3 on CUB, and of 50 classes drawn out of 20,000 with a whole
head. The two take turns; printed are medians, and the largest error of a derivative over the largest derivative, against double
precision.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.losses.pairwise import pair_loss, unit_rows
from d3gzsl_jax.losses.plane_pairs import plane_pair_loss
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command

SIZES = {278: 200, 364: 10, 506: 200, 4548: 200, 505: 21_000}  # rows: classes


def form(loss: Callable[..., jax.Array], *further: Any) -> Callable[..., Any]:
    """Value and gradient of L_od by student logits and confidences, compiled."""

    def of(logits: jax.Array, confidence: jax.Array, groups: jax.Array) -> jax.Array:
        teacher = jax.nn.softmax(jnp.stack([confidence, 1.0 - confidence], axis=-1))
        return loss(unit_rows(jax.nn.softmax(logits)), unit_rows(teacher), groups, *further)

    return jax.jit(jax.value_and_grad(of, (0, 1)))


def cpu_seconds(function: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> float:
    """CPU seconds a call, of all threads."""
    began = time.process_time()
    for _ in range(calls):
        found = function(*arguments)
    jax.block_until_ready(found)
    return (time.process_time() - began) / calls


def error(found: Any, exact: Any) -> float:
    """Largest distance of gradients over the largest entry, the worst argument's."""
    far = lambda a, b: float(np.abs(np.asarray(a, float) - b).max() / np.abs(b).max())  # noqa: E731
    return max(far(a, np.asarray(b)) for a, b in zip(found, exact, strict=True))


def measured(rows: int, classes: int, repeats: int) -> str:
    """A row of the table."""
    rng = np.random.default_rng(rows)
    logits, confidence = rng.normal(size=(rows, 2)), rng.uniform(size=rows)
    groups = jnp.asarray(rng.integers(0, classes, rows), jnp.int32)
    arguments = jnp.asarray(logits, jnp.float32), jnp.asarray(confidence, jnp.float32), groups
    forms = [form(pair_loss, "released"), form(plane_pair_loss, classes)]
    errors = [function(*arguments)[1] for function in forms]
    with jax.enable_x64():
        wide = [jnp.asarray(np.asarray(of), jnp.float64) for of in arguments[:2]]
        errors = [error(of, form(plane_pair_loss, classes)(*wide, groups)[1]) for of in errors]
    times = [[cpu_seconds(function, arguments, 50 if rows < 1000 else 3) for function in forms] for _ in range(repeats)]
    pairs, sums = 1e3 * np.median(times, axis=0)
    return f"| {rows} | {classes} | {pairs:.2f} ms | {sums:.2f} ms | {pairs / sums:.1f} | {errors[0]:.1e} | {errors[1]:.1e} |"


def main(argv: list[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args(argv)
    configure()
    print("| rows | classes | pairs | sums | ratio | gradient error, pairs | gradient error, sums |", "|---" * 7 + "|", sep="\n")
    for rows in arguments.rows:
        print(measured(rows, SIZES[rows], arguments.repeats), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
