"""Checks this package against PyTorch: one source of comparison at a time.

    python tools/parity.py --golden tests/golden/wgan.npz    # and the other recordings there
    python tools/parity.py --reference DIR    # DIR: a checkout of PJBQ/D3GZSL; its loop on the WGAN-GP base
    python tools/parity.py --cegzsl DIR       # DIR: a checkout of Hanzy1996/CE-GZSL
    python tools/parity.py --tfvaegan DIR     # DIR: a checkout of akshitac8/tfvaegan
    python tools/parity.py --cadavae DIR      # DIR: a checkout of edgarschnfld/CADA-VAE-PyTorch
    python tools/parity.py --free DIR         # DIR: a checkout of shiming-chen/FREE
    python tools/parity.py --zerodiff DIR     # DIR: a checkout of FouriYe/ZeroDiff_ICLR25; both of its stages
    python tools/parity.py --oracle           # our own PyTorch implementation, in lockstep, on random data

A recording holds every batch and draw of a PyTorch loop; all of them are replayed through the package's own functions, at the
sizes, option values and number of epochs it has. --golden takes one from a file; the options with a checkout make one first, by
running its published script unmodified in a process of its own (tools/parity_parts/record_reference.py; torch is needed there).
ZeroDiff's scripts do not run unmodified; what is changed in a copy says tools/parity_parts/script_zerodiff.py.
--oracle trains both sides update by update, at any size and with any option of the method (tools/parity_parts/oracle.py). Printed
is a table: per quantity the largest absolute and relative deviation, for parameters the largest in units of the learning rate, the
tolerance and the verdict; --json prints the same as one JSON object. Exit 0: all within tolerance. 1: something outside (quantity,
step and key are named). 2: bad input.
"""

import argparse
import dataclasses
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.precision import PRECISIONS
from d3gzsl_jax.runs.display import Console
from d3gzsl_jax.runs.environment import environment
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.parity_parts import oracle_case, recording_process
from tools.parity_parts.comparison import Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay import replay


class Checked(NamedTuple):
    """What a source of comparison gives back: a title for the table, the deviations, and what was compared (JSON values)."""

    title: str
    comparison: Comparison
    compared: dict[str, Any]


def check_golden(arguments: argparse.Namespace) -> Checked:
    """A recording from a file.

    Raises:
        UserError: an option that the recording already answers was given.
    """
    for option in ("size", "seed", "epochs", "record"):
        if getattr(arguments, option) is not None:
            raise UserError(f"--{option}: not with --golden, the recording says what was run")
    about = {"recording": arguments.golden, "precision": arguments.precision}
    return Checked(f"Replay of {arguments.golden}", _replayed(arguments.golden, arguments.precision), about)


def check_reference(arguments: argparse.Namespace) -> Checked:
    """The released D3GZSL loop of a checkout."""
    return _check_checkout("wgan", arguments.reference, arguments)


def check_cegzsl(arguments: argparse.Namespace) -> Checked:
    """The public CE-GZSL loop of a checkout."""
    return _check_checkout("cegzsl", arguments.cegzsl, arguments)


def check_tfvaegan(arguments: argparse.Namespace) -> Checked:
    """The public TF-VAEGAN loop of a checkout."""
    return _check_checkout("tfvaegan", arguments.tfvaegan, arguments)


def check_cadavae(arguments: argparse.Namespace) -> Checked:
    """The public CADA-VAE loop of a checkout."""
    return _check_checkout("cadavae", arguments.cadavae, arguments)


def check_free(arguments: argparse.Namespace) -> Checked:
    """The public FREE loop of a checkout."""
    return _check_checkout("free", arguments.free, arguments)


def check_zerodiff(arguments: argparse.Namespace) -> Checked:
    """The two public ZeroDiff loops of a checkout."""
    return _check_checkout("zerodiff", arguments.zerodiff, arguments)


def check_oracle(arguments: argparse.Namespace) -> Checked:
    """The PyTorch oracle.

    Raises:
        UserError: an option means nothing here, or torch is missing.
    """
    for option in ("epochs", "record"):
        if getattr(arguments, option) is not None:
            raise UserError(f"--{option}: not with --oracle, which takes --steps")
    if arguments.precision != "float32":
        raise UserError(f"--precision {arguments.precision}: not with --oracle, which is compared in float32 and --double")
    case = oracle_case.case_of(arguments)
    from tools.parity_parts.oracle import Lockstep, compare  # here, because it needs torch
    from tools.parity_parts.oracle_vaegan import LockstepVAEGAN

    found = compare(case, LockstepVAEGAN if case.base == "tfvaegan" else Lockstep)
    method = f"{case.base}{' with D3' if case.d3 else ''}, {case.variant}"
    return Checked(f"PyTorch oracle: {method}, seed {case.seed}, {case.steps} outer steps", found, dataclasses.asdict(case))


def _check_checkout(kind: str, checkout: str, arguments: argparse.Namespace) -> Checked:
    size, seed = arguments.size or "small", arguments.seed or 0
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.record or os.path.join(folder, "recording.npz")
        about = recording_process.record(kind, checkout, path, size, seed, arguments.epochs, arguments.python)
        title = f"{about['script']} of {checkout}, {size}, seed {seed}, {about['updates']} updates"
        return Checked(title, _replayed(path, arguments.precision), about | {"precision": arguments.precision})


def _replayed(path: str, precision: str) -> Comparison:
    recording = Recording(path)
    try:
        return replay(recording, precision)
    except UserError:
        raise
    except Exception as error:  # arrays that do not fit each other fail in numpy or JAX, in many ways
        raise UserError(f"{path}: its arrays do not fit together ({reason(error)})") from None


# Option that names a source -> what checks against it. Exactly one of them is given.
SOURCES: dict[str, Callable[[argparse.Namespace], Checked]] = {
    "golden": check_golden, "reference": check_reference, "cegzsl": check_cegzsl, "tfvaegan": check_tfvaegan,
    "cadavae": check_cadavae, "free": check_free, "zerodiff": check_zerodiff, "oracle": check_oracle,
}  # fmt: skip


def build_parser() -> Parser:
    """The options: one source of SOURCES, and what goes with it."""
    parser = Parser(description=__doc__)
    sources = parser.add_mutually_exclusive_group(required=True)
    sources.add_argument("--golden", metavar="FILE.npz", help="a recording (layout: tests/golden/README.md)")
    sources.add_argument("--reference", metavar="DIR", help="a checkout of PJBQ/D3GZSL: its loop on the WGAN-GP base")
    sources.add_argument("--cegzsl", metavar="DIR", help="a checkout of Hanzy1996/CE-GZSL")
    sources.add_argument("--tfvaegan", metavar="DIR", help="a checkout of akshitac8/tfvaegan")
    sources.add_argument("--cadavae", metavar="DIR", help="a checkout of edgarschnfld/CADA-VAE-PyTorch")
    sources.add_argument("--free", metavar="DIR", help="a checkout of shiming-chen/FREE")
    sources.add_argument("--zerodiff", metavar="DIR", help="a checkout of FouriYe/ZeroDiff_ICLR25: both of its stages")
    sources.add_argument("--oracle", action="store_true", help="the PyTorch oracle (parity_parts/torch_oracle.py), in lockstep")
    run = parser.add_argument_group("what is run")
    run.add_argument("--size", help="small (default) or medium; with --oracle also cub")
    run.add_argument("--seed", type=int, help="of the simulated data and of training (default 0)")
    run.add_argument("--epochs", type=int, help="with a checkout: epochs of training (default: those of the size)")
    run.add_argument("--python", default=sys.executable, help="an interpreter with torch that records (default: this one)")
    run.add_argument("--record", metavar="FILE.npz", help="with a checkout: keep the recording there")
    run.add_argument("--precision", choices=PRECISIONS, default="float32", help="of our products; not with --oracle")
    oracle_case.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    return parser


def as_json(checked: Checked) -> dict[str, Any]:
    """The comparison as JSON values: what was compared, versions, and a row per quantity."""
    rows = {
        name: {
            "arrays": row.count, "max_abs": _number(row.absolute), "max_rel": _number(row.relative),
            "max_lr": _number(row.in_units), "tolerance": row.tolerance.text,
            "verdict": "outside" if row.first_failure else "within", "first_failure": row.first_failure,
        }
        for name, row in checked.comparison.rows.items()
    }  # fmt: skip
    failures = checked.comparison.failures
    return {
        "compared": checked.compared, "verdict": "outside" if failures else "within",
        "first_failure": failures[0] if failures else None, "quantities": rows, "environment": environment(),
    }  # fmt: skip


def _number(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)  # JSON has neither NaN nor infinity


def main(argv: list[str] | None = None) -> int:
    """Runs the check; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    check = next(check for option, check in SOURCES.items() if getattr(arguments, option) not in (None, False))
    if not arguments.oracle:
        oracle_case.refuse_options(arguments)
    checked = check(arguments)
    failures = checked.comparison.failures
    if arguments.json:
        print(json.dumps(as_json(checked)))
        return 1 if failures else 0
    checked.comparison.print(Console(width=None if sys.stdout.isatty() else 140), checked.title)
    for failure in failures:
        print(f"outside tolerance: {failure}")
    if failures:
        return 1
    print("all quantities within tolerance")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
