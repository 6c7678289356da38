"""What each part of D3 is worth: a grid of configurations over seeds, on all cores, tabled and drawn.

    d3gzsl ablate --config configs/cub_small.py --preset components --seeds 5 --output FOLDER [--root DATA]
    d3gzsl ablate --config A.py --config B.py:base --vary distillation.temperature=1,2,4 --seeds 5 --output FOLDER
    d3gzsl ablate --list [--config FILE.py]

Every cell of the grid with every seed is a run folder, FOLDER/<cell>/seed-<k>, and every baseline one with results.json. After each
run FOLDER/ablation.md, .csv, .png and .svg hold what there is so far: a row a cell and predictor, compared by seed with the first
cell (on the same data) or, in presets with several levels, with the base method at the same level. The same command goes on where
it was stopped (ctrl-C, SIGTERM), and trains no finished run again. Runs go seed by seed: a whole table is there early.

On a CPU there is a process a core, on an accelerator one in all; the number of cores of a process can change the last digits of a
run, so give the same --workers when going on: each has its share of the cores, however few runs are left. config.data.pipeline=auto
becomes device, which starts faster and makes the same batches, to the bit.

Exit codes: 0 done, 2 bad input, 3 runs failed (named; the others are done), 130 ctrl-C, 143 SIGTERM.
"""

import argparse
import json
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import Terminated, UserError
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.display import METRICS, percent
from d3gzsl_jax.runs.report.record import replace
from d3gzsl_jax.studies.ablation import figure, table
from d3gzsl_jax.studies.ablation.grid import Cell, cells_of
from d3gzsl_jax.studies.ablation.jobs import Job, jobs_of, work
from d3gzsl_jax.studies.ablation.presets import PRESETS
from d3gzsl_jax.studies.ablation.rows import Entry, entries_of, left_out, rows_of, rule_of
from d3gzsl_jax.studies.outputs import picture, text_with
from d3gzsl_jax.studies.overrides import assignment, configured
from d3gzsl_jax.studies.workers import Failed, Here, Pool, default_workers
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.terminal import run_command

_DRAW_SECONDS = 10.0  # between two drawings of the figure, which takes a second


class Account:
    """What is known of the runs so far, and the files that tell it.

    Args:
        title: of table and figure.
        cells: of the grid.
        output: folder of the files.
        command: that made them.
    """

    def __init__(self, title: str, cells: Sequence[Cell], output: Path, command: str) -> None:
        self.failures: list[str] = []
        self._title, self._cells, self._output, self._command = title, {cell.name: cell for cell in cells}, output, command
        self._missing: dict[str, None] = {}
        self._entries: dict[tuple[int, int], list[Entry]] = {}
        self._order, self._drawn = {name: place for place, name in enumerate(self._cells)}, -_DRAW_SECONDS

    def add(self, job: Job, results: dict[str, Any]) -> str:
        """Takes in a finished run; returns U, S, H and T1 of its predictors, for a line on the screen."""
        folder = str(Path(job.folder).relative_to(self._output))
        found = entries_of(job.cell, results, folder, bool(job.baseline), job.config)
        self._missing |= dict.fromkeys(f"{job.cell}, {predictor}" for predictor in left_out(results))
        self._entries[job.seed, self._order[job.cell]] = found
        return "  ".join(
            f"{entry.predictor} " + " ".join(f"{heading} {percent(getattr(entry, key))}" for heading, key in METRICS.items())
            for entry in found
        )

    def write(self, last: bool = False) -> None:
        """Writes table and figure; the figure not more often than it is worth, except the `last` time."""
        entries = [entry for _, found in sorted(self._entries.items()) for entry in found]
        if not entries:
            return
        against = {name: cell.against for name, cell in self._cells.items()}
        rows = rows_of(entries, against)
        text = table.markdown(self._title, entries, rows, against, self._command, self.failures, list(self._missing))
        contents = {"md": text.encode(), "csv": table.comma_separated(entries).encode()}
        if last or time.monotonic() - self._drawn >= _DRAW_SECONDS:
            title = f"{self._title}\n(selection: {rule_of(entries)})"
            contents |= figure.files(figure.draw(title, rows))
            self._drawn = time.monotonic()
        for extension, content in contents.items():
            replace(self._output / f"ablation.{extension}", content)


def ablate(arguments: argparse.Namespace, command: str) -> int:
    """Does all runs; returns the exit code.

    Raises:
        UserError: bad input, told before anything is trained. KeyboardInterrupt, Terminated: stopped; everything is saved.
    """
    fixed = dict(assignment("--set", text) for text in arguments.set)
    fixed |= {"data.root": arguments.root} if arguments.root else {}
    if arguments.list:
        print_presets(arguments.config[0] if arguments.config else "configs/digits.py", fixed)
        return 0
    workers = arguments.workers or default_workers()
    _check(arguments)
    baselines = [name.strip() for name in arguments.baselines.split(",") if name.strip()]
    cells = cells_of(arguments.config, arguments.preset, arguments.vary, fixed, baselines, arguments.reports, arguments.only)
    arguments.output = paths.clean(arguments.output, "--output")
    ours = {"md": text_with("d3gzsl ablate"), "csv": text_with("cell,"), "png": picture, "svg": picture}
    for extension, is_ours in ours.items():
        target = arguments.output / f"ablation.{extension}"
        contents.output(target, "--output", is_ours, "table or figure of this tool", parents=True)
    jobs = jobs_of(cells, arguments.seeds, arguments.output, arguments.prune)
    what = arguments.preset or ", ".join(text.partition("=")[0] for text in arguments.vary) or "configurations"
    account = Account(f"{cells[0].config.dataset}: {what.replace('_', ' ')}", cells, arguments.output, command)
    ahead = []
    for job in jobs:
        if (results := job.results()) is None:
            ahead.append(job)
        else:
            account.add(job, results)
    if len(ahead) < len(jobs):
        print(f"{len(jobs) - len(ahead)} of {len(jobs)} runs are finished already", flush=True)
    _make(arguments.output)
    for job in ahead:
        if Path(job.folder).is_dir():
            contents.require_ours(Path(job.folder), "--output")
    account.write()
    with Here(work) if workers == 1 else Pool(work, workers, min(workers, len(ahead))) as pool:
        for count, (job, outcome) in enumerate(pool.finished(ahead), start=len(jobs) - len(ahead) + 1):
            head = f"[{count}/{len(jobs)}] {job.cell}, seed {job.seed}"
            results = None if isinstance(outcome, Failed) else job.results()
            if results is None:
                why = f"{outcome.kind} {outcome.message}".strip() if isinstance(outcome, Failed) else "it left no results"
                account.failures.append(f"{job.cell}, seed {job.seed}: {why}")
                print(f"{head}: failed: {why}", file=sys.stderr, flush=True)
            else:
                print(f"{head}, {outcome:.0f} s: {account.add(job, results)}", flush=True)
            account.write()
    account.write(last=True)
    print(f"wrote {arguments.output / 'ablation'}.md, .csv, .png and .svg" if len(account.failures) < len(jobs) else "no results")
    for failure in account.failures:
        print(f"ablate: failed: {failure}", file=sys.stderr)
    return 3 if account.failures else 0


def print_presets(spec: str, fixed: dict[str, Any]) -> None:
    """What each preset is and which cells it has for a configuration, or why it has none."""
    config = configured(spec, fixed)
    for name, preset in PRESETS.items():
        print(f"{name}: {' '.join((preset.__doc__ or '').split())}")
        try:
            for cell in preset(config):
                print(f"    {cell.name}: {json.dumps(cell.overrides) if cell.overrides else 'as configured'}")
        except UserError as error:
            print(f"    not for {spec}: {error}")


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--config", action="append", default=[], metavar="FILE.py[:variant]", help="once or more")
    found.add_argument("--preset", default="", help=", ".join(PRESETS))
    found.add_argument(
        "--only", default="", metavar="CELL,CELL",
        help="these cells of the preset, called as --list does; they keep its order, and the first in it is compared with",
    )
    found.add_argument("--vary", action="append", default=[], metavar="FIELD=VALUE,VALUE,...", help="all combinations")
    found.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="in every cell that says nothing else")
    found.add_argument("--seeds", type=int, default=5, help="seeds 0, 1, ... of each cell")
    found.add_argument("--root", help="instead of config.data.root")
    found.add_argument("--output", type=Path, help="folder of all runs, of the table and the figure")
    found.add_argument("--workers", type=int, default=0, help="processes; default: one a core, one in all on an accelerator")
    found.add_argument("--baselines", default="", metavar="NAME,NAME", help="baselines without synthesis to table too")
    found.add_argument("--reports", action="store_true", help="plots and report.html of every run")
    found.add_argument("--prune", action="store_true", help="remove checkpoints of finished runs and of their folds")
    found.add_argument("--list", action="store_true", help="say what presets there are, and run nothing")
    return found


def main(argv: list[str] | None = None) -> int:
    """Runs the ablation; returns the exit code."""
    given = sys.argv[1:] if argv is None else argv
    arguments = parser().parse_args(given)

    def terminate(number: int, frame: Any) -> None:
        raise Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        return ablate(arguments, shlex.join(["python", "d3gzsl ablate", *given]))
    except UserError as error:
        print(f"ablate: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, Terminated) as stopped:
        print("ablate: stopped; the same command goes on", file=sys.stderr)
        return 143 if isinstance(stopped, Terminated) else 130
    finally:
        signal.signal(signal.SIGTERM, previous)


def _check(arguments: argparse.Namespace) -> None:
    """Refuses options that say nothing, or too little."""
    if not arguments.config:
        raise UserError("--config is missing; for example --config configs/digits.py, which needs no download")
    if arguments.output is None:
        raise UserError("--output is missing: the folder of the runs and of the table")
    if arguments.seeds < 1:
        raise UserError(f"--seeds {arguments.seeds}: must be at least 1")
    if arguments.workers < 0:
        raise UserError(f"--workers {arguments.workers}: must be at least 1, or 0 for one a core")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {folder}: cannot be made ({error.strerror}); name a folder that can") from None


if __name__ == "__main__":
    sys.exit(run_command(main))
