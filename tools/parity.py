"""Checks this package against a recording of the PyTorch implementation.

    python tools/parity.py --golden tests/golden/wgan.npz

replays every recorded batch and draw through the package's own functions, at the sizes, option values and number of epochs the
file has, and prints a table: per quantity the largest absolute and relative deviation, for parameters the largest in units of
the learning rate, the tolerance and the verdict. Exit 0: all within tolerance. 1: something outside (quantity, step and key are
named). 2: bad input.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console

from d3gzsl_jax.errors import UserError, reason
from tools.recording import Recording
from tools.replay import replay


def main(argv: list[str] | None = None) -> int:
    """Runs the check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", required=True, metavar="FILE.npz", help="a recording (layout: tests/golden/README.md)")
    arguments = parser.parse_args(argv)
    try:
        comparison = replay(Recording(arguments.golden))
    except UserError as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # arrays that do not fit each other fail in numpy or JAX, in many ways
        print(f"parity: {arguments.golden}: its arrays do not fit together ({reason(error)})", file=sys.stderr)
        return 2
    comparison.print(Console(width=None if sys.stdout.isatty() else 140), f"Replay of {arguments.golden}")
    for failure in comparison.failures:
        print(f"outside tolerance: {failure}")
    if comparison.failures:
        return 1
    print("all quantities within tolerance")
    return 0


if __name__ == "__main__":
    sys.exit(main())
