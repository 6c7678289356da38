"""`d3gzsl search`: its options, and how it ends."""

import argparse
import shlex
import sys
from typing import Any

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies import executors, options
from d3gzsl_jax.studies.search.configurations import Configuration, configurations_of
from d3gzsl_jax.studies.stopping import stoppable
from d3gzsl_jax.system import extras
from d3gzsl_jax.system.options import Parser, one_of, whole

_ABOUT = """\
Settings searched on validation folds, by Optuna's TPE: as many trials for every configuration.

    d3gzsl search --config=digits:base --config=digits --trials=30 --output=FOLDER
    d3gzsl search --config=A.py --field=train.learning_rate=1e-4..1e-2:log --field=train.batch_size=64,128 --output=FOLDER

A trial trains on folds inside trainval alone, with --seeds seeds; its value is the mean of
config.eval.criterion over folds and seeds, at the epoch, predictor and gamma that the folds choose.
No test row is looked at. Trial 0 has the configuration's own settings. A trial whose folds look
worse than the median of the others, at the same evaluation, is stopped early.

Without --field these are searched, around the configuration's own values: train.learning_rate, the
weights of D3's terms where it is on (one for all that are the same: distillation.weights), and
classifier.n_syn. Fields that mean nothing to a configuration, as D3's without it, are left out there.

FOLDER/search.md and search.json hold every trial, the budget of every configuration, the best
settings as flags, and the command that trains them and looks at the test rows. The same command goes
on where it was stopped. Machines that share --storage, a database that Optuna takes, share the
trials; each has an --output of its own. With --workers=1 a search gives the same trials again.
"""
_CODES = "0 done, 2 bad input, 3 trials failed (named; the same command tries them again), 130 ctrl-C, 143 SIGTERM."


def parser() -> Parser:
    """The options."""
    found = options.parser_of("search", _ABOUT, _CODES)
    options.add_configs(found)
    found.add_argument(
        "--field", action="append", default=[], metavar="NAME=LOW..HIGH[:log]|NAME=VALUE,VALUE,...", help="to search, once or more",
    )
    found.add_argument("--trials", type=whole(1), default=20, metavar="N", help="of each configuration, over all starts")
    found.add_argument("--seeds", type=whole(1), default=1, metavar="N", help="seeds 0, 1, ... of each trial")
    options.add_fields(found, "in every trial")
    found.add_argument("--output", metavar="FOLDER", help="of all trials, the study and the tables")
    found.add_argument("--storage", default="", metavar="URL", help="a database to share (default: OUTPUT/study.db, SQLite)")
    found.add_argument("--study", default="search", metavar="NAME", help="what this search is called in the database")
    found.add_argument(
        "--pruner", type=one_of("median", "none"), default="median", metavar="median|none", help="what stops a trial early",
    )
    executors.add_options(found, "how many trials are submitted at a time (default: 4)")
    found.add_argument("--list", action="store_true", help="say what would be searched, and run nothing")
    return found


def main(argv: list[str] | None = None) -> int:
    """Runs the search; returns the exit code.

    Raises:
        UserError: bad input.
    """
    given = sys.argv[1:] if argv is None else argv

    def run() -> int:
        arguments = parser().parse_args(given)
        fixed, configurations = _checked(arguments)
        if arguments.list:
            _list(configurations)
            return 0
        from d3gzsl_jax.studies.search import database
        from d3gzsl_jax.studies.search.study import search

        words = ["d3gzsl", "search", *given]
        if storage := arguments.storage:  # the table is for others, too
            words = [word.replace(storage, database.shown(storage)) for word in words]
        return search(arguments, configurations, fixed, shlex.join(words))

    return stoppable("search", run)


def _checked(arguments: argparse.Namespace) -> tuple[dict[str, Any], list[Configuration]]:
    """The fields that are set in all trials, and the configurations; refuses what can be known to be wrong before anything is
    computed."""
    fixed = options.fields(arguments)
    options.require_config(arguments)
    configurations = configurations_of(arguments.config, fixed, arguments.field)
    if arguments.list:
        return fixed, configurations
    extras.require("optuna", "search", "this command")
    executors.check(arguments)
    if arguments.output is None:
        raise UserError("--output is missing: the folder of the trials and of the tables")
    arguments.output = options.output_folder(arguments.output)
    if arguments.storage and "://" not in arguments.storage:
        raise UserError("--storage: must be the address of a database, as in sqlite:////shared/study.db or postgresql://HOST/NAME")
    return fixed, configurations


def _list(configurations: list[Configuration]) -> None:
    """What would be searched."""
    for one in configurations:
        print(f"{one.name}:")
        for field in one.fields:
            print(f"    {field.name}: {field.described()} (own: {field.own})")
        if one.left_out:
            print(f"    left out, since they mean nothing to it: {', '.join(one.left_out)}")
