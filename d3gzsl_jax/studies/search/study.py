"""The trials of a search done, gone on with, and put into search.md and search.json as they end."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.folder import plain
from d3gzsl_jax.runs.storage import lock
from d3gzsl_jax.studies.executors import executor
from d3gzsl_jax.studies.own_outputs import json_list_with, text_with
from d3gzsl_jax.studies.search import database, table
from d3gzsl_jax.studies.search.configurations import Configuration, Data, DataError, runs_of, with_data
from d3gzsl_jax.studies.search.trial import TrialJob, work
from d3gzsl_jax.studies.worker_pool import Failed
from d3gzsl_jax.system import atomic, compile_cache, paths
from d3gzsl_jax.text import cut, one_line

_AT_A_TIME = 4  # trials submitted to a cluster: each is drawn by what those before it reached


def search(arguments: argparse.Namespace, configurations: list[Configuration], fixed: dict[str, Any], command: str) -> int:
    """Does all trials; returns the exit code.

    Args:
        arguments: checked.
        configurations: of `configurations_of`.
        fixed: fields that are set in all trials.
        command: that does this, without a password.

    Raises:
        UserError: bad input, told before anything is trained. KeyboardInterrupt, Terminated: stopped; everything is saved.
    """
    output = arguments.output
    ours = {"search.md": text_with("d3gzsl search"), "search.json": json_list_with("configuration", "budget", "trials")}
    for name, is_ours in ours.items():
        contents.output(output / name, "--output", is_ours, "table of this tool")
    if not arguments.storage:
        contents.output(output / database.FILE, "--output", text_with("CREATE TABLE studies"), "study of Optuna")
    data = Data()
    configurations = with_data(configurations, data)
    try:
        with paths.made_folder(output, "--output"), lock.writing(output):
            return _Search(arguments, configurations, data, fixed, command).run()
    except lock.Held as error:
        raise UserError(str(error).replace("--workdir=", "--output=", 1)) from None


class _Search:
    """Arguments as of `search`, which holds the folder; `data`: of the configurations, read."""

    def __init__(
        self, arguments: argparse.Namespace, configurations: list[Configuration], data: Data, fixed: dict[str, Any], command: str
    ) -> None:
        self._arguments, self._configurations, self._fixed, self._command = arguments, configurations, fixed, command
        self._data = data
        self._output: Path = arguments.output
        self._url, self._failures = database.url_of(self._output, arguments.storage), list[str]()
        keeps = any(one.config.get("compile_cache", True) for one in configurations)
        self._keep_compiled = keeps and compile_cache.is_usable()  # said here, not by each process
        self._trials = [
            database.Trials(
                self._url, f"{arguments.study}: {one.name}", arguments.pruner, one.fields,
                {"config": plain(one.config.to_dict()), "digests": dict(one.digests), "seeds": arguments.seeds},
            )
            for one in configurations
        ]  # fmt: skip

    def run(self) -> int:
        """Does what is not done yet; returns the exit code."""
        wanted = self._arguments.trials
        finished = [sum(one.state.is_finished() for one in of.all()) for of in self._trials]
        if any(finished):
            done, total = sum(min(count, wanted) for count in finished), wanted * len(self._trials)
            print(f"{done} of {total} trials are done already", flush=True)
        # Each configuration by itself: one that has more than are wanted takes none of another's.
        left = sum(max(wanted - count, len(of.begun())) for count, of in zip(finished, self._trials, strict=True))
        self._write()
        try:
            with executor(self._arguments, work, self._output, left, _AT_A_TIME) as pool:
                for job, outcome in pool.finished(self._jobs()):
                    self._end(job, outcome)
                    self._write()
        finally:
            self._write()
        print(f"wrote {self._output / 'search.md'} and search.json")
        self._say_what_is_next()
        for failure in self._failures:
            print(f"d3gzsl search: failed: {failure}", file=sys.stderr)
        return 3 if self._failures else 0

    def _jobs(self) -> Iterator[TrialJob]:
        """What is to be done, each drawn when it is asked for: trials that were interrupted, then new ones, of one configuration
        after the other, so that all have as many at any time."""
        for place, trials in enumerate(self._trials):
            for begun in trials.begun():
                if not self._arguments.storage or self._folder(place, begun.number).is_dir():  # else it is another machine's
                    yield from self._job(place, trials.again(begun))
        new = {place: trials.asked(self._arguments.trials) for place, trials in enumerate(self._trials)}
        while new:
            for place in list(new):
                if (trial := next(new[place], None)) is None:
                    del new[place]
                else:
                    yield from self._job(place, trial)

    def _job(self, place: int, trial: Any) -> Iterator[TrialJob]:
        """The job of a trial; none where its settings do not go together, which ends it.

        Raises:
            DataError: data that it needs cannot be read.
        """
        trials, configuration, folder = self._trials[place], self._configurations[place], self._folder(place, trial.number)
        paths.make_folder(folder, "--output")
        overrides = trials.overrides(trials.settings(trial))
        try:
            runs = runs_of(configuration, self._data, overrides, self._arguments.seeds, folder, self._keep_compiled)
        except DataError:
            raise  # no other trial could be done either; this one has no end, and is gone on with
        except UserError as error:
            self._broke_down(place, trial.number, str(error))
            return
        for run in runs:
            if Path(run.folder).is_dir():
                contents.require_ours(Path(run.folder), "--output")
        own = {field.name: field.own for field in configuration.fields}
        yield TrialJob(
            place, self._url, trials.study.study_name, self._arguments.pruner, own, trial.number, trial._trial_id, runs
        )

    def _folder(self, place: int, number: int) -> Path:
        return self._output / self._configurations[place].folder / f"trial-{number:04d}"

    def _end(self, job: TrialJob, outcome: Any) -> None:
        """Takes in what became of a trial."""
        trials, name = self._trials[job.place], self._configurations[job.place].name
        if isinstance(outcome, Failed):
            why = f"{outcome.kind} {outcome.message}".strip()
            if outcome.kind == DivergenceError.__name__:
                self._broke_down(job.place, job.number, outcome.message)
                return
            self._failures.append(f"{name}, trial {job.number}: {why}")  # it has no end, and the same command goes on with it
            print(f"{self._head(job)}: failed: {why}", file=sys.stderr, flush=True)
            return
        trials.end(job.number, outcome)
        best = trials.best()
        reached = "stopped early" if outcome["value"] is None else f"{self._criterion(job.place)} {table.percent(outcome['value'])}"
        so_far = f"; best {table.percent(best.value)}, trial {best.number}" if best else ""
        print(f"{self._head(job)}: {reached}{so_far}", flush=True)

    def _broke_down(self, place: int, number: int, why: str) -> None:
        """Ends a trial that no start of it can bring to its end: the sampler then keeps away from such settings."""
        trials = self._trials[place]
        why = cut(one_line(why), 300)
        trials.end(number, {"value": None, "seeds": [], "failure": why})
        print(f"{self._configurations[place].name}, trial {number}: broke down: {why}", flush=True)

    def _head(self, job: TrialJob) -> str:
        done = sum(one.state.is_finished() for of in self._trials for one in of.all())
        total = self._arguments.trials * len(self._trials)
        return f"[{done}/{total}] {self._configurations[job.place].name}, trial {job.number}"

    def _criterion(self, place: int) -> str:
        return self._configurations[place].config.eval.criterion

    def _found(self) -> list[table.Found]:
        return [
            table.found(configuration, trials, self._fixed, self._arguments.seeds, self._output / configuration.folder / "best")
            for configuration, trials in zip(self._configurations, self._trials, strict=True)
        ]

    def _write(self) -> None:
        found = self._found()
        atomic.write_text(self._output / "search.md", table.markdown(found, self._arguments.trials, self._command))
        atomic.write_text(self._output / "search.json", table.as_json(found))

    def _say_what_is_next(self) -> None:
        """The commands that look at the test rows, and what is still to be done elsewhere."""
        for one in self._found():
            if one.train:
                print(f"{one.name}, the best settings on the test rows:\n  {one.train}")
            if one.budget["begun"] and not self._failures:
                print(f"{one.name}: {one.budget['begun']} trials have no end: they run on other machines, or were left there")
