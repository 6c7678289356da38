"""Times the outer step of the PyTorch oracle (tools/parity_parts/torch_oracle.py), eager or compiled, and PyTorch's
matrix-multiply rate.

    python tools/benchmark/time_oracle.py --size cub --threads 2
    python tools/benchmark/time_oracle.py --size cegzsl_cub_d3 --compile --repeats 1
    python tools/benchmark/time_oracle.py --size cub --compile --device cuda --precision tf32 --repeats 20

Sizes and random data are those of tools/benchmark/sizes.py, teacher outputs on real rows computed once and gathered, as there. In a
process of its own, so that no other framework's threads are in the way. Prints one JSON object. Exit 2: bad input.
"""

import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# Waiting OpenMP threads sleep instead of spinning: beside any other work, spinning made a step up to four times as slow.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

try:
    import torch
except ModuleNotFoundError:
    print("time_oracle: PyTorch is missing; pip install -e '.[parity]'", file=sys.stderr)
    sys.exit(2)

from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.benchmark.memory import peak_resident_gib
from tools.parity_parts.torch_oracle import Batch, Classes, Draws, Oracle
from tools.parity_parts.torch_oracle_networks import Sizes, TeacherOutputs, initial_arrays
from tools.parity_parts.torch_oracle_options import Options

SIDE = 2048  # of the matrix product that is timed
PRECISIONS = {"float32": "highest", "tf32": "high"}
"""Of products -> torch.set_float32_matmul_precision; on a CPU both are float32."""


class Run:
    """An oracle with random data at a size of tools/benchmark/sizes.py (its NamedTuple `Size`), and outer steps on it."""

    def __init__(self, of: Any, n_critic: int, **options: Any) -> None:
        weight = 1e-4 if of.n_syn else 0.0
        weights = {f"weight_{name}": weight for name in ("cls", "od", "be", "kl")}
        self.options = Options(base=of.framework, n_syn=of.n_syn, **weights, **options)
        self.sizes = Sizes(
            features=of.features, semantics=of.semantics, noise=of.semantics, seen=of.seen, classes=of.seen + of.unseen,
            generator_hidden=of.hidden, critic_hidden=of.hidden, embedding=of.embedding,
        )
        rng, ids = np.random.default_rng(0), np.arange(of.seen + of.unseen)
        semantics = rng.random((len(ids), of.semantics), np.float32)
        init = initial_arrays(of.framework, self.options.d3, self.sizes, seed=0)
        self.oracle = Oracle(self.sizes, self.options, Classes(semantics, ids[: of.seen], ids[of.seen :]), init)
        self._rows = self.oracle.batch(rng.random((of.rows, of.features), np.float32), rng.integers(0, of.seen, of.rows))
        self._batch, self._unseen, self._n_critic = of.batch, of.n_syn * of.unseen if self.options.d3 else 0, n_critic

    def step(self) -> float:
        """Seconds of one outer step, its batches and draws included."""
        began, rows = time.perf_counter(), self._rows
        chosen = [torch.randperm(len(rows.labels))[: self._batch] for _ in range(self._n_critic)]
        teachers = [TeacherOutputs(*(table[i] for table in rows.teacher)) if rows.teacher else None for i in chosen]
        batches = [Batch(rows.features[i], rows.labels[i], of) for i, of in zip(chosen, teachers, strict=True)]
        draws = [
            Draws(
                torch.randn(self._batch, self.sizes.noise), torch.rand(self._batch, 1), torch.randn(self._unseen, self.sizes.noise)
            )
            for _ in range(self._n_critic + 1)
        ]
        loss = self.oracle.outer_step(batches, draws)[-1]["loss"].item()
        if not np.isfinite(loss):
            raise FloatingPointError(f"the oracle's generator loss is {loss}")
        return time.perf_counter() - began


def matmul_rate() -> float:
    """Floating-point operations a second of one float32 product of SIDE x SIDE matrices."""
    a, times = torch.randn(SIDE, SIDE), 100 if _on_cuda() else 1
    _wait()
    began = time.perf_counter()
    for _ in range(times):
        torch.mm(a, a)
    _wait()
    return times * 2.0 * SIDE**3 / (time.perf_counter() - began)


def _on_cuda() -> bool:
    return torch.get_default_device().type == "cuda"


def _wait() -> None:
    """Until the device has done all it was given."""
    if _on_cuda():
        torch.cuda.synchronize()


def measure(of: Any, n_critic: int = 5, repeats: int = 5, threads: int = 0, **options: Any) -> dict[str, Any]:
    """Figures of one size: medians over `repeats` rounds of one outer step and one rate measurement, in turns.

    Args:
        of: sizes, see `Run`.
        n_critic: critic updates in an outer step.
        repeats: rounds, after a first step that is told apart (compilation).
        threads: of PyTorch; 0 leaves its own choice.
        options: of tools/parity_parts/torch_oracle_options.py's Options: compile=True, explicit_penalty=True.
    """
    if threads:
        torch.set_num_threads(threads)
    run = Run(of, n_critic, **options)
    first = run.step()
    matmul_rate()
    times, rates = [], []
    for _ in range(repeats):
        rates.append(matmul_rate())
        times.append(run.step())
    return {
        "seconds_per_step": statistics.median(times),
        "seconds_of_each": times,
        "machine_matmul_flops": statistics.median(rates),
        "first_call_seconds": first,
        "peak_resident_gib": peak_resident_gib(),
        "device": torch.cuda.get_device_name() if _on_cuda() else "cpu",
        "device_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if _on_cuda() else None,
        "precision": torch.get_float32_matmul_precision(),
        "compiled": run.options.compile, "explicit_penalty": run.options.explicit_penalty or run.options.compile,
        "threads": torch.get_num_threads(), "repeats": repeats, "torch": torch.__version__, "python": platform.python_version(),
    }  # fmt: skip


def take_turns(of: Any, n_critic: int, threads: int, **options: Any) -> None:
    """Times a step for each line that comes, and prints its 'seconds', 'matmul_flops' a second and 'peak_resident_gib'."""
    if threads:
        torch.set_num_threads(threads)
    run = Run(of, n_critic, **options)
    for _ in sys.stdin:
        found = {"seconds": run.step(), "matmul_flops": matmul_rate(), "peak_resident_gib": peak_resident_gib()}
        print(json.dumps(found), flush=True)


def main(argv: list[str] | None = None) -> int:
    """Runs the timing; returns the exit code."""
    from tools.benchmark.sizes import N_CRITIC, SIZES  # here, because it loads JAX, which `measure` does without

    parser = Parser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="cub")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch; 0: its own choice")
    parser.add_argument("--compile", action="store_true", help="pass the losses through torch.compile (needs a C++ compiler)")
    parser.add_argument("--explicit-penalty", action="store_true", help="the gradient penalty in closed form, as --compile has it")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of products, on a GPU")
    parser.add_argument("--turns", action="store_true", help="for each line of standard input time one step, and print it")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1 or arguments.threads < 0:
        parser.error("--repeats must be at least 1, --threads not negative")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this PyTorch sees no GPU")
    if arguments.device != "cpu":  # a default that is set is looked up by every function of torch
        torch.set_default_device(arguments.device)
    torch.set_float32_matmul_precision(PRECISIONS[arguments.precision])
    options = {"compile": arguments.compile, "explicit_penalty": arguments.explicit_penalty}
    if arguments.turns:
        take_turns(SIZES[arguments.size], N_CRITIC, arguments.threads, **options)
        return 0
    found = measure(SIZES[arguments.size], N_CRITIC, arguments.repeats, arguments.threads, **options)
    print(json.dumps({"size": arguments.size, **found}))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
