"""What a checkpoint costs a run: the same number of outer steps with and without one, in turns, in one process, on simulated data.

    python tools/benchmark/checkpoint_cost.py --size cub --rounds 5 --steps 10
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.frameworks.finite_check import check_finite
from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.training.draws import sample_rows
from tools.benchmark.sizes import SIZES, build


def main() -> None:
    """Prints one JSON object: seconds of training with and without a checkpoint, and what it comes to in a run."""
    parser = Parser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="cub")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="outer steps of a round, long enough for a checkpoint to be written")
    args = parser.parse_args()
    configure()
    loop, state, constants = build(SIZES[args.size])
    rows, batch = SIZES[args.size].rows, SIZES[args.size].batch
    inputs = jnp.stack([sample_rows(constants.root, s, rows, loop.batches, batch) for s in range(args.steps)])
    tally = loop.empty_tally(state, constants, inputs)
    state, _ = loop.run(state, tally, constants, inputs, 0, 1)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    times: dict[bool, list[float]] = {False: [], True: []}
    calls = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder) / "checkpoints", 2, "", 0.0, print)
        for turn in range(2 * args.rounds):
            saving = turn % 2 == 1
            jax.block_until_ready(state)
            began = time.perf_counter()
            if saving:  # as a run does: it looks at the parameters, and hands them over
                check_finite(state.params, "")
                checkpoints.save(turn, {"state": state, "tally": tally}, {}, None)
                calls.append(time.perf_counter() - began)
            for step in range(args.steps):  # one outer step a call, as a run has it at this size
                state, out = loop.run(state, tally, constants, inputs, step, 1)
                out.check()
            times[saving].append(time.perf_counter() - began)
            checkpoints.save(turn, {}, {}, None, wait=True) if saving else None  # it has one: this only waits
        checkpoints.close()
    off, on = (np.array(times[saving]) for saving in (False, True))
    cost = float(np.median(on - off))
    step = float(np.median(off)) / args.steps
    found = {
        "size": args.size, "checkpoint_mib": size / 2**20, "seconds_per_step": step, "seconds_of_the_call": float(np.median(calls)),
        "seconds_off": off.round(2).tolist(), "seconds_on": on.round(2).tolist(), "seconds_per_checkpoint": cost,
        "share_every_5_minutes": cost / 300, "share_every_epoch": cost / (step * -(-rows // batch)),
    }  # fmt: skip
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    sys.exit(run_command(main))
