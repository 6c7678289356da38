"""Does synthesis help? One configuration over several seeds, the same networks without synthesis, and closed-form ESZSL.

    python tools/baselines.py --config configs/digits.py --seeds 5 [--root FOLDER] [--output FILE.json]

Every figure is the last epoch's; nothing is chosen on the test set. "Without synthesis" trains the same student by the same losses
on real rows only (config.distillation.n_syn=0). ESZSL chooses its two ridges on pseudo-unseen classes inside trainval, drawn by
the seed. Prints mean and standard deviation (n - 1) over seeds, in percent.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console

from d3gzsl_jax import settings
from d3gzsl_jax.baselines import eszsl_metrics
from d3gzsl_jax.config_file import load_config
from d3gzsl_jax.data.loading import load
from d3gzsl_jax.data.preprocess import scale_splits
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.process import configure
from d3gzsl_jax.runs.console import Display
from d3gzsl_jax.train import train_on
from tools.seed_table import print_seed_table


def measure(config_path: str, seeds: int, root: str | None) -> dict[str, list[dict[str, float]]]:
    """Metrics by method, one entry a seed."""
    config = load_config(config_path, {"data.root": root} if root else None)
    settings.check(config)
    if config.eval.prediction != "student":
        raise UserError(f"{config_path}: predicts by the final classifier; give a configuration with D3, whose student predicts")
    data = load(config.dataset, config.data)
    arrays = scale_splits(data)
    config.eval.every_epochs = config.train.epochs
    config.classifier.fit, config.log.report = "never", False
    found: dict[str, list[dict[str, float]]] = {"D3GZSL": [], "same networks without synthesis": [], "ESZSL": []}
    for seed in range(seeds):
        config.seed = seed
        for method, n_syn in (("D3GZSL", config.distillation.n_syn), ("same networks without synthesis", 0)):
            run = config.copy_and_resolve_references()
            run.distillation.n_syn = n_syn
            with tempfile.TemporaryDirectory() as folder:
                results = train_on(data, run, folder, Display(Console(quiet=True)))
            if results["interrupted"]:
                raise KeyboardInterrupt
            found[method].append(results["metrics"])
        found["ESZSL"].append(eszsl_metrics(data, arrays, seed))
        harmonic = "  ".join(f"{method} H {100 * rows[-1]['harmonic']:.1f}" for method, rows in found.items())
        print(f"seed {seed}: {harmonic}", flush=True)
    return found


def main(argv: list[str] | None = None) -> int:
    """Runs the comparison; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="a configuration file, for example configs/digits.py")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--root", help="instead of config.data.root")
    parser.add_argument("--output", help="also write every seed's metrics to this JSON file")
    arguments = parser.parse_args(argv)
    configure()
    try:
        if arguments.seeds < 1:
            raise UserError(f"--seeds {arguments.seeds}: must be at least 1")
        if arguments.output and not Path(arguments.output).resolve().parent.is_dir():
            raise UserError(f"--output {arguments.output}: its folder does not exist")
        found = measure(arguments.config, arguments.seeds, arguments.root)
    except KeyboardInterrupt:
        print("baselines: stopped", file=sys.stderr)
        return 130
    except (UserError, DivergenceError) as error:
        print(f"baselines: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 3
    print_seed_table(f"{arguments.config}, last epoch, percent (mean ± std)", found)
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
