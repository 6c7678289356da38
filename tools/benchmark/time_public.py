"""Times the public TF-VAEGAN, CADA-VAE and FREE loops, run unmodified from a checkout, turn by turn. Needs torch, not JAX.

    python tools/benchmark/time_public.py tfvaegan DIR --size cub --rounds 5 --steps 1   # DIR: a checkout of akshitac8/tfvaegan
    python tools/benchmark/time_public.py cadavae DIR --size cub --rounds 5 --steps 50   # DIR: of edgarschnfld/CADA-VAE-PyTorch
    python tools/benchmark/time_public.py free DIR --size cub --rounds 5 --steps 2       # DIR: of shiming-chen/FREE

Options are those of the script's run on CUB; data are simulated, in a process of their own, so that peak memory is the loop's.
An outer step is what lies between one first draw of rows and the next: 5 critic updates and 1 generator update of TF-VAEGAN,
one update of CADA-VAE, a critic and a generator update of FREE, whose passes are alike. TF-VAEGAN is given as many rows to go
through as the turns take, so that its pass with feedback comes after them. The first outer step of a pass is not timed: it is
the one in which optimisers make their states.

Prints a JSON object a round, pass after pass: 'pass', 'seconds' an outer step, 'cpu_seconds' of all threads, 'peak_resident_gib'.
--wait: a round begins when a line comes by standard input, so that another program can have its turn in between.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# Waiting OpenMP threads sleep instead of spinning, as for the oracle (time_oracle.py). Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.terminal import run_command
from tools.benchmark.memory import peak_resident_gib
from tools.parity_parts import script_cadavae, script_free, script_tfvaegan
from tools.parity_parts.reference_script import Enough, import_torch
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

ROWS = {"cub": MatSize(2048, 312, 150, 50, 7057, 1764, 2967), "tiny": MatSize(32, 8, 6, 4, 200, 20, 20)}
TFVAEGAN = {"cub": {}, "tiny": {"ngh": 64, "ndh": 64, "batch_size": 16}}
CADAVAE = {"cub": {}, "tiny": {"batch_size": 16}}
FREE = TFVAEGAN


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


def _write(rows: MatSize) -> Callable[[Path], None]:
    """Writes simulated data into a folder, in a process of its own."""

    def write(folder: Path) -> None:
        process = multiprocessing.get_context("fork").Process(
            target=lambda: mat_files.write(folder, mat_files.simulate(rows, 0, np.float32))
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


def main() -> int:
    """Prints the rounds; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("tfvaegan", "cadavae", "free"))
    parser.add_argument("checkout", type=Path, help="folder of the published code")
    parser.add_argument("--size", choices=ROWS, default="cub")
    parser.add_argument("--rounds", type=int, default=5, help="of a pass")
    parser.add_argument("--steps", type=int, default=1, help="outer steps of a round")
    parser.add_argument("--wait", action="store_true", help="for a line of standard input before each round")
    arguments = parser.parse_args()
    wait = sys.stdin.readline if arguments.wait else lambda: None
    passes, draws, run = {
        "tfvaegan": (2, 5, time_tfvaegan), "cadavae": (1, 1, time_cadavae), "free": (1, 1, time_free),
    }[arguments.kind]  # fmt: skip
    try:
        if min(arguments.rounds, arguments.steps) < 1:
            raise UserError("--rounds and --steps must be at least 1")
        turns = Turns(passes, draws, arguments.rounds, arguments.steps, wait)
        batch = (script_tfvaegan.CUB | TFVAEGAN[arguments.size])["batch_size"]  # FREE's is the same
        if arguments.kind != "cadavae" and turns.steps_per_pass * batch > ROWS[arguments.size].train:
            most = ROWS[arguments.size].train // batch - 2
            raise UserError(f"--rounds {arguments.rounds} --steps {arguments.steps}: together at most {most} outer steps of a pass")
        run(arguments.checkout, arguments.size, turns)
    except UserError as error:
        print(f"time_public: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
