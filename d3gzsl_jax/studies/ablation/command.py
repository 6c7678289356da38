"""`d3gzsl ablate`: its options, and how it ends."""

import argparse
import shlex
import sys
from typing import Any

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies import executors, options
from d3gzsl_jax.studies.ablation import grid
from d3gzsl_jax.studies.ablation.presets import FILE_PRESETS, PRESETS
from d3gzsl_jax.studies.baselines import names
from d3gzsl_jax.studies.stopping import stoppable
from d3gzsl_jax.system.options import Parser, whole

_ABOUT = """\
What each part of D3 is worth: a grid of configurations over seeds, on all cores, tabled and drawn.

    d3gzsl ablate --config=configs/cub_small.py --preset=components --seeds=5 --output=FOLDER
    d3gzsl ablate --config=configs/flo_small.py --preset=paper --seeds=3 --output=FOLDER
    d3gzsl ablate --config=A.py --config=B.py --vary=distillation.n_syn=1,5,20 --output=FOLDER
    d3gzsl ablate --list [--config=FILE.py]

Every cell of the grid with every seed is a run folder, FOLDER/<cell>/seed-<k>, and every baseline
one with results.json. After each run, or each cell with --seeds-together, FOLDER/ablation.md, .tex,
.html, .csv, .png and .svg hold what there is so far (ablation-curves.csv: every evaluated epoch): a
row a cell and predictor, compared by seed with the first cell (on the same data) or, in presets, with
the first at the same file and values; where a preset has several levels, D3 with the base method at
its level. The same command goes on where it was stopped (ctrl-C, SIGTERM), and trains no finished run
again. Runs go seed by seed, so that a whole table is there early; with --seeds-together a cell after
the other.

On a CPU there is a process a core, on an accelerator one in all; the number of cores of a process
can change the last digits of a run, so give the same --workers when going on: each has its share of
the cores, however few runs are left. config.data.pipeline=auto becomes device, which starts faster
and makes the same batches, to the bit. --seeds-together is for accelerators, with --workers=8 cells
are compiled side by side there; on a CPU seeds apart keep more cores busy.

With --executor=slurm each run, or cell, is a job of the queue: this command submits them, waits, and
tables what comes back. One that has run out of its time is queued again, and goes on.
"""
_CODES = "0 done, 2 bad input, 3 runs failed (named; the others are done), 130 ctrl-C, 143 SIGTERM."


def parser() -> Parser:
    """The options."""
    found = options.parser_of("ablate", _ABOUT, _CODES)
    options.add_configs(found)
    found.add_argument("--preset", default="", help=", ".join((*FILE_PRESETS, *PRESETS)))
    found.add_argument(
        "--only", default="", metavar="CELL,CELL",
        help="these cells of the preset, called as --list does; they keep its order. What is compared with the first of the "
        "preset is with the first of these; with several levels add the base method of each, or there is no comparison at it",
    )
    found.add_argument("--vary", action="append", default=[], metavar="FIELD=VALUE,VALUE,...", help="all combinations")
    options.add_fields(found, "in every cell that says nothing else")
    found.add_argument("--seeds", type=whole(1), default=5, metavar="N", help="seeds 0, 1, ... of each cell")
    found.add_argument(
        "--seeds-together", action="store_true",
        help="all seeds of a cell as one program, for accelerators; a cell after the other",
    )
    found.add_argument("--output", metavar="FOLDER", help="of all runs, of the table, the curves and the figure")
    executors.add_options(found, "how many jobs are submitted at a time (default: all)")
    found.add_argument("--baselines", metavar="NAME,NAME", help="baselines without synthesis to table too")
    found.add_argument("--reports", action="store_true", help="plots and report.html of every run")
    found.add_argument("--prune", action="store_true", help="remove checkpoints of finished runs and of their folds")
    found.add_argument("--list", action="store_true", help="say what presets there are, and run nothing")
    return found


def main(argv: list[str] | None = None) -> int:
    """Runs the ablation; returns the exit code.

    Raises:
        UserError: bad input.
    """
    given = sys.argv[1:] if argv is None else argv

    def run() -> int:
        arguments = parser().parse_args(given)
        fixed = _checked(arguments)
        from d3gzsl_jax.studies.ablation.study import ablate

        return ablate(arguments, fixed, shlex.join(["d3gzsl", "ablate", *given]))

    return stoppable("ablate", run)


def _checked(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields that are set in all cells; refuses what can be known to be wrong before anything is computed."""
    fixed = options.fields(arguments)
    if arguments.list:
        unread = [f"--{name}" for name in ("preset", "only", "vary", "baselines") if getattr(arguments, name)]
        if unread or len(arguments.config) > 1:
            raise UserError(f"--list: says what presets one configuration has; leave {(unread or ['the other --config'])[0]} out")
        return fixed
    executors.check(arguments)
    options.require_config(arguments)
    if arguments.output is None:
        raise UserError("--output is missing: the folder of the runs and of the table")
    arguments.output = options.output_folder(arguments.output)
    arguments.baselines = [] if arguments.baselines is None else names.chosen(arguments.baselines, names.FITTED)
    grid.named_cells(arguments.config, arguments.preset, arguments.vary, fixed, arguments.reports, arguments.only)
    return fixed
