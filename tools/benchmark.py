"""Times the outer step at the size of a benchmark and relates it to its own matrix products.

    python tools/benchmark.py --size cub
    python tools/benchmark.py --size cegzsl_cub --public DIR    # DIR: a checkout of the public CE-GZSL code

In one run and alternating: the machine's float32 matrix-multiply rate (2048 x 2048 x 2048, this framework), and one outer step
(5 critic updates and 1 generator update, random data, index mode). Printed: medians, the step's own matrix-multiply FLOPs (counted
from its jaxpr, dead code left out), the time those would take at the measured rate, the ratio of the two, first-call time
(compilation included) and peak resident memory of the process. --json prints one JSON object instead.

--public also times critic updates of the public CE-GZSL loop after every second round (tools/time_reference.py, its own process).
'public_ratio' is 5 of them over one whole outer step of ours, generator update included: a lower bound of what ours saves.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
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


class Size(NamedTuple):
    """Sizes of a benchmark; n_syn 0 leaves D3 out."""

    framework: str
    rows: int
    features: int
    semantics: int
    seen: int
    unseen: int
    hidden: int  # of generator and critic
    embedding: int
    batch: int
    n_syn: int


SIZES = {
    "cub": Size("wgan", 7057, 2048, 312, 150, 50, 4096, 2048, 256, 5),
    "awa2": Size("wgan", 23527, 2048, 85, 40, 10, 4096, 2048, 256, 5),
    "flo": Size("wgan", 5631, 2048, 1024, 82, 20, 4096, 2048, 256, 5),
    "sun": Size("wgan", 10320, 2048, 102, 645, 72, 4096, 2048, 256, 5),
    "cegzsl_cub": Size("cegzsl", 7057, 2048, 1024, 150, 50, 4096, 2048, 2048, 0),
    "cegzsl_cub_d3": Size("cegzsl", 7057, 2048, 1024, 150, 50, 4096, 2048, 2048, 50),
    "cegzsl_awa2_d3": Size("cegzsl", 23527, 2048, 85, 40, 10, 4096, 2048, 4096, 50),
    "cegzsl_sun_d3": Size("cegzsl", 10320, 2048, 102, 645, 72, 4096, 2048, 1024, 50),
    "tiny": Size("wgan", 200, 32, 8, 6, 4, 64, 32, 16, 2),
    "cegzsl_tiny": Size("cegzsl", 200, 32, 8, 6, 4, 64, 32, 16, 2),
}
N_CRITIC = 5


def build(size: str) -> tuple[Loop, TrainState, Constants]:
    """Loop, state and constants at a size, with random data."""
    of = SIZES[size]
    root, count = root_key(0), of.seen + of.unseen
    teacher = Teacher(seen=of.seen, embedding_width=of.embedding)
    framework = FRAMEWORKS[of.framework](
        Sizes(of.features, of.semantics, of.semantics, of.seen, of.hidden, of.hidden, of.embedding)
    )
    weight = 1e-4 if of.n_syn else 0.0
    objective = Objective(
        framework,
        Distillation(
            teacher=teacher, classes=count, embedding_width=of.embedding, n_syn=of.n_syn, weight_cls=weight, weight_od=weight,
            weight_be=weight, weight_kl=weight,
        ),
    )
    params = objective.init(root)
    optimization = Optimization(
        learning_rates=dict.fromkeys(params, 1e-4), factors=RELEASED_FACTORS, decay_every=RELEASED_DECAY_EVERY,
        steps_per_epoch=-(-of.rows // of.batch), summed_groups=framework.summed_groups,
    )
    x = jax.random.uniform(root, (of.rows, of.features))
    labels = jax.random.randint(root, (of.rows,), 0, of.seen)
    teacher_params = teacher.init(root, of.features)
    ids = jnp.arange(count)
    classes = Classes(semantics=jax.random.uniform(root, (count, of.semantics)), seen=ids[: of.seen], unseen=ids[of.seen :])
    table = Batch(features=x, labels=labels, teacher=jax.jit(teacher.outputs)(teacher_params, x))
    constants = Constants(root=root, teacher=teacher_params, classes=classes, rows=table)
    state = TrainState(step=jnp.int32(0), params=params, opt_state=optimization.init(params))
    return Loop(objective, optimization, N_CRITIC, of.batch), state, constants


def public_critic_seconds(checkout: str, python: str) -> list[float]:
    """Seconds of two critic updates of the public CE-GZSL loop, in a process of its own.

    Raises:
        UserError: it could not be run.
    """
    command = [python, str(Path(__file__).with_name("time_reference.py")), "cegzsl", checkout, "--updates", "2"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise UserError(f"--public-python {python}: cannot be run ({error.strerror})") from None
    if done.returncode:
        raise UserError(f"--public {checkout}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    return json.loads(done.stdout)["critic_seconds"]


def measure(size: str, repeats: int, steps: int, public: str | None = None, python: str = sys.executable) -> dict[str, Any]:
    """All figures of one size: medians over `repeats` rounds of one rate measurement and one call of `steps` outer steps, and, with
    `public`, two critic updates of the public code run by `python` after every second round."""
    loop, state, constants = build(size)
    rows, batch = SIZES[size].rows, SIZES[size].batch
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
    rates, times, others = [], [], []
    for round_ in range(repeats):
        rates.extend(rate() for _ in range(3))
        times.append(call(steps) / steps)
        if public and round_ % 2 == 1:
            others.extend(public_critic_seconds(public, python))
    step, machine = float(np.median(times)), float(np.median(rates))
    critic = float(np.median(others)) if others else None
    compared = {"public_seconds_per_critic_update": critic, "public_ratio": N_CRITIC * critic / step} if others else {}
    return {
        "size": size,
        "seconds_per_step": step,
        "matmul_flops_per_step": flops,
        "machine_matmul_flops": machine,
        "seconds_of_matmul_at_that_rate": flops / machine,
        "ratio": step * machine / flops,
        "first_call_seconds": first,
        "peak_resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        **compared,
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
    parser.add_argument("--public", metavar="DIR", help="with --size cegzsl_cub: also time the public CE-GZSL code there")
    parser.add_argument("--public-python", default=sys.executable, help="an interpreter with torch, h5py, scikit-learn and scipy")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1 or arguments.steps < 1:
        parser.error("--repeats and --steps must be at least 1")
    if arguments.public and (not arguments.size.startswith("cegzsl_cub") or arguments.repeats < 2):
        parser.error("--public is for --size cegzsl_cub or cegzsl_cub_d3, with at least 2 --repeats")
    configure()
    try:
        found = measure(arguments.size, arguments.repeats, arguments.steps, arguments.public, arguments.public_python)
    except UserError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:32} {value:.4g}" if isinstance(value, float) else f"{key:32} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
