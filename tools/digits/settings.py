"""Chooses settings for configs/digits.py without touching its test rows or its unseen digits.

    python tools/digits/settings.py --vary train.epochs=50,100 --vary distillation.n_syn=30,60,100

Only training rows of the seven seen digits are used. Folds hold out two of them as pseudo-unseen, and a fifth of the rows of the
other five as pseudo test_seen; every candidate is trained on every fold, and the means of H and T1 over folds and seeds are
printed. 0 and 1 have strokes that no other digit has and stay seen; each of the other five is held out in two folds.
"""

import itertools
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from configs import digits
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.folds import hold_out
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.runs.display import Console, Display
from d3gzsl_jax.studies.start import train_on
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command

FOLDS = ((2, 4), (4, 5), (5, 7), (7, 8), (2, 8))


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def main() -> int:
    """Prints mean H of every candidate, best last."""
    parser = Parser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--vary", action="append", required=True, metavar="FIELD=V1,V2", help="a field and its candidates")
    arguments = parser.parse_args()
    grid = {field: [_value(v) for v in values.split(",")] for field, _, values in (text.partition("=") for text in arguments.vary)}
    configure()
    data = validate(read_digits())
    folds = [hold_out(data, np.array(held_out), 0.2, seed=1) for held_out in FOLDS]
    quiet = Display(Console(quiet=True))
    found = []
    for values in itertools.product(*grid.values()):
        candidate = dict(zip(grid, values, strict=True))
        harmonic, zsl = [], []
        for benchmark, seed in itertools.product(folds, range(arguments.seeds)):
            config = digits.get_config()
            config.lock()
            try:
                config.update_from_flattened_dict(candidate)
            except (KeyError, TypeError) as error:
                print(f"digits_settings: --vary: {' '.join(str(error).split())}", file=sys.stderr)
                return 2
            config.seed, config.eval.every_epochs, config.data.pipeline = seed, config.train.epochs, "device"
            config.log.report = False
            with tempfile.TemporaryDirectory() as folder:
                results = train_on(benchmark, config, folder, quiet)
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
