"""Times the public TF-VAEGAN, CADA-VAE, FREE and ZeroDiff loops, run from a checkout, turn by turn. Needs torch, not JAX.

    python tools/benchmark/time_public.py tfvaegan DIR --size cub --rounds 5 --steps 1   # DIR: a checkout of akshitac8/tfvaegan
    python tools/benchmark/time_public.py cadavae DIR --size cub --rounds 5 --steps 50   # DIR: of edgarschnfld/CADA-VAE-PyTorch
    python tools/benchmark/time_public.py free DIR --size cub --rounds 5 --steps 2       # DIR: of shiming-chen/FREE
    python tools/benchmark/time_public.py zerodiff DIR --size awa2 --rounds 5 --steps 1  # DIR: of FouriYe/ZeroDiff_ICLR25
    python tools/benchmark/time_public.py zerodiff_representation DIR --size awa2        # its first stage

Options are those of the script's run on CUB, or AWA2; data are simulated, in a process of their own, so that peak memory is the
loop's. An outer step is what lies between one first draw of rows and the next: 5 critic updates and 1 generator update of TF-VAEGAN
and of either stage of ZeroDiff, one update of CADA-VAE, a critic and a generator update of FREE, whose passes are alike. TF-VAEGAN
is given as many rows to go through as the turns take, so that its pass with feedback comes after them. ZeroDiff's critics are
spared the scores of test rows that each of their updates adds to a log. The first outer step of a pass is not timed: it is the
one in which optimisers make their states.

Prints a JSON object a round, pass after pass: 'pass', 'seconds' an outer step, 'cpu_seconds' of all threads, 'peak_resident_gib'.
--wait: a round begins when a line comes by standard input, so that another program can have its turn in between.
"""

import importlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# Waiting OpenMP threads sleep instead of spinning, as for the oracle (time_oracle.py). Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.benchmark.memory import peak_resident_gib
from tools.parity_parts import script_cadavae, script_free, script_tfvaegan, script_zerodiff
from tools.parity_parts.reference_script import Enough, import_torch
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

ROWS = {
    "cub": MatSize(2048, 312, 150, 50, 7057, 1764, 2967), "awa2": MatSize(2048, 85, 40, 10, 23527, 5882, 7913),
    "tiny": MatSize(32, 8, 6, 4, 200, 20, 20),
}  # fmt: skip
TINY = {"ngh": 64, "ndh": 64, "batch_size": 16}
TFVAEGAN: dict[str, dict[str, Any]] = {"cub": {}, "tiny": TINY}
CADAVAE: dict[str, dict[str, Any]] = {"cub": {}, "tiny": {"batch_size": 16}}
FREE = TFVAEGAN
ZERODIFF: dict[str, dict[str, Any]] = {"awa2": {}, "tiny": TINY}


def _clocks() -> tuple[float, float]:
    """Seconds of the wall clock, and of all threads of this process."""
    return time.perf_counter(), time.process_time()


class Turns:
    """Reads the time as rows are drawn for the first batch of an outer step, and stops the script after the last round.

    Args:
        passes: of the script over its rows.
        draws: of rows in an outer step.
        rounds, steps: rounds of a pass, and outer steps of a round.
        wait: called before each round.
    """

    def __init__(self, passes: int, draws: int, rounds: int, steps: int, wait: Callable[[], Any]) -> None:
        self.passes, self.draws, self.rounds, self.steps, self.wait = passes, draws, rounds, steps, wait
        self.drawn, self.began = 0, (0.0, 0.0)

    @property
    def steps_per_pass(self) -> int:
        """The rounds, one step before them, and one after, whose first draw ends the last."""
        return self.rounds * self.steps + 2

    def draw(self) -> None:
        """Rows are about to be drawn."""
        step, within = divmod(self.drawn, self.draws)
        self.drawn += 1
        number, at = divmod(step, self.steps_per_pass)
        if within or number >= self.passes or at == 0 or (at - 1) % self.steps:
            return
        if at > 1:
            wall, cpu = (now - began for now, began in zip(_clocks(), self.began, strict=True))
            each = {"seconds": wall / self.steps, "cpu_seconds": cpu / self.steps}
            found = {"pass": number, **each, "peak_resident_gib": peak_resident_gib()}
            print(json.dumps(found), file=sys.__stdout__, flush=True)
        if at - 1 == self.rounds * self.steps:
            if number + 1 == self.passes:
                raise Enough
            return
        self.wait()
        self.began = _clocks()


def _watch(turns: Turns) -> None:
    """All scripts draw rows by torch.randperm, and nothing else until their classifiers."""
    torch = import_torch()
    plain = torch.randperm

    def randperm(*args: Any, **kwargs: Any) -> Any:
        turns.draw()
        return plain(*args, **kwargs)

    torch.randperm = randperm


def _write(rows: MatSize, files: Any = mat_files) -> Callable[[Path], None]:
    """Writes simulated data into a folder, in a process of its own; `files`: the module that knows how."""

    def write(folder: Path) -> None:
        process = multiprocessing.get_context("fork").Process(
            target=lambda: files.write(folder, files.simulate(rows, 0, np.float32))
        )
        process.start()
        process.join()

    return write


def time_tfvaegan(checkout: Path, size: str, turns: Turns) -> None:
    """The rounds of both passes of the TF-VAEGAN script; its critic has latents of the encoder, as on CUB."""
    chosen = script_tfvaegan.CUB | TFVAEGAN[size]

    def watch() -> None:
        util = importlib.import_module("datasets.image_util")
        plain = util.DATA_LOADER.read_matdataset

        def read(self: Any, options: Any) -> None:
            plain(self, options)
            self.ntrain = turns.steps_per_pass * options.batch_size

        util.DATA_LOADER.read_matdataset = read
        _watch(turns)

    script_tfvaegan.run(checkout, ROWS[size], chosen, _write(ROWS[size]), watch)


def time_cadavae(checkout: Path, size: str, turns: Turns) -> None:
    """The rounds of the CADA-VAE script."""
    script_cadavae.run(checkout, ROWS[size], CADAVAE[size], _write(ROWS[size]), lambda: _watch(turns))


def time_free(checkout: Path, size: str, turns: Turns) -> None:
    """The rounds of the FREE script, in its first pass."""
    script_free.run(checkout, ROWS[size], script_free.CUB | FREE[size], _write(ROWS[size]), lambda: _watch(turns))


def time_zerodiff(checkout: Path, size: str, turns: Turns, stage: str = "dfg") -> None:
    """The rounds of the ZeroDiff script of a stage; the second stage is given a fresh generator of representations."""

    def watch() -> None:
        torch, tools = import_torch(), importlib.import_module("zerodiff_tools")
        for of in (tools.DFG_Discriminator_x0, tools.DFG_Discriminator_xt, tools.DFG_Discriminator_xc):
            plain = of.forward

            def forward(self: Any, rows: Any, *given: Any, plain: Any = plain) -> Any:
                # Without a gradient critics are asked for the log alone.
                return plain(self, rows, *given) if torch.is_grad_enabled() else rows.new_zeros(len(rows), 1)

            of.forward = forward
        _watch(turns)

    chosen = script_zerodiff.AWA2 | ZERODIFF[size]
    script_zerodiff.run(checkout, stage, ROWS[size], chosen, _write(ROWS[size], script_zerodiff), watch)


def time_zerodiff_representation(checkout: Path, size: str, turns: Turns) -> None:
    """The rounds of ZeroDiff's first stage."""
    time_zerodiff(checkout, size, turns, "drg")


class Kind(NamedTuple):
    """A public loop: what times it, its sizes with the options of each, passes over the rows, draws of rows in an outer step, and
    the options of its script; rows of the data are no limit where these are None."""

    run: Callable[[Path, str, Turns], None]
    sizes: dict[str, dict[str, Any]]
    passes: int
    draws: int
    options: dict[str, Any] | None


KINDS = {
    "tfvaegan": Kind(time_tfvaegan, TFVAEGAN, 2, 5, script_tfvaegan.CUB),
    "cadavae": Kind(time_cadavae, CADAVAE, 1, 1, None),
    "free": Kind(time_free, FREE, 1, 1, script_free.CUB),
    "zerodiff": Kind(time_zerodiff, ZERODIFF, 1, 10, script_zerodiff.AWA2),  # five of them of test rows
    "zerodiff_representation": Kind(time_zerodiff_representation, ZERODIFF, 1, 5, script_zerodiff.AWA2),
}


def main() -> int:
    """Prints the rounds; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("checkout", type=Path, help="folder of the published code")
    parser.add_argument("--size", choices=ROWS, help="default: that of its script's run")
    parser.add_argument("--rounds", type=int, default=5, help="of a pass")
    parser.add_argument("--steps", type=int, default=1, help="outer steps of a round")
    parser.add_argument("--wait", action="store_true", help="for a line of standard input before each round")
    arguments = parser.parse_args()
    wait = sys.stdin.readline if arguments.wait else lambda: None
    kind = KINDS[arguments.kind]
    size = arguments.size or next(iter(kind.sizes))
    if size not in kind.sizes:
        raise UserError(f"--size {size}: {arguments.kind} is timed at {' or '.join(kind.sizes)}")
    if min(arguments.rounds, arguments.steps) < 1:
        raise UserError("--rounds and --steps must be at least 1")
    turns = Turns(kind.passes, kind.draws, arguments.rounds, arguments.steps, wait)
    if kind.options is not None:
        most = ROWS[size].train // (kind.options | kind.sizes[size])["batch_size"] - 2
        if turns.steps_per_pass > most + 2:
            given = f"--rounds {arguments.rounds} --steps {arguments.steps}"
            raise UserError(f"{given}: together at most {most} outer steps of a pass")
    kind.run(arguments.checkout, size, turns)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
