"""Records a run of a published PyTorch training script from a checkout, at a small size. Needs torch, not JAX.

    python tools/parity_parts/record_reference.py wgan DIR --output FILE.npz      # DIR: a checkout of PJBQ/D3GZSL
    python tools/parity_parts/record_reference.py cegzsl DIR --output FILE.npz    # DIR: a checkout of Hanzy1996/CE-GZSL
    python tools/parity_parts/record_reference.py tfvaegan DIR --output FILE.npz  # DIR: a checkout of akshitac8/tfvaegan
    python tools/parity_parts/record_reference.py cadavae DIR --output FILE.npz   # DIR: of edgarschnfld/CADA-VAE-PyTorch
    python tools/parity_parts/record_reference.py free DIR --output FILE.npz      # DIR: a checkout of shiming-chen/FREE
    python tools/parity_parts/record_reference.py zerodiff DIR --output FILE.npz  # DIR: a checkout of FouriYe/ZeroDiff_ICLR25

The file has the layout of tests/golden/README.md; tools/parity.py replays it. Prints one JSON object: what was run, and versions.
Of ZeroDiff's scripts a changed copy is run (script_zerodiff.py), the others as they are.
"""

import json
import platform
import re
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.runs import contents
from d3gzsl_jax.studies.own_outputs import npz_with
from d3gzsl_jax.system.atomic import replacing
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.parity_parts import record_cadavae, record_cegzsl, record_free, record_tfvaegan, record_wgan, record_zerodiff
from tools.parity_parts.reference_script import import_torch

KINDS = {
    "wgan": record_wgan, "cegzsl": record_cegzsl, "tfvaegan": record_tfvaegan, "cadavae": record_cadavae, "free": record_free,
    "zerodiff": record_zerodiff,
}  # fmt: skip
UPDATE = re.compile(r"(\w+/)?step\d+(?=/)")  # at the beginning of a key; ZeroDiff has them by stage


def main() -> int:
    """Writes the recording; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument("--size", choices=("small", "medium"), default="small")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="epochs of training (default: those of the size)")
    arguments = parser.parse_args()
    output = contents.output(arguments.output, "--output", npz_with("/loss"), "recording")
    arrays = KINDS[arguments.kind].record(arguments.checkout, arguments.size, arguments.seed, arguments.epochs)
    with replacing(output, "wb") as file:
        np.savez(file, **arrays)
    updates = len({found.group() for found in map(UPDATE.match, arrays) if found})
    versions = {"torch": import_torch().__version__, "numpy": np.__version__, "python": platform.python_version()}
    print(json.dumps({"script": KINDS[arguments.kind].SCRIPT, "updates": updates, "recorded_with": versions}))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
