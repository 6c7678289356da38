"""Chooses settings for configs/digits.py without touching its test rows or its unseen digits.

    python tools/digits/settings.py --vary train.epochs=50,100 --vary distillation.n_syn=30,60,100

Only training rows of the seven seen digits are used. Folds hold out two of them as pseudo-unseen, and a fifth of the rows of the
other five as pseudo test_seen; every candidate is trained on every fold, and the means of H and T1 over folds and seeds are
printed. 0 and 1 have strokes that no other digit has and stay seen; each of the other five is held out in two folds.
"""

import itertools
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.config.check import check
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.folds import hold_out
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.display import Console, Display
from d3gzsl_jax.studies.overrides import assignment, configured
from d3gzsl_jax.studies.start import train_on
from d3gzsl_jax.system.options import Parser, whole
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command

FOLDS = ((2, 4), (4, 5), (5, 7), (7, 8), (2, 8))
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "digits.py"


def candidates(varied: Sequence[str]) -> list[dict[str, str]]:
    """Every combination of what was given for --vary.

    Raises:
        UserError: it is no FIELD=V1,V2, a field is there twice, or a configuration is none.
    """
    grid: dict[str, list[str]] = {}
    for text in varied:
        field, values = assignment("--vary", text, "must be FIELD=V1,V2, as in train.epochs=50,100")
        if field in grid:
            raise UserError(f"--vary {text}: {field} is varied already; give all its candidates at once")
        grid[field] = values.split(",")
    found = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    for candidate in found:
        check(settings(candidate, 0))
    return found


def settings(candidate: Mapping[str, str], seed: int) -> ConfigDict:
    """configs/digits.py with the candidate's fields, for a run on a fold."""
    config = configured(str(CONFIG), candidate)
    config.seed, config.eval.every_epochs, config.data.pipeline = seed, config.train.epochs, "device"
    config.log.report = False
    return config


def main() -> int:
    """Prints mean H of every candidate, best last."""
    parser = Parser(description=__doc__)
    parser.add_argument("--seeds", type=whole(1), default=1)
    parser.add_argument("--vary", action="append", required=True, metavar="FIELD=V1,V2", help="a field and its candidates")
    arguments = parser.parse_args()
    every = candidates(arguments.vary)
    configure()
    data = validate(read_digits())
    folds = [hold_out(data, np.array(held_out), 0.2, seed=1) for held_out in FOLDS]
    quiet = Display(Console(quiet=True))
    found = []
    for candidate in every:
        harmonic, zsl = [], []
        for benchmark, seed in itertools.product(folds, range(arguments.seeds)):
            with tempfile.TemporaryDirectory() as folder:
                results = train_on(benchmark, settings(candidate, seed), folder, quiet)
            if results["interrupted"]:
                return 130
            metrics = results["metrics"]
            harmonic.append(metrics["harmonic"])
            zsl.append(metrics["zsl"])
        found.append((float(np.mean(harmonic)), candidate))
        by_fold = " ".join(f"{100 * h:.0f}" for h in harmonic)
        print(f"H {100 * found[-1][0]:5.1f} ({by_fold})  T1 {100 * np.mean(zsl):5.1f}  {candidate}", flush=True)
    print(f"best: {max(found, key=lambda pair: pair[0])[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
