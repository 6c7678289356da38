"""The command line of tools that read run folders: benchmarks by name, each with a folder of runs, and where to write."""

import argparse
from pathlib import Path
from typing import NamedTuple


class NamedRuns(NamedTuple):
    """What the command line says.

    Attributes:
        runs: names and folders, in order; a name may come again.
        output: where to write.
    """

    runs: list[tuple[str, Path]]
    output: Path


def read(about: str, output: str) -> NamedRuns:
    """Reads it: NAME=FOLDER, once or more, and --output. `about`: what --help says; `output`: what --output is called there."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="BENCHMARK=FOLDER")
    parser.add_argument("--output", required=True, type=Path, metavar=output)
    arguments = parser.parse_args()
    pairs = (text.partition("=") for text in arguments.runs)
    return NamedRuns([(name, Path(folder)) for name, _, folder in pairs], arguments.output)
