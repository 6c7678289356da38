"""Checks this package against PyTorch: one source of comparison at a time.

    python tools/parity.py --golden tests/golden/wgan.npz

replays every recorded batch and draw through the package's own functions, at the sizes, option values and number of epochs the
file has, and prints a table: per quantity the largest absolute and relative deviation, for parameters the largest in units of
the learning rate, the tolerance and the verdict; --json prints the same as one JSON object. Exit 0: all within tolerance. 1:
something outside (quantity, step and key are named). 2: bad input.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console

from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.runs.environment import environment
from tools.comparison import Comparison
from tools.recording import Recording
from tools.replay import replay


class Checked(NamedTuple):
    """What a source of comparison gives back: a title for the table, the deviations, and what was compared (JSON values)."""

    title: str
    comparison: Comparison
    compared: dict[str, Any]


def check_golden(arguments: argparse.Namespace) -> Checked:
    """A recording from a file."""
    return Checked(f"Replay of {arguments.golden}", _replayed(arguments.golden), {"recording": arguments.golden})


def _replayed(path: str) -> Comparison:
    recording = Recording(path)
    try:
        return replay(recording)
    except UserError:
        raise
    except Exception as error:  # arrays that do not fit each other fail in numpy or JAX, in many ways
        raise UserError(f"{path}: its arrays do not fit together ({reason(error)})") from None


# Option that names a source -> what checks against it. Exactly one of them is given.
SOURCES: dict[str, Callable[[argparse.Namespace], Checked]] = {"golden": check_golden}


def build_parser() -> argparse.ArgumentParser:
    """The options: one source of SOURCES, and what goes with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sources = parser.add_mutually_exclusive_group(required=True)
    sources.add_argument("--golden", metavar="FILE.npz", help="a recording (layout: tests/golden/README.md)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    return parser


def as_json(checked: Checked) -> dict[str, Any]:
    """The comparison as JSON values: what was compared, versions, and a row per quantity."""
    rows = {
        name: {
            "arrays": row.count, "max_abs": row.absolute, "max_rel": row.relative, "max_lr": row.in_units,
            "tolerance": row.tolerance.text, "verdict": "outside" if row.first_failure else "within",
            "first_failure": row.first_failure,
        }
        for name, row in checked.comparison.rows.items()
    }  # fmt: skip
    failures = checked.comparison.failures
    return {
        "compared": checked.compared, "verdict": "outside" if failures else "within",
        "first_failure": failures[0] if failures else None, "quantities": rows, "environment": environment(),
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Runs the check; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    check = next(check for option, check in SOURCES.items() if getattr(arguments, option) not in (None, False))
    try:
        checked = check(arguments)
    except UserError as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2
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
    sys.exit(main())
