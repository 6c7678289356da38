"""The command line of tools that read run folders: benchmarks by name, each with a folder of runs, and where to write."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.options import Parser


class NamedRuns(NamedTuple):
    """What the command line says.

    Attributes:
        runs: names and folders, in order; a name may come again.
        output: where to write.
    """

    runs: list[tuple[str, Path]]
    output: Path


def read(about: str, output: str) -> NamedRuns:
    """Reads it: NAME=FOLDER, once or more, and --output. `about`: what --help says; `output`: what --output is called there.

    Raises:
        UserError: a part without a name, or without a folder that is there.
    """
    parser = Parser(description=about)
    parser.add_argument("runs", nargs="+", metavar="BENCHMARK=FOLDER")
    parser.add_argument("--output", required=True, type=Path, metavar=output)
    arguments = parser.parse_args()
    runs = folders(arguments.runs)
    for text, (name, _) in zip(arguments.runs, runs, strict=True):
        if Path(name).name != name:
            raise UserError(f"{text}: the name {name!r} is a path; give one word, as in FLO=runs/flo")
    return NamedRuns(runs, arguments.output)


def folders(texts: Sequence[str]) -> list[tuple[str, Path]]:
    """NAME and FOLDER of each NAME=FOLDER.

    Raises:
        UserError: one lacks a part, or its folder is not there.
    """
    pairs = [text.partition("=")[::2] for text in texts]
    for text, (name, folder) in zip(texts, pairs, strict=True):
        if not name or not folder:
            raise UserError(f"{text}: give a name and a folder of runs, as in FLO=runs/flo")
        if not Path(folder).is_dir():
            raise UserError(f"{text}: there is no folder {folder}")
    return [(name, Path(folder)) for name, folder in pairs]


def by_name(given: NamedRuns) -> dict[str, Path]:
    """The folders by name.

    Raises:
        UserError: a name was given twice.
    """
    if twice := [name for name, count in Counter(name for name, _ in given.runs).items() if count > 1]:
        raise UserError(f"{twice[0]}=FOLDER was given twice; name one folder that holds all its runs")
    return dict(given.runs)


def write_json(about: str, made: Callable[[Path], Any]) -> None:
    """The whole command line of a tool that writes what is `made` of each folder, by name, as JSON.

    What the file has of other names is kept, so that a further benchmark needs no runs but its own.

    Args:
        about: what --help says.
        made: of a folder.

    Raises:
        UserError: bad options, a file there that is no such JSON, or what `made` raises; nothing is written.
    """
    given = read(about, "FILE.json")
    runs = by_name(given)
    there = lambda: json_files.read(given.output, dict[str, Any], "name another file for --output") or {}  # noqa: E731
    there()  # refused before the work
    found = {name: made(folder) for name, folder in runs.items()}
    write_text(given.output, json.dumps(dict(sorted((there() | found).items())), indent=1) + "\n", parents=True)
