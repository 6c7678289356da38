"""What a configuration asks for, started: one run or several seeds together, each with or without validation on folds before it."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.load import load
from d3gzsl_jax.runs import resume, sizes
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.folder import check_place
from d3gzsl_jax.runs.opening import Start
from d3gzsl_jax.runs.results import summarize
from d3gzsl_jax.runs.storage import bucket
from d3gzsl_jax.studies.validation import validate_and_train
from d3gzsl_jax.system import processes
from d3gzsl_jax.system.signals import Signals
from d3gzsl_jax.train import open_runs, train_open


def train(
    config: ConfigDict, workdir: str = "", display: Display | None = None, overrides: Mapping[str, Any] | None = None,
    listener: Callable[[int, int], None] | None = None, signals: Signals | None = None,
) -> dict[str, Any]:
    """Trains and evaluates one run as `config` says and writes the run folder.

    A folder that holds an interrupted run of the same configuration and data is gone on with, to the same bits as if it had never
    stopped; a finished one is left as it is, or trained on if config.train.epochs has grown.

    In a run of many processes (jax.distributed) all of them call this; the first writes the folder and prints, and the folder is
    looked at there only.

    Args:
        config: see configs/default.py.
        workdir: the run folder; '' for a new one under runs/.
        display: where progress goes.
        overrides: which fields of `config` were set by hand, for the record.
        listener: see `opening.Start`.
        signals: what the command was asked, for whoever has more to do after this run; None where nobody asks.

    Returns:
        What results.json holds. Its 'interrupted' is true if ctrl-C ended training early.

    Raises:
        UserError: bad configuration, data or folder. DivergenceError: training broke down. Terminated: SIGTERM came.
    """
    check.check(config)
    processes.agreed(lambda: check_place(workdir))
    data = processes.agreed(lambda: load(config.dataset, config.data))
    return train_on(data, config, workdir, display, overrides, listener, signals)


def train_on(
    data: GZSLData, config: ConfigDict, workdir: str = "", display: Display | None = None,
    overrides: Mapping[str, Any] | None = None, listener: Callable[[int, int], None] | None = None,
    signals: Signals | None = None,
) -> dict[str, Any]:
    """`train` on data that is already at hand, validated; config.data says nothing but the pipeline."""
    display = display or Display(quiet=not processes.is_first())
    with contextlib.ExitStack() as stack:
        where = processes.agreed(lambda: stack.enter_context(bucket.local(workdir, display)) if processes.is_first() else workdir)
        (folder, results), = train_runs(data, [Start(config, where, listener=listener)], display, overrides, signals)
        if results["selection"] != resume.FOLDS_ONLY:
            summarize(results, folder, display)
    return results


def train_runs(
    data: GZSLData, starts: Sequence[Start], display: Display, overrides: Mapping[str, Any] | None = None,
    signals: Signals | None = None,
) -> list[tuple[Path, dict[str, Any]]]:
    """Trains, or goes on with, one run; or several that differ in their seed alone, as one program.

    Args:
        data: of all of them, validated.
        starts: one a run; several each name a folder.
        display: where progress goes.
        overrides: which fields of the configurations were set by hand, for the record.
        signals: what the command was asked; None where nobody else asks.

    Returns:
        By run its folder and what its results.json holds.
    """
    starts = [start._replace(config=sizes.sized(start.config, data)) for start in starts]
    with open_runs(data, starts, display, signals=signals) as opened:
        validates = starts[0].config.eval.selection == "validation"
        trained = validate_and_train(opened, overrides) if validates else train_open(opened, overrides=overrides)
        return opened.results(trained)
