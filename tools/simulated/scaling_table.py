"""AUSUC by scaling and generator's output, on simulated features and on the digits as they are and turned round; a JSON file.

    python tools/simulated/scaling_table.py --output scaling.json
    python tools/simulated/scaling_table.py --output scaling.json --flo data/FLO --sets flo

Each cell is the mean and the standard deviation of three seeds, by the student and by the final classifier. What `auto` stands for
is one of the cells, and is said. Cells that are in the file already are left as they are.
"""

import dataclasses
import itertools
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.feature_profile import profile
from d3gzsl_jax.data.load import load
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.feature_settings import resolved
from d3gzsl_jax.studies.seeds import train_seeds
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command
from tools.simulated.feature_kinds import KINDS, simulate

SETTINGS = (
    ("standard", "linear"), ("minmax", "relu"), ("unit", "linear"), ("none", "linear"), ("minmax", "linear"), ("standard", "relu"),
    ("unit", "relu"), ("none", "relu"),
)  # fmt: skip
"""Those that say most first."""
SEEDS = (0, 1, 2)
_FLO = {
    "data.stress.seen_rows": 0.4, "eval.selection": "last", "eval.prediction": "student", "data.normalize_semantics": True,
    "networks.generator_hidden": 256, "networks.critic_hidden": 256, "networks.embedding": 256,
}  # fmt: skip


def digits(turned: bool) -> GZSLData:
    """The digits, or the same pictures as negatives."""
    data = read_digits()
    return validate(dataclasses.replace(data, features=16.0 - data.features) if turned else data)


def two_sided_flo(config: ConfigDict, folder: str) -> GZSLData:
    """FLO's features, each dimension with mean 0 and standard deviation 1."""
    config.data.root = folder
    data = load("FLO", config.data)
    features = data.features - data.features[data.trainval].mean(axis=0)
    deviations = features[data.trainval].std(axis=0)
    return validate(dataclasses.replace(data, features=features / np.where(deviations > 0, deviations, 1.0)))


def sets(flo: str) -> dict[str, Callable[[], tuple[GZSLData, ConfigDict]]]:
    """By name, the data and the configuration of a set."""

    def small(data: GZSLData, **fields: Any) -> tuple[GZSLData, ConfigDict]:
        return data, load_config("digits", fields)

    def of_flo() -> tuple[GZSLData, ConfigDict]:
        config = load_config("flo_small", _FLO)
        return two_sided_flo(config, flo), config

    simulated = {kind: (lambda kind=kind: small(validate(simulate(kind)), **{"networks.generator_hidden": 128})) for kind in KINDS}
    return simulated | {
        "digits": lambda: small(digits(turned=False)), "digits turned round": lambda: small(digits(turned=True)),
        **({"flo": of_flo} if flo else {}),
    }  # fmt: skip


def cell(data: GZSLData, config: ConfigDict, scaling: str, output: str, epochs: int) -> dict[str, Any]:
    """AUSUC, percent: mean and standard deviation over the seeds, by predictor."""
    own = config.copy_and_resolve_references()
    own.data.scaling, own.networks.output, own.seeds = scaling, output, SEEDS
    own.train.epochs = own.eval.every_epochs = epochs
    own.data.pipeline, own.log.report, own.classifier.fit = "device", False, "last"
    with tempfile.TemporaryDirectory() as folder:
        found = train_seeds(own, folder, Display(quiet=True), data=data)
    of = lambda part, name, key: round(100 * found[part][name][key], 1)  # noqa: E731
    return {
        name: {"mean": of("mean", name, "ausuc"), "std": of("std", name, "ausuc"), "H": of("mean", name, "harmonic")}
        for name in ("student", "classifier")
    }


def auto(data: GZSLData, config: ConfigDict) -> list[str]:
    """What 'auto' stands for, as scaling and output."""
    own = config.copy_and_resolve_references()
    own.data.scaling = own.networks.output = "auto"
    chosen = resolved(own, data)
    return [chosen.data.scaling, "relu" if chosen.networks.output == "published" else chosen.networks.output]


def main() -> int:
    """Measures and writes; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.json")
    parser.add_argument("--flo", default="", metavar="FOLDER", help="with FLO's res101.mat or effnet_lite0.mat and att_splits.mat")
    parser.add_argument("--sets", default="", help="names with commas between; all if left out")
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    configure(keep_compiled=True)
    there = sets(arguments.flo)
    table = json.loads(arguments.output.read_text(encoding="utf-8")) if arguments.output.exists() else {}
    names = arguments.sets.split(",") if arguments.sets else list(there)
    if unknown := [name for name in names if name not in there]:
        parser.error(f"--sets={','.join(unknown)}: there are {', '.join(there)} (flo with --flo)")
    for (scaling, output), name in itertools.product(SETTINGS, names):
        data, config = there[name]()
        of = table.setdefault(name, {"cells": {}})
        of |= {"auto": auto(data, config), "features": profile(data.features[data.trainval]).content(), "epochs": arguments.epochs}
        if (key := f"{scaling} {output}") not in of["cells"]:
            of["cells"][key] = cell(data, config, scaling, output, arguments.epochs)
            print(name, key, of["cells"][key], flush=True)
            arguments.output.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
