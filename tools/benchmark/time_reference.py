"""Times the published PyTorch loops, run unmodified from a checkout, at the sizes of the benchmarks. Needs torch, not JAX.

    python tools/benchmark/time_reference.py wgan DIR --size cub --steps 1        # DIR: a checkout of PJBQ/D3GZSL
    python tools/benchmark/time_reference.py cegzsl DIR --size cub --updates 2    # DIR: a checkout of Hanzy1996/CE-GZSL

Data are simulated. CE-GZSL at 'cub' runs with its script's own default options; other sizes have the published options of their
benchmark. D3GZSL runs with the options of its CUB file at the sizes of the benchmark, the weights of L_od and L_be + L_kl at 1e-4
and no epoch of teacher pretraining (its time is not asked for). The clock runs from the first batch drawn, and is read when the
last optimiser of an update has stepped; then the script is stopped. An outer step is 5 critic updates and 1 generator update.
Prints JSON: seconds of every whole outer step, of every critic update but the first, peak resident memory, threads, versions.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.benchmark.memory import peak_resident_gib
from tools.parity_parts import record_cegzsl, record_wgan, reference_script
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

N_CRITIC = 5
ROWS = {
    "cub": MatSize(2048, 312, 150, 50, 7057, 1764, 2967), "awa2": MatSize(2048, 85, 40, 10, 23527, 5882, 7913),
    "flo": MatSize(2048, 1024, 82, 20, 5631, 1403, 1155), "sun": MatSize(2048, 102, 645, 72, 10320, 2580, 1440),
    "tiny": MatSize(32, 8, 6, 4, 200, 20, 20),
}  # fmt: skip
D3 = {"bi_loss_para": 1e-4, "kl_loss_para": 1e-4, "o_epoch": 0}
TINY = {"batch_size": 16, "embedSize": 32}
CEGZSL = {
    "cub": {},
    "awa2": {"batch_size": 4096, "nz": 85},
    "flo": {"batch_size": 4096, "nz": 512, "nhF": 1024},
    "sun": {"batch_size": 1024, "nz": 102, "nhF": 1024, "lr": 5e-5},
    "tiny": TINY | {"nz": 8, "ngh": 64, "ndh": 64, "nhF": 32, "outzSize": 16},
}


class Clock:
    """Reads the time at the end of every update, and stops the script after `count` of them."""

    def __init__(self, count: int, last: tuple[str, ...]) -> None:
        self.count, self.last = count, last
        self.times: list[float] = []

    def start(self) -> None:
        """The first batch is drawn now."""
        if not self.times:
            self.times.append(time.perf_counter())

    def stepped(self, optimizer: Any) -> None:
        """An optimiser has stepped."""
        if any(reference_script.is_variable(optimizer, name) for name in self.last):
            self.times.append(time.perf_counter())
            if len(self.times) > self.count:
                raise reference_script.Enough

    def seconds(self) -> dict[str, list[float]]:
        """Of whole outer steps, and of critic updates, the first left out."""
        updates = np.diff(self.times)
        whole = updates[: len(updates) // (N_CRITIC + 1) * (N_CRITIC + 1)].reshape(-1, N_CRITIC + 1)
        critic = [float(s) for number, s in enumerate(updates) if number and number % (N_CRITIC + 1) < N_CRITIC]
        return {"outer_step_seconds": whole.sum(1).tolist(), "critic_seconds": critic}


def watch(clock: Clock) -> None:
    """Hooks the clock into torch: both scripts draw their batches by torch.randperm."""
    torch = reference_script.import_torch()
    reference_script.watch_steps(lambda optimizer: None, clock.stepped)
    plain = torch.randperm

    def randperm(*args: Any, **kwargs: Any) -> Any:
        clock.start()
        return plain(*args, **kwargs)

    torch.randperm = randperm


def time_wgan(checkout: Path, size: str, updates: int) -> dict[str, list[float]]:
    """Seconds of the released D3GZSL loop's updates; see `Clock.seconds`."""
    path = reference_script.find_script(checkout, record_wgan.SCRIPT, record_wgan.SOURCE)
    rows = ROWS[size]
    chosen = D3 | {"nz": rows.semantics} | (TINY if size == "tiny" else {})
    raw = mat_files.simulate(rows, 0, np.float32)
    clock = Clock(updates, ("optimizerSigmoid",))

    def prepare() -> None:
        record_wgan.set_script_options(record_wgan.script_options(rows, chosen, 0))
        watch(clock)

    write = lambda folder: mat_files.write(folder / "data", raw)  # noqa: E731
    reference_script.run_script(path, [], write, prepare, record_wgan.OTHER_OPTION_FILES)
    return clock.seconds()


def time_cegzsl(checkout: Path, size: str, updates: int) -> dict[str, list[float]]:
    """Seconds of the public CE-GZSL loop's updates; see `Clock.seconds`."""
    path = reference_script.find_script(checkout, record_cegzsl.SCRIPT, record_cegzsl.SOURCE)
    # At 'cub' its defaults are CUB with sentence vectors: nothing is said but where the data are.
    rows, splits, name = ROWS[size], "att_splits", "simulated"
    arguments = record_cegzsl.command_line(rows, CEGZSL[size], 0)
    if size == "cub":
        rows, splits, name, arguments = rows._replace(semantics=1024), "sent_splits", "CUB", ["--dataroot", "data"]
    raw = mat_files.simulate(rows, 0, np.float32)
    clock = Clock(updates, ("optimizerD", "optimizerG"))
    write = lambda folder: mat_files.write(folder / "data" / name, raw, splits)  # noqa: E731
    reference_script.run_script(path, arguments, write, lambda: watch(clock))
    return clock.seconds()


def main() -> int:
    """Prints the timing; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("kind", choices=("wgan", "cegzsl"))
    parser.add_argument("checkout", type=Path, help="folder of the published code")
    parser.add_argument("--size", choices=ROWS, default="cub")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--steps", type=int, help="outer steps to time")
    wanted.add_argument("--updates", type=int, help="critic updates to time after the first, at most 4")
    arguments = parser.parse_args()
    if arguments.steps is not None and arguments.steps < 1:
        raise UserError(f"--steps {arguments.steps}: must be at least 1")
    if arguments.updates is not None and not 1 <= arguments.updates <= 4:
        raise UserError(f"--updates {arguments.updates}: must be 1 to 4 (the generator's turn is next)")
    updates = arguments.updates + 1 if arguments.steps is None else arguments.steps * (N_CRITIC + 1)
    run = time_wgan if arguments.kind == "wgan" else time_cegzsl
    found = run(arguments.checkout, arguments.size, updates)
    torch = reference_script.import_torch()
    peak = peak_resident_gib()
    about = {"torch": torch.__version__, "threads": torch.get_num_threads(), "peak_resident_gib": peak}
    print(json.dumps({"kind": arguments.kind, "size": arguments.size} | found | about))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
