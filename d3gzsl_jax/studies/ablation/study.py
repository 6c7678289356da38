"""The runs of an ablation done, gone on with, and put into its table, curves and figure as they finish."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents, json_files
from d3gzsl_jax.runs.display import METRICS, percent
from d3gzsl_jax.studies.ablation import figure, table
from d3gzsl_jax.studies.ablation.grid import Cell, cells_of, uncompared
from d3gzsl_jax.studies.ablation.presets import FILE_PRESETS, PRESETS, choices_of
from d3gzsl_jax.studies.ablation.rows import Entry, entries_of, left_out, rows_of, rule_of
from d3gzsl_jax.studies.executors import executor
from d3gzsl_jax.studies.jobs import Job, of_baseline, together, with_usable_cache, work_together
from d3gzsl_jax.studies.overrides import configured
from d3gzsl_jax.studies.own_outputs import picture, text_with
from d3gzsl_jax.studies.worker_pool import Failed
from d3gzsl_jax.system import atomic, paths

_DRAW_SECONDS = 10.0  # between two drawings of the figure, which takes a second


class Outputs:
    """What is known of the runs so far, and the files that hold it.

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
        self._uncompared = uncompared(cells)
        self._entries: dict[tuple[int, int], list[Entry]] = {}
        self._curves: dict[tuple[int, int], tuple[str, int, list[dict[str, Any]]]] = {}
        self._order, self._drawn = {name: place for place, name in enumerate(self._cells)}, -_DRAW_SECONDS

    def add(self, job: Job, results: dict[str, Any]) -> str:
        """Takes in a finished run; returns U, S, H and T1 of its predictors, for a line on the screen."""
        folder = str(Path(job.folder).relative_to(self._output))
        found = entries_of(job.cell, results, folder, bool(job.baseline), job.config)
        self._missing |= dict.fromkeys(f"{job.cell}, {predictor}" for predictor in left_out(results))
        place = job.seed, self._order[job.cell]
        self._entries[place] = found
        self._curves[place] = job.cell, job.seed, json_files.read_lines(Path(job.folder) / "metrics.jsonl")
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
        shown = self._title, entries, rows, against, self._command, table.Left(self.failures, list(self._missing), self._uncompared)
        curves = table.curves(curve for _, curve in sorted(self._curves.items()))
        written = {".md": table.markdown(*shown), ".csv": table.comma_separated(entries), "-curves.csv": curves}
        written |= table.to_print(*shown)
        files = {ending: text.encode() for ending, text in written.items()}
        if last or time.monotonic() - self._drawn >= _DRAW_SECONDS:
            title = f"{self._title}\n(selection: {rule_of(entries)})"
            files |= {f".{extension}": content for extension, content in figure.files(figure.draw(title, rows)).items()}
            self._drawn = time.monotonic()
        for ending, content in files.items():
            with atomic.replacing(self._output / f"ablation{ending}", "wb") as file:
                file.write(content)


def jobs_of(cells: Sequence[Cell], seeds: int, output: Path, prune: bool) -> list[Job]:
    """Every cell with every seed, seed by seed, so that there is a whole table early."""
    jobs = []
    for seed in range(seeds):
        for cell in cells:
            config, folder = cell.config.to_dict() | {"seed": seed}, output / cell.folder / f"seed-{seed}"
            keep_compiled = bool(config.get("compile_cache", True))
            config = of_baseline(config) if cell.baseline else config
            jobs.append(Job(cell.name, seed, str(folder), config, cell.baseline, dict(cell.digests), prune, keep_compiled))
    return jobs


def ablate(arguments: argparse.Namespace, fixed: dict[str, Any], command: str) -> int:
    """Does all runs; returns the exit code.

    Raises:
        UserError: bad input, told before anything is trained. KeyboardInterrupt, Terminated: stopped; everything is saved.
    """
    if arguments.list:
        print_presets(arguments.config[0] if arguments.config else "digits", fixed)
        return 0
    cells = cells_of(
        arguments.config, arguments.preset, arguments.vary, fixed, arguments.baselines, arguments.reports, arguments.only
    )
    if arguments.seeds_together:
        for cell in cells:
            _check_together(cell, arguments.seeds)
    ours = dict.fromkeys((".md", ".tex", ".html"), text_with("d3gzsl ablate"))
    ours |= dict.fromkeys((".csv", "-curves.csv"), text_with("cell,"))
    for ending, is_ours in (ours | dict.fromkeys((".png", ".svg"), picture)).items():
        target = arguments.output / f"ablation{ending}"
        contents.output(target, "--output", is_ours, "table or figure of this tool")
    jobs = jobs_of(cells, arguments.seeds, arguments.output, arguments.prune)
    what = arguments.preset or ", ".join(text.partition("=")[0] for text in arguments.vary) or "configurations"
    outputs = Outputs(f"{cells[0].config.dataset}: {what.replace('_', ' ')}", cells, arguments.output, command)
    ahead = []
    for job in jobs:
        if (results := job.results()) is None:
            ahead.append(job)
        else:
            outputs.add(job, results)
    if len(ahead) < len(jobs):
        print(f"{len(jobs) - len(ahead)} of {len(jobs)} runs are finished already", flush=True)
    for told in uncompared(cells):
        print(f"d3gzsl ablate: not compared, since that cell is not run: {told}", file=sys.stderr, flush=True)
    with paths.made_folder(arguments.output, "--output"):
        for job in ahead:
            if Path(job.folder).is_dir():
                contents.require_ours(Path(job.folder), "--output")
        outputs.write()
        _do(with_usable_cache(ahead), len(jobs), outputs, arguments)
    outputs.write(last=True)
    wrote = f"wrote {arguments.output / 'ablation'}.md, .tex, .html, .csv, -curves.csv, .png and .svg"
    print(wrote if len(outputs.failures) < len(jobs) else "no results")
    for failure in outputs.failures:
        print(f"d3gzsl ablate: failed: {failure}", file=sys.stderr)
    return 3 if outputs.failures else 0


def _check_together(cell: Cell, seeds: int) -> None:
    """Refuses a cell whose seeds cannot be one program."""
    config = ConfigDict(cell.config.to_dict() | {"seeds": tuple(range(seeds))})
    try:
        check.check_seeds(config)
    except UserError as error:
        raise UserError(f"--seeds-together, cell {cell.name!r}: {error}") from None


def _do(ahead: Sequence[Job], total: int, outputs: Outputs, arguments: argparse.Namespace) -> None:
    """Does the jobs that are not done yet, of `total`, and writes the outputs after each, or each group."""
    groups = together(ahead) if arguments.seeds_together else [(job,) for job in ahead]
    count = total - len(ahead)
    with executor(arguments, work_together, arguments.output, len(groups)) as pool:
        for group, outcomes in pool.finished(groups):
            for job, outcome in zip(group, [outcomes] * len(group) if isinstance(outcomes, Failed) else outcomes, strict=True):
                count += 1
                _add(job, outcome, f"[{count}/{total}] {job.cell}, seed {job.seed}", outputs)
            outputs.write()


def _add(job: Job, outcome: Any, head: str, outputs: Outputs) -> None:
    """Takes in what became of a job, and says it; one that has results has not failed, whatever became of those beside it."""
    if (results := job.results()) is not None:
        seconds = "" if isinstance(outcome, Failed) else f", {outcome:.0f} s"
        print(f"{head}{seconds}: {outputs.add(job, results)}", flush=True)
        return
    why = f"{outcome.kind} {outcome.message}".strip() if isinstance(outcome, Failed) else "it left no results"
    outputs.failures.append(f"{job.cell}, seed {job.seed}: {why}")
    print(f"{head}: failed: {why}", file=sys.stderr, flush=True)


def print_presets(spec: str, fixed: dict[str, Any]) -> None:
    """What each preset is and which cells it has for a configuration, or why it has none."""
    config = configured(spec, fixed)
    for name, preset in (FILE_PRESETS | PRESETS).items():
        print(f"{name}: {' '.join((preset.__doc__ or '').split())}")
        try:
            for cell in choices_of(name, spec, config):
                print(f"    {cell.name}: {json.dumps(cell.overrides) if cell.overrides else cell.spec or 'as configured'}")
        except UserError as error:
            print(f"    not for {spec}: {error}")
