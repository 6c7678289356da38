"""Times the outer step at the sizes of benchmarks: against its own matrix products, PyTorch, and the published loops.

    python tools/benchmark/outer_step.py --size cub awa2 flo sun --oracle eager explicit compiled
    python tools/benchmark/outer_step.py --size cub --oracle explicit --reference DIR       # DIR: a checkout of PJBQ/D3GZSL
    python tools/benchmark/outer_step.py --size cegzsl_cub --cegzsl DIR                     # of Hanzy1996/CE-GZSL
    python tools/benchmark/outer_step.py --size tfvaegan_cub --tfvaegan DIR --steps 1       # of akshitac8/tfvaegan
    python tools/benchmark/outer_step.py --size cadavae_cub --cadavae DIR --steps 50        # of edgarschnfld/CADA-VAE-PyTorch
    python tools/benchmark/outer_step.py --size free_cub --free DIR --steps 2               # of shiming-chen/FREE
    python tools/benchmark/outer_step.py --size zerodiff_awa2 --zerodiff DIR --steps 1      # of FouriYe/ZeroDiff_ICLR25

An outer step is 5 critic updates and 1 generator update on random data, of CADA-VAE one update of its networks, of FREE on CUB,
as published, 1 critic update and 1 generator update; ZeroDiff's two stages are sizes of their own. Of TF-VAEGAN, whose second
pass over the data has feedback, an outer step of each pass is timed, and their mean is the size's figure. What is compared takes
turns in one run with the same number of threads: this framework's float32 matrix-multiply rate (2048 x 2048 x 2048), our step, the
oracle's (in a process of its own, tools/parity_parts/torch_oracle.py on the CPU), the public TF-VAEGAN's, CADA-VAE's, FREE's or
ZeroDiff's (likewise, tools/benchmark/time_public.py; without D3, which they know nothing of), and, in every second round, that of
the other published loops (tools/benchmark/time_reference.py). Of CE-GZSL's loop two critic updates are timed and 5 of them taken
for a step, its generator update left out.

Printed: medians; the matrix-multiply FLOPs of our step (from its jaxpr, dead code left out), and our rate of them as a share of the
machine's; first call, compilation included; peak resident memory; ratios of theirs to ours, each the median over the rounds.
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.precision import PRECISIONS, scope
from d3gzsl_jax.runs import contents
from d3gzsl_jax.studies.own_outputs import json_list_with
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.training.draws import sample_rows
from tools.benchmark.flops import matmul_flops
from tools.benchmark.memory import peak_resident_gib
from tools.benchmark.rivals import ORACLES, PUBLIC, Oracle, PublicLoop, published
from tools.benchmark.sizes import N_CRITIC, SIZES, Size, build

SIDE = 2048  # of the matrix product that is timed


class Ours:
    """Our outer step at a size, in index mode, `steps` of them a call.

    Attributes:
        passes: over the data in an epoch, those alike counted once.
        flops: of the matrix products of an outer step, by pass.
        cpu_seconds: of all threads, an outer step of the last call.
    """

    def __init__(self, of: Size, steps: int) -> None:
        self._loop, self._state, self._constants = build(of)
        self.passes = len(self._loop.different_phases)
        self._steps_per_pass = self._loop.optimization.steps_per_epoch // self._loop.objective.framework.passes
        root = self._constants.root
        self._inputs = jnp.stack([sample_rows(root, s, of.rows, self._loop.batches, of.batch) for s in range(steps)])
        self._tally = self._loop.empty_tally(self._state, self._constants, self._inputs)
        arguments = self._state, self._constants, self._inputs[0]
        self.flops = [matmul_flops(self._loop.one_step, *arguments, branch=number) for number in range(self.passes)]
        self._square, self._multiply = jax.random.normal(root, (SIDE, SIDE)), jax.jit(jnp.matmul)
        self._products = 1 if jax.devices()[0].platform == "cpu" else 100
        self.steps = steps
        self.rate()

    def step(self, number: int = 0) -> float:
        """Seconds an outer step of this pass."""
        state = self._state.replace(step=jnp.int32(number * self._steps_per_pass))
        jax.block_until_ready(state)
        began, cpu = time.perf_counter(), time.process_time()
        self._state, tally = self._loop.run(state, self._tally, self._constants, self._inputs, 0, self.steps)
        jax.block_until_ready((self._state, tally))
        tally.check()
        self.cpu_seconds = (time.process_time() - cpu) / self.steps
        return (time.perf_counter() - began) / self.steps

    def rate(self) -> float:
        """Floating-point operations a second of a float32 product of SIDE x SIDE matrices."""
        began, out = time.perf_counter(), self._square
        for _ in range(self._products):
            out = self._multiply(out, self._square)
        out.block_until_ready()
        return self._products * 2 * SIDE**3 / (time.perf_counter() - began)


class Rounds:
    """What is timed of one pass, round by round.

    Attributes:
        rates: of the machine's matrix products.
        times: ours, seconds an outer step.
        theirs: by rival; one that is not timed in every round has fewer.
        cpu: seconds of all threads, of 'ours' and of rivals that tell; beside other work these are what can be compared.
    """

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.times: list[float] = []
        self.theirs: dict[str, list[float]] = {}
        self.memory: dict[str, float] = {}
        self.cpu: dict[str, list[float]] = {}

    def add(self, rival: str, seconds: float, memory: float) -> None:
        """A turn of a rival."""
        self.theirs.setdefault(rival, []).append(seconds)
        self.memory[rival] = memory

    def found(self, flops: float) -> dict[str, Any]:
        """Medians and ratios."""
        step, machine = float(np.median(self.times)), float(np.median(self.rates))
        # A rival timed in every round has a ratio of every round; one timed now and then is set against the median.
        ratio = lambda t: float(np.median(np.divide(t, self.times if len(t) == len(self.times) else step)))  # noqa: E731
        return {
            "seconds_per_step": step, "matmul_flops_per_step": flops, "machine_matmul_flops": machine,
            "share_of_machine_rate": flops / step / machine, "times": self.times, "cpu_seconds": self.cpu,
            "rivals": {
                rival: {
                    "seconds_per_step": float(np.median(t)), "ratio": ratio(t), "peak_resident_gib": self.memory[rival], "times": t,
                }
                for rival, t in self.theirs.items()
            },
        }  # fmt: skip


def mean_of(passes: list[Rounds]) -> Rounds:
    """The mean outer step of an epoch, whose passes are equally long."""
    mean = Rounds()
    mean.rates = [rate for one in passes for rate in one.rates]
    mean.times = np.mean([one.times for one in passes], axis=0).tolist()
    mean.theirs = {rival: np.mean([one.theirs[rival] for one in passes], axis=0).tolist() for rival in passes[0].theirs}
    mean.cpu = {name: np.mean([one.cpu[name] for one in passes], axis=0).tolist() for name in passes[0].cpu}
    mean.memory = {rival: max(one.memory[rival] for one in passes) for rival in passes[0].memory}
    return mean


def measure(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """All figures of one size; see the head of this file."""
    of, python, threads = SIZES[name], arguments.torch_python, os.cpu_count() or 1
    ours = Ours(of, arguments.steps)
    first = ours.step() * arguments.steps
    rivals: list[Oracle | PublicLoop] = [Oracle(python, name, kind, threads) for kind in arguments.oracle]
    if of.framework in PUBLIC and (checkout := getattr(arguments, PUBLIC[of.framework])):
        size = name.removeprefix(f"{of.framework}_").split("_")[0]
        rivals.append(PublicLoop(python, of.framework, checkout, size, threads, arguments.repeats, arguments.steps))
    passes = []
    for number in range(ours.passes):
        passes.append(Rounds())
        ours.step(number)
        for round_ in range(arguments.repeats):
            for rival in rivals:
                found = rival.turn()
                passes[-1].add(rival.name, found["seconds"], found["peak_resident_gib"])
                if "cpu_seconds" in found:
                    passes[-1].cpu.setdefault(rival.name, []).append(found["cpu_seconds"])
            # After them: in its first turn a rival is still starting, which would slow ours down.
            passes[-1].rates.append(float(np.median([ours.rate() for _ in range(3)])))
            passes[-1].times.append(ours.step(number))
            passes[-1].cpu.setdefault("ours", []).append(ours.cpu_seconds)
            if round_ % 2 == 1:
                _published_turn(arguments, name, passes[-1])
    for rival in rivals:
        rival.close()
    of_passes = [one.found(flops) for one, flops in zip(passes, ours.flops, strict=True)]
    return {
        "size": name, **of._asdict(), "precision": arguments.precision, "first_call_seconds": first,
        "peak_resident_gib": peak_resident_gib(), "device_memory_gib": _device_memory(),
        **mean_of(passes).found(float(np.mean(ours.flops))), "passes": of_passes if len(passes) > 1 else [],
        "repeats": arguments.repeats, "steps_per_call": arguments.steps, "threads": threads,
        "device": jax.devices()[0].device_kind, "jax": jax.__version__, "python": platform.python_version(),
    }  # fmt: skip


def _published_turn(arguments: argparse.Namespace, name: str, rounds: Rounds) -> None:
    """The turn of the loops that are started anew for it."""
    python, threads = arguments.torch_python, os.cpu_count() or 1
    if arguments.reference:
        found = published(python, "wgan", arguments.reference, name, threads, steps=1)
        rounds.add("released loop", found["outer_step_seconds"][0], found["peak_resident_gib"])
    if arguments.cegzsl:
        found = published(python, "cegzsl", arguments.cegzsl, name.split("_")[1], threads, updates=2)
        rounds.add("public loop", N_CRITIC * float(np.median(found["critic_seconds"])), found["peak_resident_gib"])


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
        for number, of_pass in enumerate(one.get("passes", [])):
            lines.append(_row({**one, **of_pass}, f"{one['size']}, pass {number}", rivals))
        lines.append(_row(one, one["size"] + ", mean" * bool(one.get("passes")), rivals))
    return "\n".join(lines) + "\n"


def _row(one: dict[str, Any], name: str, rivals: list[str]) -> str:
    cells = [
        name, f"{one['seconds_per_step']:.3g} s", f"{one['matmul_flops_per_step'] / 1e9:.3g} GFLOP",
        f"{100 * one['share_of_machine_rate']:.0f} % of {one['machine_matmul_flops'] / 1e9:.0f} GFLOP/s",
        f"{one['first_call_seconds']:.1f} s", f"{one['device_memory_gib'] or one['peak_resident_gib']:.1f} GiB",
    ]  # fmt: skip
    for rival in rivals:
        of = one["rivals"].get(rival)
        cells.append(f"{of['seconds_per_step']:.3g} s, **{of['ratio']:.2f}**, {of['peak_resident_gib']:.1f} GiB" if of else "")
    return f"| {' | '.join(cells)} |"


def main(argv: list[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, nargs="+", default=["cub"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="outer steps per timed call of ours")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--oracle", nargs="*", choices=ORACLES, default=[], help="also time the PyTorch oracle")
    parser.add_argument("--reference", metavar="DIR", help="also time the released D3GZSL loop there (sizes on WGAN-GP)")
    parser.add_argument("--cegzsl", metavar="DIR", help="also time the public CE-GZSL loop there (sizes on CE-GZSL)")
    parser.add_argument("--tfvaegan", metavar="DIR", help="also time the public TF-VAEGAN loop there (sizes on TF-VAEGAN)")
    parser.add_argument("--cadavae", metavar="DIR", help="also time the public CADA-VAE loop there (sizes on CADA-VAE)")
    parser.add_argument("--free", metavar="DIR", help="also time the public FREE loop there (sizes on FREE)")
    parser.add_argument("--zerodiff", metavar="DIR", help="also time the public ZeroDiff loop there (sizes on either stage)")
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter with torch (h5py, scikit-learn, scipy)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--output", metavar="FILE", help="also write the JSON to a file")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1 or arguments.steps < 1:
        parser.error("--repeats and --steps must be at least 1")
    if (arguments.reference or arguments.cegzsl) and arguments.repeats < 2:
        parser.error("--reference and --cegzsl have their turn in every second round: give at least 2 --repeats")
    options = {"wgan": "reference", "cegzsl": "cegzsl"} | PUBLIC
    for option in dict.fromkeys(options.values()):
        wrong = [size for size in arguments.size if options.get(SIZES[size].framework) != option]
        if getattr(arguments, option) and wrong:
            parser.error(f"--{option} is not for --size {wrong[0]}, which is another base method")
    without = [size for size in arguments.size if SIZES[size].framework in PUBLIC]
    if arguments.oracle and without:
        parser.error(f"--oracle is not for --size {without[0]}: the oracle that is timed has no such base method")
    configure()
    found = []
    known = json_list_with("size")
    output = arguments.output and contents.output(arguments.output, "--output", known, "results of this tool")
    with scope(arguments.precision):
        for size in arguments.size:
            found.append(measure(arguments, size))
            if not arguments.json:
                print(markdown(found[-1:]), flush=True)
    if arguments.json:
        print(json.dumps(found, indent=1))
    elif len(found) > 1:
        print(markdown(found))
    if output:
        write_text(output, json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
