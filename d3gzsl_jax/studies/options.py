"""Options that the commands have in common which do many runs of configurations, and the fields they set."""

import argparse
from pathlib import Path
from typing import Any

from d3gzsl_jax.config import command_line, schema
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents
from d3gzsl_jax.studies.overrides import assignment, rooted
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.options import Parser, require_same


def parser_of(name: str, about: str, exit_codes: str) -> Parser:
    """A parser that guesses what an unknown option was meant for.

    Args:
        name: of the command.
        about, exit_codes: what --help says.
    """

    def guess(option: str, value: str) -> str:
        found = command_line.meant(option, value, schema.by_name(), "--set={}={}")
        return f"did you mean {found}?" if found else ""

    return Parser(f"d3gzsl {name}", description=about, exit_codes=exit_codes, guess=guess)


def add_configs(parser: Parser) -> None:
    """Adds --config, once or more."""
    parser.add_argument("--config", action="append", default=[], metavar="FILE.py[:VARIANT]", help="once or more")


def add_fields(parser: Parser, where: str) -> None:
    """Adds --set and --data-root. `where`: in which runs a field is set."""
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help=where)
    parser.add_argument("--data-root", "--root", dest="root", metavar="FOLDER", help="instead of config.data.root")


def fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields that --set and --data-root set, by dotted name.

    Raises:
        UserError: see `assignment` and `rooted`; or a field is set to two values.
    """
    found: dict[str, Any] = {}
    for field, value in (assignment("--set", text) for text in arguments.set):
        require_same(f"--set {field}", found.setdefault(field, value), f"--set {field}", value)
    return rooted(found, arguments.root)


def output_folder(given: str) -> Path:
    """The folder that --output names, for the runs of a study: its own of an earlier start, or one that holds no run.

    Raises:
        UserError: it cannot be written, or is or lies in the folder of a run.
    """
    folder = paths.clean_folder(given, "--output")
    contents.require_no_run(folder, "--output")
    return folder


def require_config(arguments: argparse.Namespace) -> None:
    """Refuses a command line without a configuration.

    Raises:
        UserError: there is none.
    """
    if not arguments.config:
        raise UserError("--config is missing; for example --config=configs/digits.py, which needs no download")
