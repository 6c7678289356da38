"""Times the outer step at the sizes of benchmarks: against its own matrix products, PyTorch, and the published loops.

    python tools/benchmark/outer_step.py --size cub awa2 flo sun --oracle eager explicit compiled
    python tools/benchmark/outer_step.py --size cub --oracle explicit --reference DIR       # DIR: a checkout of PJBQ/D3GZSL
    python tools/benchmark/outer_step.py --size cegzsl_cub --cegzsl DIR                           # DIR: a checkout of \
        Hanzy1996/CE-GZSL

An outer step is 5 critic updates and 1 generator update on random data. What is compared takes turns in one run with the same
number of threads: this framework's float32 matrix-multiply rate (2048 x 2048 x 2048), our step, the oracle's (in a process of its
own, tools/parity_parts/torch_oracle.py on the CPU), and, in every second round, the published loop's
(tools/benchmark/time_reference.py). Of CE-GZSL's loop two critic updates are timed and 5 of them taken for a step, its generator
update left out.

Printed: medians; the matrix-multiply FLOPs of our step (from its jaxpr, dead code left out), and our rate of them as a share of the
machine's; first call, compilation included; peak resident memory; ratios of theirs to ours, each the median over the rounds.
"""

import argparse
import json
import os
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.precision import PRECISIONS, scope
from d3gzsl_jax.runs import contents
from d3gzsl_jax.studies.own_outputs import json_list_with
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.training.draws import sample_rows
from tools.benchmark.flops import matmul_flops
from tools.benchmark.rivals import ORACLES, Oracle, published
from tools.benchmark.sizes import N_CRITIC, SIZES, Size, build

SIDE = 2048  # of the matrix product that is timed


class Ours:
    """Our outer step at a size, in index mode, `steps` of them a call."""

    def __init__(self, of: Size, steps: int) -> None:
        self._loop, self._state, self._constants = build(of)
        root = self._constants.root
        self._inputs = jnp.stack([sample_rows(root, s, of.rows, N_CRITIC, of.batch) for s in range(steps)])
        self._tally = self._loop.empty_tally(self._state, self._constants, self._inputs)
        self.flops = matmul_flops(self._loop.one_step, self._state, self._constants, self._inputs[0])
        self._square, self._multiply = jax.random.normal(root, (SIDE, SIDE)), jax.jit(jnp.matmul)
        self._products = 1 if jax.devices()[0].platform == "cpu" else 100
        self.steps = steps
        self.rate()

    def step(self) -> float:
        """Seconds an outer step."""
        began = time.perf_counter()
        self._state, tally = self._loop.run(self._state, self._tally, self._constants, self._inputs, 0, self.steps)
        jax.block_until_ready((self._state, tally))
        tally.check()
        return (time.perf_counter() - began) / self.steps

    def rate(self) -> float:
        """Floating-point operations a second of a float32 product of SIDE x SIDE matrices."""
        began, out = time.perf_counter(), self._square
        for _ in range(self._products):
            out = self._multiply(out, self._square)
        out.block_until_ready()
        return self._products * 2 * SIDE**3 / (time.perf_counter() - began)


def measure(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """All figures of one size; see the head of this file."""
    of, python, threads = SIZES[name], arguments.torch_python, os.cpu_count() or 1
    ours = Ours(of, arguments.steps)
    first = ours.step() * arguments.steps
    oracles = [Oracle(python, name, kind, threads) for kind in arguments.oracle]
    rates, times, theirs, memory = [], [], {oracle.name: [] for oracle in oracles}, {}
    critic: dict[int, float] = {}
    for round_ in range(arguments.repeats):
        rates.append(float(np.median([ours.rate() for _ in range(3)])))
        times.append(ours.step())
        for oracle in oracles:
            found = oracle.turn()
            theirs[oracle.name].append(found["seconds"])
            memory[oracle.name] = found["peak_resident_gib"]
        if arguments.reference and round_ % 2 == 1:
            found = published(python, "wgan", arguments.reference, name, threads, steps=1)
            theirs.setdefault("released loop", []).append(found["outer_step_seconds"][0])
            memory["released loop"] = found["peak_resident_gib"]
        if arguments.cegzsl and round_ % 2 == 1:
            found = published(python, "cegzsl", arguments.cegzsl, name.split("_")[1], threads, updates=2)
            critic[round_] = float(np.median(found["critic_seconds"]))
            theirs.setdefault("public loop", []).append(N_CRITIC * critic[round_])
            memory["public loop"] = found["peak_resident_gib"]
    for oracle in oracles:
        oracle.close()
    step, machine = float(np.median(times)), float(np.median(rates))
    # A rival timed in every round has a ratio of every round; one timed now and then is set against the median.
    ratio = lambda t: float(np.median(np.divide(t, times if len(t) == len(times) else step)))  # noqa: E731
    return {
        "size": name, **of._asdict(), "precision": arguments.precision,
        "seconds_per_step": step, "matmul_flops_per_step": ours.flops, "machine_matmul_flops": machine,
        "share_of_machine_rate": ours.flops / step / machine, "first_call_seconds": first,
        "peak_resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "device_memory_gib": _device_memory(),
        "rivals": {
            rival: {"seconds_per_step": float(np.median(t)), "ratio": ratio(t), "peak_resident_gib": memory[rival], "times": t}
            for rival, t in theirs.items()
        },
        "times": times, "repeats": arguments.repeats, "steps_per_call": arguments.steps, "threads": threads,
        "device": jax.devices()[0].device_kind, "jax": jax.__version__, "python": platform.python_version(),
    }  # fmt: skip


def _device_memory() -> float | None:
    """Peak GiB of the accelerator, None where it does not tell."""
    stats = jax.devices()[0].memory_stats() or {}
    return stats["peak_bytes_in_use"] / 2**30 if "peak_bytes_in_use" in stats else None


def markdown(found: list[dict[str, Any]]) -> str:
    """The figures as a table, a row a size."""
    rivals = list(dict.fromkeys(rival for one in found for rival in one["rivals"]))
    heads = ["size", "outer step", "matrix products", "share of the machine's rate", "first call", "peak memory"]
    heads += [f"{rival}: step, ratio, peak" for rival in rivals]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for one in found:
        cells = [
            one["size"], f"{one['seconds_per_step']:.3g} s", f"{one['matmul_flops_per_step'] / 1e9:.0f} GFLOP",
            f"{100 * one['share_of_machine_rate']:.0f} % of {one['machine_matmul_flops'] / 1e9:.0f} GFLOP/s",
            f"{one['first_call_seconds']:.1f} s", f"{one['device_memory_gib'] or one['peak_resident_gib']:.1f} GiB",
        ]  # fmt: skip
        for rival in rivals:
            of = one["rivals"].get(rival)
            cells.append(f"{of['seconds_per_step']:.3g} s, **{of['ratio']:.2f}**, {of['peak_resident_gib']:.1f} GiB" if of else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, nargs="+", default=["cub"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="outer steps per timed call of ours")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--oracle", nargs="*", choices=ORACLES, default=[], help="also time the PyTorch oracle")
    parser.add_argument("--reference", metavar="DIR", help="also time the released D3GZSL loop there (sizes on WGAN-GP)")
    parser.add_argument("--cegzsl", metavar="DIR", help="also time the public CE-GZSL loop there (sizes on CE-GZSL)")
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter with torch (h5py, scikit-learn, scipy)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--output", metavar="FILE", help="also write the JSON to a file")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1 or arguments.steps < 1:
        parser.error("--repeats and --steps must be at least 1")
    if (arguments.reference or arguments.cegzsl) and arguments.repeats < 2:
        parser.error("--reference and --cegzsl have their turn in every second round: give at least 2 --repeats")
    for option, framework in (("reference", "wgan"), ("cegzsl", "cegzsl")):
        wrong = [size for size in arguments.size if SIZES[size].framework != framework]
        if getattr(arguments, option) and wrong:
            parser.error(f"--{option} is not for --size {wrong[0]}, which is another base method")
    configure()
    found = []
    try:
        known = json_list_with("size")
        output = arguments.output and contents.output(arguments.output, "--output", known, "results of this tool")
        with scope(arguments.precision):
            for size in arguments.size:
                found.append(measure(arguments, size))
                if not arguments.json:
                    print(markdown(found[-1:]), flush=True)
    except UserError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(found, indent=1))
    elif len(found) > 1:
        print(markdown(found))
    if output:
        write_text(output, json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
