"""Times the outer step at the size of a benchmark and relates it to its own matrix products.

    python tools/benchmark.py --size cub

In one run and alternating: the machine's float32 matrix-multiply rate (2048 x 2048 x 2048, this framework), and one outer step
(5 critic updates and 1 generator update, random data, index mode). Printed: medians, the step's own matrix-multiply FLOPs (counted
from its jaxpr, dead code left out), the time those would take at the measured rate, the ratio of the two, first-call time
(compilation included) and peak resident memory of the process. --json prints one JSON object instead.
"""

import argparse
import json
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.process import configure
from d3gzsl_jax.training.distillation import Distillation
from d3gzsl_jax.training.loop import Constants, Loop
from d3gzsl_jax.training.objective import Objective
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.randomness import root_key, sample_rows
from d3gzsl_jax.training.schedule import RELEASED_DECAY_EVERY, RELEASED_FACTORS
from d3gzsl_jax.training.structures import Batch, Classes, TrainState
from d3gzsl_jax.training.teacher import Teacher
from tools.flops import matmul_flops

# rows, feature size, semantic size, seen, unseen, generator and critic width, embedding width, batch, n_syn
SIZES = {
    "cub": (7057, 2048, 312, 150, 50, 4096, 2048, 256, 5),
    "awa2": (23527, 2048, 85, 40, 10, 4096, 2048, 256, 5),
    "flo": (5631, 2048, 1024, 82, 20, 4096, 2048, 256, 5),
    "sun": (10320, 2048, 102, 645, 72, 4096, 2048, 256, 5),
    "tiny": (200, 32, 8, 6, 4, 64, 32, 16, 2),
}
N_CRITIC = 5


def build(size: str) -> tuple[Loop, TrainState, Constants]:
    """Loop, state and constants at a size, with random data."""
    rows, features, semantics, seen, unseen, hidden, width, batch, n_syn = SIZES[size]
    root = root_key(0)
    teacher = Teacher(seen=seen, embedding_width=width)
    objective = Objective(
        WGAN(feature_size=features, semantic_size=semantics, noise_size=semantics, generator_hidden=hidden, critic_hidden=hidden),
        Distillation(
            teacher=teacher, classes=seen + unseen, embedding_width=width, n_syn=n_syn, weight_cls=1e-4, weight_od=1e-4,
            weight_be=1e-4, weight_kl=1e-4,
        ),
    )
    params = objective.framework.init(root) | objective.distillation.init(root, features)
    optimization = Optimization(
        learning_rates=dict.fromkeys(params, 1e-4), factors=RELEASED_FACTORS, decay_every=RELEASED_DECAY_EVERY,
        steps_per_epoch=-(-rows // batch),
    )
    x = jax.random.uniform(root, (rows, features))
    labels = jax.random.randint(root, (rows,), 0, seen)
    teacher_params = teacher.init(root, features)
    ids = jnp.arange(seen + unseen)
    classes = Classes(semantics=jax.random.uniform(root, (len(ids), semantics)), seen=ids[:seen], unseen=ids[seen:])
    table = Batch(features=x, labels=labels, teacher=jax.jit(teacher.outputs)(teacher_params, x))
    constants = Constants(root=root, teacher=teacher_params, classes=classes, rows=table)
    state = TrainState(step=jnp.int32(0), params=params, opt_state=optimization.init(params))
    return Loop(objective, optimization, N_CRITIC, batch), state, constants


def measure(size: str, repeats: int, steps: int) -> dict[str, Any]:
    """All figures of one size: medians over `repeats` rounds of one rate measurement and one call of `steps` outer steps."""
    loop, state, constants = build(size)
    rows, batch = SIZES[size][0], SIZES[size][7]
    inputs = jnp.stack([sample_rows(constants.root, s, rows, N_CRITIC, batch) for s in range(steps)])
    report = loop.empty_report(state, constants, inputs)
    flops = matmul_flops(loop.one_step, state, constants, inputs[0])

    def call(count: int) -> float:
        nonlocal state
        began = time.perf_counter()
        state, out = loop.run(state, report, constants, inputs, 0, count)
        jax.block_until_ready((state, out))
        out.check()
        return time.perf_counter() - began

    side = 2048
    a = jax.random.normal(constants.root, (side, side))
    multiply = jax.jit(jnp.matmul)
    products = 1 if jax.devices()[0].platform == "cpu" else 100

    def rate() -> float:
        began, out = time.perf_counter(), a
        for _ in range(products):
            out = multiply(out, a)
        out.block_until_ready()
        return products * 2 * side**3 / (time.perf_counter() - began)

    first = call(1)
    rate()
    rates, times = [], []
    for _ in range(repeats):
        rates.extend(rate() for _ in range(3))
        times.append(call(steps) / steps)
    step, machine = float(np.median(times)), float(np.median(rates))
    return {
        "size": size,
        "seconds_per_step": step,
        "matmul_flops_per_step": flops,
        "machine_matmul_flops": machine,
        "seconds_of_matmul_at_that_rate": flops / machine,
        "ratio": step * machine / flops,
        "first_call_seconds": first,
        "peak_resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "repeats": repeats,
        "steps_per_call": steps,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "python": platform.python_version(),
    }


def main(argv: list[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="cub")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="outer steps per timed call")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1 or arguments.steps < 1:
        parser.error("--repeats and --steps must be at least 1")
    configure()
    found = measure(arguments.size, arguments.repeats, arguments.steps)
    if arguments.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:32} {value:.4g}" if isinstance(value, float) else f"{key:32} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
