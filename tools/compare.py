"""Trains several configurations over several seeds and tables what each of their predictors reaches.

    python tools/compare.py configs/cegzsl_cub_small.py:base configs/cegzsl_cub_small.py --seeds 3 --root FOLDER --output FILE.json
    python tools/compare.py configs/digits.py configs/digits.py,precision=bfloat16 --seeds 5 --output FILE.json

Every figure is the last epoch's; nothing is chosen on the test set. The final classifier is fitted after every evaluated epoch, so
that --output holds whole curves. A run that --output holds already is not trained again: give the same command to go on.
"""

import argparse
import ast
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.load import load
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.runs import contents, json_files
from d3gzsl_jax.runs.display import METRICS, Console, Display
from d3gzsl_jax.runs.file_schemas import ComparedRun
from d3gzsl_jax.runs.folder import plain
from d3gzsl_jax.studies.start import train
from d3gzsl_jax.studies.tables.seeds import print_seed_table
from d3gzsl_jax.system import atomic
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command


def configuration(spec: str, seed: int, root: str | None) -> ConfigDict:
    """What one run is trained with."""
    file, *fields = spec.split(",")
    overrides = {"data.root": root} if root else {}
    for text in fields:
        field, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"{spec}: after the comma, {text!r} is not FIELD=VALUE")
        try:
            overrides[field] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            overrides[field] = value  # a word
    config = load_config(file, overrides)
    config.seed = seed
    config.classifier.fit, config.log.report = "every", False
    return config


def run(spec: str, seed: int, root: str | None) -> dict[str, Any]:
    """Trains one configuration with one seed: last metrics by predictor, the curve of every evaluation, seconds, and the
    configuration itself."""
    config = configuration(spec, seed, root)
    with tempfile.TemporaryDirectory() as folder:
        results = train(config, folder, Display(Console(quiet=True)))
        lines = json_files.read_lines(Path(folder) / "metrics.jsonl")
    if results["interrupted"]:
        raise KeyboardInterrupt
    return {
        "spec": spec,
        "seed": seed,
        "last": {name: found["metrics"] for name, found in results["predictions"].items()},
        "curve": [{"epoch": line["epoch"], **line["predictions"]} for line in lines],
        "seconds": results["seconds"],
        "config": results["config"],
    }


def read_runs(path: Path) -> list[dict[str, Any]]:
    """The runs an output file holds; none if it is not there.

    Raises:
        UserError: it is no output of this tool.
    """
    try:
        return json_files.read(path, list[ComparedRun]) or []
    except UserError as error:
        raise UserError(f"--output {error}: not an output of this tool; name another file") from None


def measure(specs: list[str], seeds: int, root: str | None, output: Path) -> list[dict[str, Any]]:
    """All runs, seed by seed; `output` is written after each."""
    runs = read_runs(output)
    for spec in specs:  # every configuration is looked at before any is trained
        config = configuration(spec, 0, root)
        check.check(config)
        load(config.dataset, config.data)
        for entry in runs:
            if entry["spec"] == spec and entry["config"] | {"seed": 0} != plain(config.to_dict()):
                raise UserError(f"--output {output}: holds runs of {spec} with other settings or data; name another file")
    for seed in range(seeds):
        for spec in specs:
            if any((entry["spec"], entry["seed"]) == (spec, seed) for entry in runs):
                continue
            runs.append(run(spec, seed, root))
            atomic.write_text(output, json.dumps(plain(runs), indent=1) + "\n")
            last = "  ".join(
                f"{name} " + " ".join(f"{heading} {100 * found[key]:.1f}" for heading, key in METRICS.items())
                for name, found in runs[-1]["last"].items()
            )
            print(f"{spec}, seed {seed}, {runs[-1]['seconds']:.0f} s: {last}", flush=True)
    return [entry for entry in runs if entry["spec"] in specs and entry["seed"] < seeds]


def main(argv: list[str] | None = None) -> int:
    """Runs the comparison; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", metavar="FILE.py[:variant][,FIELD=VALUE]...", help="configurations")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ... of each")
    parser.add_argument("--root", help="instead of config.data.root")
    parser.add_argument("--output", required=True, type=Path, help="JSON file of all runs; a partial one is gone on with")
    arguments = parser.parse_args(argv)
    configure()
    try:
        if arguments.seeds < 1:
            raise UserError(f"--seeds {arguments.seeds}: must be at least 1")
        output = contents.output(arguments.output, "--output", lambda path: bool(read_runs(path)), "runs of this tool")
        specs = list(dict.fromkeys(arguments.configs))
        runs = measure(specs, arguments.seeds, arguments.root, output)
    except KeyboardInterrupt:
        print("compare: stopped; the same command goes on", file=sys.stderr)
        return 130
    except (UserError, DivergenceError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 3
    rows: dict[str, list[dict[str, float]]] = {}
    for spec in specs:
        for entry in runs:
            if entry["spec"] == spec:
                for name, metrics in entry["last"].items():
                    known = {key: math.nan if value is None else value for key, value in metrics.items()}
                    rows.setdefault(f"{spec}, {name}", []).append(known)
    print_seed_table("last epoch, percent (mean ± std)", rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
